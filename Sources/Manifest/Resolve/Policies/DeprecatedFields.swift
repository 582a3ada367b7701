/// Fields of Envoy Gateway's policies that still work and have a successor, which the condition Warning names.
enum DeprecatedFields {
    /// Below `spec`.
    private struct Entry {
        var path: [FieldKey]
        var old: StaticString
        var new: StaticString
        /// Counts only when it is true: its absence cannot be told from false.
        var isFlag = false
    }

    private static let target = Entry(path: [.targetRef], old: "targetRef", new: "targetRefs")

    private static func entries(of kind: ResourceKind) -> [Entry] {
        switch kind {
        case .backendTrafficPolicy:
            [target, Entry(path: [.compression], old: "compression", new: "compressor")]
        case .clientTrafficPolicy:
            [
                Entry(path: [.enableProxyProtocol], old: "enableProxyProtocol", new: "proxyProtocol"),
                Entry(
                    path: [.headers, .preserveXRequestID], old: "headers.preserveXRequestID", new: "headers.requestID"),
                target,
                Entry(
                    path: [.tls, .clientValidation, .optional], old: "tls.clientValidation.optional",
                    new: "tls.clientValidation.mode", isFlag: true),
            ]
        case .securityPolicy: [target]
        default: []
        }
    }

    /// What the policy's authors should write instead; nil: it has no such field.
    static func message(of policy: LoadedResource) -> String? {
        var parts: [String] = []
        for entry in entries(of: policy.kind) {
            let node = entry.path.reduce(policy.node[.spec]) { $0[$1] }
            guard node.exists, !entry.isFlag || node.boolean == true else { continue }
            parts.append("spec.\(entry.old) is deprecated; write spec.\(entry.new)")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
