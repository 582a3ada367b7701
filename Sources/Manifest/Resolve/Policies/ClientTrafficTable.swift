import Config
import Core

/// Attaches ClientTrafficPolicies to listeners, as Envoy Gateway does: a policy on a listener replaces the one on its
/// ListenerSet, and that the one on the Gateway, whole; of two on one target the older counts.
struct ClientTrafficTable {
    /// One policy on one target.
    private struct Attachment {
        /// The policy's number among the set's resources.
        var policy: Int
        var target: PolicyTarget
        var gateway: GatewayState
        /// Nil: the whole Gateway.
        var group: ListenerGroup?

        var ancestor: AncestorStatus.Reference {
            AncestorStatus.Reference(
                kind: target.kind.name.description, name: target.name, sectionName: target.sectionName)
        }

        /// What it could be in force on.
        var listeners: [ListenerState] {
            let groups = group.map { [$0] } ?? gateway.groups
            let all = groups.filter { $0.detachment == nil }.flatMap(\.listeners)
            guard let section = target.sectionName else { return all }
            return all.filter { $0.listener.name == section }
        }
    }

    private let index: ResourceIndex
    private let gateways: [GatewayState]
    private var settings: [Int: ClientTrafficSettings] = [:]
    private var ancestors: [Int: AncestorStatuses] = [:]
    /// Listeners that a nearer policy has.
    private var covered: [ObjectIdentifier: Int] = [:]

    init(
        _ targets: PolicyTargetTable, gateways: [GatewayState], listenerSets: [ListenerSetState],
        _ authorities: AuthorityTable, findings: inout FindingLog
    ) {
        index = targets.index
        self.gateways = gateways
        let policies = index.byAge(index.all(.clientTrafficPolicy))
        guard !policies.isEmpty else { return }
        var attachments: [Attachment] = []
        for policy in policies {
            let resource = index.resources[policy]
            ancestors[policy] = AncestorStatuses()
            let read = ClientTrafficSettings(resource, authorities, index, number: policy)
            settings[policy] = read
            read.tls?.tell(resource, into: &findings)
            if let problem = read.problem { findings.unresolved(resource, problem.node, problem.message) }
            for target in targets.targets(of: resource, kinds: [.gateway, .listenerSet]) {
                if target.kind == .gateway {
                    guard let gateway = gateways.first(where: { $0.name == target.name }) else { continue }
                    // A section of a Gateway is one of its own listeners.
                    let group = target.sectionName == nil ? nil : gateway.group
                    attachments.append(Attachment(policy: policy, target: target, gateway: gateway, group: group))
                } else if let set = listenerSets.first(where: { $0.name == target.name }) {
                    attachments.append(
                        Attachment(policy: policy, target: target, gateway: set.gateway, group: set.group))
                }
            }
        }
        var taken: [PolicyTarget: Int] = [:]
        let sections = attachments.filter { $0.target.sectionName != nil }
        let sets = attachments.filter { $0.target.sectionName == nil && $0.target.kind == .listenerSet }
        let wholes = attachments.filter { $0.target.sectionName == nil && $0.target.kind == .gateway }
        for attachment in sections + sets + wholes { attach(attachment, &taken, &findings) }
    }

    private mutating func attach(
        _ attachment: Attachment, _ taken: inout [PolicyTarget: Int], _ findings: inout FindingLog
    ) {
        let resource = index.resources[attachment.policy]
        let ancestor = attachment.ancestor
        func refuse(_ reason: ConditionReason, _ message: String) {
            ancestors[attachment.policy]?.set(Condition(.accepted, false, reason, message), at: ancestor)
            findings.unresolved(resource, resource.node[.spec], message)
        }
        let listeners = attachment.listeners
        if let section = attachment.target.sectionName, listeners.isEmpty {
            return refuse(.targetNotFound, "\(ancestor.kind) '\(ancestor.name)' has no listener named '\(section)'")
        }
        if let other = taken[attachment.target] {
            return refuse(
                .conflicted,
                "ClientTrafficPolicy '\(index.resources[other].name)' has the same target and comes first")
        }
        taken[attachment.target] = attachment.policy
        if let message = DeprecatedFields.message(of: resource) {
            note(Condition(.warning, true, .deprecatedField, message), attachment)
        }
        let free = listeners.filter { covered[ObjectIdentifier($0)] == nil }
        let overriding = listeners.filter { covered[ObjectIdentifier($0)] != nil }.map { "'\($0.listener.name)'" }
        if !overriding.isEmpty {
            note(
                Condition(
                    .overridden, true, .overridden,
                    "Other ClientTrafficPolicies come before it on the listeners \(StatusMessage.list(overriding))"),
                attachment)
        }
        guard let settings = settings[attachment.policy] else { preconditionFailure("a policy that was not read") }
        var problem = settings.problem.map { "\($0.node.path): \($0.message)" }
        for listener in free {
            covered[ObjectIdentifier(listener)] = attachment.policy
            if let other = neighbour(of: listener, attachment) {
                problem =
                    problem
                    ?? "listener '\(other.listener.name)' has clear-text HTTP on the same port as "
                    + "'\(listener.listener.name)', so they cannot differ"
                findings.unresolved(resource, resource.node[.spec], problem ?? "")
                continue
            }
            listener.clientTraffic = settings
            if settings.isUnsafe, listener.protocolKind?.terminatesTLS ?? false, listener.specProblem == nil {
                listener.specProblem = (
                    .invalid,
                    "ClientTrafficPolicy '\(resource.name)' does not say whom to let in: \(settings.problem?.message ?? "")"
                )
            }
        }
        if let problem {
            note(Condition(.accepted, false, .invalid, problem), attachment)
        } else {
            note(Condition(.accepted, true, .accepted, "Policy is accepted"), attachment)
        }
    }

    private mutating func note(_ condition: Condition, _ attachment: Attachment) {
        ancestors[attachment.policy]?.set(condition, at: attachment.ancestor)
    }

    /// A listener beside `listener` that speaks clear-text HTTP on the same socket and that this attachment does not
    /// mean: before the first request the two cannot be told apart.
    private func neighbour(of listener: ListenerState, _ attachment: Attachment) -> ListenerState? {
        guard listener.protocolKind == .http else { return nil }
        let meant = attachment.listeners
        for gateway in gateways {
            for group in gateway.groups where group.detachment == nil {
                for other in group.listeners
                where other !== listener && other.protocolKind == .http
                    && other.sockets.contains(where: listener.sockets.contains)
                    && !meant.contains(where: { $0 === other })
                {
                    return other
                }
            }
        }
        return nil
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { ancestors.mapValues(\.cut) }
}
