/// Which references may cross from one namespace into another (ReferenceGrant).
struct GrantTable {
    private var byNamespace: [String: [ReferenceGrant]] = [:]

    init(_ index: ResourceIndex) {
        for number in index.referenceGrants {
            let resource = index.resources[number]
            byNamespace[resource.name.namespace, default: []].append(ReferenceGrant(resource.node))
        }
    }

    /// Whether a `kind` of Gateway API's group in `home` may refer to `target`. Within one namespace always.
    func permits(kind: String, in home: String, to reference: ObjectReference) -> Bool {
        let target = reference.target(from: home)
        if target.namespace == home { return true }
        guard let grants = byNamespace[target.namespace] else { return false }
        return grants.contains { grant in
            grant.from.contains { $0.group == APIGroup.gateway && $0.kind == kind && $0.namespace == home }
                && grant.to.contains {
                    $0.group == reference.group && $0.kind == reference.kind && ($0.name ?? target.name) == target.name
                }
        }
    }
}
