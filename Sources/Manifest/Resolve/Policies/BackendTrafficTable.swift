import Config
import Core

/// The BackendTrafficPolicies of a set: which are in force for a rule on a listener, and what they come to.
struct BackendTrafficTable {
    static let targetKinds: [ResourceKind] = [
        .gateway, .listenerSet, .service, .httpRoute, .grpcRoute, .tlsRoute, .tcpRoute, .udpRoute,
    ]
    private(set) var attachments: PolicyAttachments
    private var known: [PolicyAttachments.InForce: BackendTrafficSettings] = [:]

    init(_ targets: PolicyTargetTable) {
        attachments = PolicyAttachments(targets, of: .backendTrafficPolicy, to: Self.targetKinds)
    }

    var isEmpty: Bool { attachments.isEmpty }
    private var index: ResourceIndex { attachments.index }

    /// What these policies come to; what is wrong with them is told when they are read first.
    mutating func settings(
        _ policies: PolicyAttachments.InForce, findings: inout FindingLog
    ) -> BackendTrafficSettings {
        if let settings = known[policies] { return settings }
        let settings = BackendTrafficSettings(spec(of: policies), index)
        for problem in settings.problems {
            findings.unresolved(index.resources[problem.node.policy], problem.node.nearest, problem.message)
        }
        known[policies] = settings
        return settings
    }

    /// `spec` of the policies, merged as the nearer one's `mergeType` says.
    private func spec(of policies: PolicyAttachments.InForce) -> PolicyNode {
        let own = index.resources[policies.policy].node[.spec]
        guard let base = policies.base, let kind = PolicyMerge.Kind(own[.mergeType]) else {
            return PolicyNode(own, policy: policies.policy)
        }
        let layers = [
            PolicyNode.Layer(node: own, policy: policies.policy),
            PolicyNode.Layer(node: index.resources[base].node[.spec], policy: base),
        ]
        let shape = Schema.shared.definition(of: .backendTrafficPolicy).specShape.map { UnsafePointer($0.table) }
        return PolicyNode(layers, PolicyMerge(kind, of: shape))
    }

    // MARK: statuses

    /// Says of the policies of a route what becomes of them at its parents.
    /// - Parameter rules: the names of its rules.
    mutating func note(
        _ route: LoadedResource, rules: [String], at parents: [PolicyAttachments.Parent],
        findings: inout FindingLog
    ) {
        if isEmpty { return }
        for policies in attachments.combinations(route, at: parents) { _ = settings(policies, findings: &findings) }
        attachments.note(route, rules: rules, at: parents, judgement, findings: &findings)
    }

    /// Says of all other policies what becomes of them, once the routes are done.
    mutating func finish(
        gateways: [GatewayState], listenerSets: [ListenerSetState], members: GroupTable, findings: inout FindingLog
    ) {
        if isEmpty { return }
        for policies in attachments.outerPolicies { _ = settings(policies, findings: &findings) }
        attachments.finish(
            gateways: gateways, listenerSets: listenerSets, members: members, judgement, findings: &findings)
    }

    private var judgement: PolicyAttachments.Judgement {
        { [known] policies in known[policies]?.problem }
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { attachments.statuses }
}
