/// What a policy of Istio's is for (AuthorizationPolicy, PeerAuthentication).
enum WorkloadTarget {
    /// Everything in the policy's namespace, or everywhere when that is the root namespace.
    case namespace
    /// Of that, what has all of these labels.
    case labels([String: String])
    /// Resources of the policy's namespace.
    case resources([Reference])

    struct Reference {
        var group: String
        var kind: String
        var name: String
        var node: WrittenNode

        init(_ node: WrittenNode) {
            group = node[.group].string ?? ""
            kind = node[.kind].string ?? ""
            name = node[.name].string ?? ""
            self.node = node
        }

        var isService: Bool { (group == APIGroup.core || group == "core") && kind == "Service" }
        var isGateway: Bool { group == APIGroup.gateway && kind == "Gateway" }
        var isGatewayClass: Bool { group == APIGroup.gateway && kind == "GatewayClass" }
    }

    /// - Parameter spec: of the policy.
    init(_ spec: WrittenNode) {
        var references = spec[.targetRefs].items.map { Reference($0) }
        if references.isEmpty, spec[.targetRef].exists { references = [Reference(spec[.targetRef])] }
        if !references.isEmpty {
            self = .resources(references)
            return
        }
        var labels: [String: String] = [:]
        for (name, value) in spec[.selector][.matchLabels].fields { labels[name.string] = value.string ?? "" }
        self = labels.isEmpty ? .namespace : .labels(labels)
    }

    /// Of a selector, whether it selects a workload with these labels.
    func selects(_ workload: [String: String]) -> Bool {
        switch self {
        case .namespace: true
        case .labels(let wanted): wanted.allSatisfy { workload[$0.key] == $0.value }
        case .resources: false
        }
    }
}
