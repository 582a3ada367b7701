import Core

/// What a policy of Istio's is for: workloads by their labels, or resources by their names (istio.io/api,
/// `type/v1beta1/selector.proto`).
enum WorkloadShapes {
    static let selector = Shape.object([optional("matchLabels", matchLabels)])

    static let targetReference = Shape.object([
        optional("group", .group),
        required("kind", .kind),
        required("name", .objectName),
        optional("namespace", Shape.string.with(rules: [noOtherNamespace])),
    ])

    private static let matchLabels = Shape.map(
        of: Shape.text(0...63).with(rules: [noWildcard]), 0...4096, rules: [keys])

    private static let noWildcard: Rule = { value, report in
        guard value.text.firstIndex(of: 0x2A) != nil else { return }
        report.refuse(value, "a wildcard is not allowed in a label's value; write the whole value")
    }

    private static let keys: Rule = { map, report in
        for (name, value) in map.fields {
            if name.isEmpty { report.refuse(value, "a label's key must not be empty") }
            guard name.firstIndex(of: 0x2A) != nil else { continue }
            report.refuse(value, "a wildcard is not allowed in a label's key; write the whole key")
        }
    }

    private static let noOtherNamespace: Rule = { namespace, report in
        if namespace.text.isEmpty { return }
        report.refuse(
            namespace, "references to other namespaces are not supported; write the policy in the target's namespace")
    }
}
