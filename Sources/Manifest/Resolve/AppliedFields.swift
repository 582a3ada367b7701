import Core

/// Which fields of Envoy Gateway's kinds have an effect. What a resource sets beside them loads, changes nothing, and is
/// told in a warning where it is written, so that nobody relies on it.
enum AppliedFields {
    /// Paths below `spec`, each with all that is under it. Whoever makes a field work writes it down here, and nowhere
    /// else.
    static func paths(of kind: ResourceKind) -> [StaticString]? {
        switch kind {
        case .backend, .httpRouteFilter, .clientTrafficPolicy, .backendTrafficPolicy, .securityPolicy: []
        default: nil
        }
    }

    /// What says where a policy applies, or how, and nothing by itself.
    private static let attachment: [StaticString] = ["targetRef", "targetRefs", "targetSelectors", "mergeType"]

    static func warn(_ index: ResourceIndex, findings: inout FindingLog) {
        for resource in index.resources where !resource.isReplaced {
            guard let applied = paths(of: resource.kind) else { continue }
            let spec = resource.node[.spec]
            if applied.isEmpty {
                findings.warning(resource, resource.node[.kind], nothing(of: resource.kind))
            } else {
                walk(spec, "", applied.map(\.description) + attachment.map(\.description), resource, &findings)
            }
        }
    }

    private static func nothing(of kind: ResourceKind) -> String {
        let consequence = kind == .securityPolicy ? "it protects nothing" : "it has no effect"
        return "this version does not apply resources of the kind \(kind.name); \(consequence)"
    }

    /// Tells each field that is not applied, at the outermost place where nothing below it is.
    private static func walk(
        _ object: WrittenNode, _ prefix: String, _ applied: [String], _ resource: LoadedResource,
        _ findings: inout FindingLog
    ) {
        for (name, value) in object.fields {
            let path = prefix + name.string
            if applied.contains(path) { continue }
            if value.kind == .object, applied.contains(where: { $0.hasPrefix(path + ".") }) {
                walk(value, path + ".", applied, resource, &findings)
            } else {
                findings.warning(
                    resource, value, "this version does not apply \(path) of a \(resource.kind.name); it has no effect")
            }
        }
    }
}
