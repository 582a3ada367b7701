/// Which references may cross from one namespace into another (ReferenceGrant).
struct GrantTable {
    private var byNamespace: [String: [ReferenceGrant]] = [:]

    init(_ index: ResourceIndex) {
        for number in index.referenceGrants {
            let resource = index.resources[number]
            byNamespace[resource.name.namespace, default: []].append(ReferenceGrant(resource.node))
        }
    }

    /// Whether a `kind` in `home` may refer to `target`. Within one namespace always.
    func permits(kind: String, in home: String, to reference: ObjectReference) -> Bool {
        permits(kind: kind, in: home, toGroup: reference.group, kind: reference.kind, reference.target(from: home))
    }

    /// The same of a target that is named by its parts.
    func permits(
        kind: String, in home: String, toGroup targetGroup: String, kind targetKind: String, _ target: ResourceName
    ) -> Bool {
        if target.namespace == home { return true }
        guard let grants = byNamespace[target.namespace] else { return false }
        let group = APIGroup.ofReferrer(kind)
        return grants.contains { grant in
            grant.from.contains { $0.group == group && $0.kind == kind && $0.namespace == home }
                && grant.to.contains {
                    $0.group == targetGroup && $0.kind == targetKind && ($0.name ?? target.name) == target.name
                }
        }
    }
}
