import Core

/// TCPRoute and UDPRoute (Gateway API), which are alike.
enum StreamRouteSchema {
    static let fields = fields(rules: 1...1)
    /// v1alpha2 has no limit of one rule.
    static let alphaFields = fields(rules: 1...16)

    private static func fields(rules: ClosedRange<Int64>) -> [Field] {
        [
            required(
                "spec",
                .object([
                    optional("parentRefs", ReferenceShapes.parents),
                    required("rules", Self.rules(rules)),
                    optional("useDefaultGateways", .choice("All", "None")),
                ]))
        ]
    }

    static func rules(_ count: ClosedRange<Int64>) -> Shape {
        .list(
            .object([
                required("backendRefs", .list(ReferenceShapes.backend([ReferenceShapes.weight]), 1...16)),
                optional("name", .sectionName),
            ]), count, rules: [ReferenceRules.uniqueRuleNames])
    }
}

/// TLSRoute (Gateway API).
enum TLSRouteSchema {
    static let fields = fields(
        required("hostnames", .list(.hostname, 1...1024, rules: [noAddresses])), rules: 1...1)
    /// v1alpha2 asks less.
    static let alphaFields = fields(optional("hostnames", .list(.hostname, 0...1024)), rules: 1...16)

    private static func fields(_ hostnames: Field, rules: ClosedRange<Int64>) -> [Field] {
        [
            required(
                "spec",
                .object([
                    optional("parentRefs", ReferenceShapes.parents),
                    hostnames,
                    required("rules", StreamRouteSchema.rules(rules)),
                    optional("useDefaultGateways", .choice("All", "None")),
                ]))
        ]
    }

    /// SNI has no addresses (RFC 6066, section 3).
    private static let noAddresses: Rule = { hostnames, report in
        for name in hostnames.items where IPAddress(name.text) != nil {
            report.refuse(name, "hostnames cannot contain an IP address; '\(name.text.string)' is one")
        }
    }
}
