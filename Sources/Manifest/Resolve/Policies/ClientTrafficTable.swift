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
    private var clearText: [SocketAddress: [ListenerState]] = [:]
    /// Listeners that a nearer policy has.
    private var covered: [ObjectIdentifier: Int] = [:]
    /// Under which ancestor.
    private var places: [ObjectIdentifier: AncestorStatus.Reference] = [:]

    init(
        _ targets: PolicyTargetTable, gateways: [GatewayState], listenerSets: [ListenerSetState],
        _ authorities: AuthorityTable, findings: inout FindingLog
    ) {
        index = targets.index
        self.gateways = gateways
        let policies = index.byAge(index.all(.clientTrafficPolicy))
        guard !policies.isEmpty else { return }
        clearText = Self.clearText(gateways)
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
            findings.unresolved(resource, PolicyTargetTable.written(resource), message)
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
        let meant = Set(listeners.map { ObjectIdentifier($0) })
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
            places[ObjectIdentifier(listener)] = attachment.ancestor
            if let other = neighbour(of: listener, besides: meant) {
                let conflict =
                    "listener '\(other.listener.name)' has clear-text HTTP on the same port as "
                    + "'\(listener.listener.name)', so they cannot differ"
                findings.unresolved(resource, PolicyTargetTable.written(resource), conflict)
                problem = problem ?? conflict
                continue
            }
            listener.clientTraffic = settings
            listener.clientPolicy = AppliedPolicyPlan(
                resource, settings.problem.map { .refused("\($0.node.path): \($0.message)") } ?? .effective)
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

    /// A listener beside `listener` that speaks clear-text HTTP on the same socket and that the attachment does not mean:
    /// before the first request the two cannot be told apart.
    private func neighbour(of listener: ListenerState, besides meant: Set<ObjectIdentifier>) -> ListenerState? {
        guard listener.protocolKind == .http else { return nil }
        for socket in listener.sockets {
            for other in clearText[socket] ?? [] where !meant.contains(ObjectIdentifier(other)) { return other }
        }
        return nil
    }

    /// The listeners of clear-text HTTP on each socket.
    private static func clearText(_ gateways: [GatewayState]) -> [SocketAddress: [ListenerState]] {
        var found: [SocketAddress: [ListenerState]] = [:]
        for gateway in gateways {
            for group in gateway.groups where group.detachment == nil {
                for listener in group.listeners where listener.protocolKind == .http {
                    for socket in listener.sockets { found[socket, default: []].append(listener) }
                }
            }
        }
        return found
    }

    /// Finds the Host that HTTP/1.0 requests without one are given (`http1.http10.useDefaultHost`): the listener's, or that of
    /// its only HTTPRoute that names one. To be called when routes are attached.
    /// - Parameter routes: the plans that attachments refer to.
    mutating func settleDefaultHosts(_ routes: [RoutePlan], findings: inout FindingLog) {
        for gateway in gateways {
            for group in gateway.groups where group.detachment == nil {
                for listener in group.listeners
                where listener.clientTraffic?.plan.wantsDefaultHost == true && listener.protocolKind?.isHTTP == true {
                    if let host = Self.defaultHost(listener, routes) {
                        listener.clientTraffic?.plan.defaultHost = host
                    } else {
                        refuseDefaultHost(listener, &findings)
                    }
                }
            }
        }
    }

    private mutating func refuseDefaultHost(_ listener: ListenerState, _ findings: inout FindingLog) {
        guard let policy = covered[ObjectIdentifier(listener)], let place = places[ObjectIdentifier(listener)] else {
            return
        }
        listener.clientTraffic?.plan.isInvalid = true
        let message =
            "spec.http1.http10.useDefaultHost: neither listener '\(listener.listener.name)' nor a single HTTPRoute of it "
            + "has a hostname without a wildcard"
        ancestors[policy]?.set(Condition(.accepted, false, .invalid, message), at: place)
        let resource = index.resources[policy]
        findings.unresolved(resource, resource.node[.spec], message)
    }

    private static func defaultHost(_ listener: ListenerState, _ routes: [RoutePlan]) -> String? {
        let own = listener.listener.hostname
        if !own.isEmpty, !own.hasPrefix("*") { return own }
        var found: String?
        for attachment in listener.attachments where routes[attachment.route].kind == "HTTPRoute" {
            guard let host = attachment.hostnames.first(where: { !$0.isEmpty && !$0.hasPrefix("*") }) else { continue }
            if found != nil { return nil }
            found = host
        }
        return found
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { ancestors.mapValues(\.cut) }
}
