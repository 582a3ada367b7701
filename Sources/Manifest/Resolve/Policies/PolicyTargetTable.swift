import Core

/// What a policy of Envoy Gateway is attached to: a resource, or a section of it (a listener, a route's rule).
struct PolicyTarget: Hashable {
    var kind: ResourceKind
    var name: ResourceName
    var sectionName: String?
}

/// Where policies of Envoy Gateway are attached: `targetRef`, `targetRefs` and `targetSelectors`. What each kind of
/// policy means stands elsewhere.
struct PolicyTargetTable {
    let index: ResourceIndex
    let namespaces: NamespaceTable
    let grants: GrantTable

    /// The targets of a policy, each once: those that are named in the order of the file, then those that are selected.
    /// - Parameter kinds: what such a policy can be attached to.
    func targets(of policy: LoadedResource, kinds: [ResourceKind]) -> [PolicyTarget] {
        let spec = policy.node[.spec]
        var found: [PolicyTarget] = []
        func add(_ target: PolicyTarget) { if !found.contains(target) { found.append(target) } }
        func named(_ node: WrittenNode) {
            guard let kind = kind(node[.group], node[.kind], among: kinds) else { return }
            let name = ResourceName(namespace: policy.name.namespace, name: node[.name].string ?? "")
            guard index[kind, name] != nil else { return }
            add(PolicyTarget(kind: kind, name: name, sectionName: node[.sectionName].string))
        }
        if spec[.targetRef].exists { named(spec[.targetRef]) }
        for item in spec[.targetRefs].items { named(item) }
        for item in spec[.targetSelectors].items {
            guard let kind = kind(item[.group], item[.kind], among: kinds) else { continue }
            for number in selected(by: item, of: kind, policy) {
                add(PolicyTarget(kind: kind, name: index.resources[number].name))
            }
        }
        return found
    }

    /// Where a policy names its targets, for findings about them.
    static func written(_ policy: LoadedResource) -> WrittenNode {
        let spec = policy.node[.spec]
        for key in [FieldKey.targetRef, .targetRefs, .targetSelectors] where spec[key].exists { return spec[key] }
        return spec
    }

    private func kind(_ group: WrittenNode, _ kind: WrittenNode, among kinds: [ResourceKind]) -> ResourceKind? {
        let group = group.string ?? APIGroup.gateway
        return kinds.first { $0.group.description == group && kind.text.equals($0.name) }
    }

    private func selected(by selector: WrittenNode, of kind: ResourceKind, _ policy: LoadedResource) -> [Int] {
        let labels = LabelSelector(selector)
        let allowed = NamespaceRule(selector[.namespaces])
        guard labels.problem == nil else { return [] }
        let home = policy.name.namespace
        return index.all(kind).filter { number in
            let resource = index.resources[number]
            let isAllowed =
                switch allowed {
                case .all: true
                case .same: resource.name.namespace == home
                case .none, .invalid: false
                case .selector(let rule): rule.matches(namespaces.labels(of: resource.name.namespace))
                }
            guard isAllowed, labels.matches(resource.labels) else { return false }
            return grants.permits(
                kind: policy.kind.name.description, in: home, toGroup: kind.group.description,
                kind: kind.name.description, resource.name)
        }
    }
}

extension LoadedResource {
    /// `metadata.labels`.
    var labels: [String: String] {
        var found: [String: String] = [:]
        for (name, value) in node[.metadata][.labels].fields { found[name.string] = value.string ?? "" }
        return found
    }
}
