import Core

/// The SecurityPolicies of a set. Sluice cannot do yet what they ask for, and whoever wrote one wanted to keep somebody out:
/// what it applies to is refused, never served open.
struct SecurityPolicyTable {
    static let targetKinds: [ResourceKind] = [.gateway, .listenerSet, .httpRoute, .grpcRoute, .tcpRoute]
    static let message =
        "SecurityPolicy is not supported by this version of Sluice; the routes that it applies to are answered 500, since "
        + "without it they would be open"

    private var attachments: PolicyAttachments

    init(_ targets: PolicyTargetTable, findings: inout FindingLog) {
        attachments = PolicyAttachments(targets, of: .securityPolicy, to: Self.targetKinds)
        for number in targets.index.all(.securityPolicy) {
            let resource = targets.index.resources[number]
            findings.unresolved(resource, resource.node[.kind], Self.message)
        }
    }

    var isEmpty: Bool { attachments.isEmpty }

    /// The number of the policy that a rule would have to be protected by on a listener; nil: none.
    func policy(
        _ route: LoadedResource, rule: String, on listener: ListenerState, _ group: ListenerGroup,
        _ gateway: GatewayState
    ) -> Int? {
        if isEmpty { return nil }
        return policy(route, attachments.inForce(route, rule: rule, on: listener, group, gateway))
    }

    /// The same for calls to a port of a Service.
    /// - Parameter route: nil: the Service has none.
    func policy(_ route: LoadedResource?, rule: String, to member: MemberState, port: Int) -> Int? {
        isEmpty ? nil : policy(route, attachments.inForce(route, rule: rule, to: member, port: port))
    }

    /// The same for what belongs to none of a Gateway's listeners.
    func policy(on gateway: GatewayState) -> Int? { attachments.inForce(on: gateway)?.policy }

    private func policy(_ route: LoadedResource?, _ found: PolicyAttachments.InForce?) -> Int? {
        guard let found else { return nil }
        guard let route else { return found.policy }
        switch route.kind {
        case .httpRoute, .grpcRoute: return found.policy
        // Of what is said of a Gateway, only authorization concerns connections without requests.
        default:
            let isOwn = attachments.isAttached(found.policy, to: route)
            return isOwn || attachments.index.resources[found.policy].node[.spec][.authorization].exists
                ? found.policy : nil
        }
    }

    // MARK: statuses

    /// Says of the policies of a route what becomes of them at its parents.
    mutating func note(
        _ route: LoadedResource, rules: [String], at parents: [PolicyAttachments.Parent],
        findings: inout FindingLog
    ) {
        attachments.note(route, rules: rules, at: parents, { _ in Self.message }, findings: &findings)
    }

    /// Says of all other policies what becomes of them, once the routes are done.
    mutating func finish(
        gateways: [GatewayState], listenerSets: [ListenerSetState], members: GroupTable, findings: inout FindingLog
    ) {
        attachments.finish(
            gateways: gateways, listenerSets: listenerSets, members: members, { _ in Self.message }, findings: &findings
        )
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { attachments.statuses }
}
