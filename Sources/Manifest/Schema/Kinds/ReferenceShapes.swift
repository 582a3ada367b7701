/// References from one resource to another, as Gateway API's kinds share them.
enum ReferenceShapes {
    /// A reference to a certificate: a Secret unless it says more.
    static let secret = Shape.object([
        optional("group", .group, default: ""),
        optional("kind", .kind, default: "Secret"),
        required("name", .objectName),
        optional("namespace", .namespace),
    ])

    /// A reference in which nothing goes without saying.
    static let object = Shape.object([
        required("group", .group), required("kind", .kind), required("name", .objectName),
        optional("namespace", .namespace),
    ])

    static let localObject = Shape.object([
        required("group", .group), required("kind", .kind), required("name", .objectName),
    ])

    /// A Gateway, or what else a route may attach to.
    static let parents = Shape.list(
        .object([
            optional("group", .group, default: "gateway.networking.k8s.io"),
            optional("kind", .kind, default: "Gateway"),
            required("name", .objectName),
            optional("namespace", .namespace),
            optional("port", .port),
            optional("sectionName", .sectionName),
        ]), 0...32, rules: [ReferenceRules.distinctParents])

    /// `HTTPBackendRef` and its kin: a Service unless it says more.
    /// - Parameter more: fields beside the reference itself.
    static func backend(_ more: [Field] = []) -> Shape {
        .object(
            [
                optional("group", .group, default: ""),
                optional("kind", .kind, default: "Service"),
                required("name", .objectName),
                optional("namespace", .namespace),
                optional("port", .port),
            ] + more, rules: [ReferenceRules.portOfService])
    }

    static let weight = optional("weight", .integer(0...1_000_000), default: "1")
}
