import Config
import Core

/// Attaches BackendTrafficPolicies to Gateways, ListenerSets, listeners, routes and rules, and says which is in force for
/// a rule on a listener: the nearest one, whole, unless its `mergeType` lets the next one fill in what it leaves open.
struct BackendTrafficTable {
    /// A parent of a route as the route names it, and its listeners that took the route.
    struct Parent {
        var reference: AncestorStatus.Reference
        var group: ListenerGroup
        var gateway: GatewayState
        var listeners: [ListenerState]
    }

    static let targetKinds: [ResourceKind] = [
        .gateway, .listenerSet, .httpRoute, .grpcRoute, .tlsRoute, .tcpRoute, .udpRoute,
    ]

    private let index: ResourceIndex
    /// The policy of each target, and those that came too late.
    private var winners: [PolicyTarget: Int] = [:]
    private var losers: [PolicyTarget: [Int]] = [:]
    private var ancestors: [Int: AncestorStatuses] = [:]
    /// What policies come to, by number; of those that are merged, the nearest first.
    private var settings: [BackendTrafficSettings] = []
    private var numbers: [[Int]: Int] = [:]

    init(
        _ targets: PolicyTargetTable, gateways: [GatewayState], listenerSets: [ListenerSetState],
        findings: inout FindingLog
    ) {
        index = targets.index
        for policy in index.byAge(index.all(.backendTrafficPolicy)) {
            ancestors[policy] = AncestorStatuses()
            for target in targets.targets(of: index.resources[policy], kinds: Self.targetKinds) {
                if winners[target] == nil {
                    winners[target] = policy
                } else {
                    losers[target, default: []].append(policy)
                }
            }
        }
        if winners.isEmpty { return }
        for gateway in gateways { attach(to: gateway.group, findings: &findings) }
        for set in listenerSets { attach(to: set.group, findings: &findings) }
        for gateway in gateways { noteOverrides(in: gateway) }
    }

    var isEmpty: Bool { winners.isEmpty }

    private static func target(_ group: ListenerGroup, section: String? = nil) -> PolicyTarget {
        PolicyTarget(
            kind: group.isListenerSet ? .listenerSet : .gateway, name: group.name, sectionName: section)
    }

    private static func reference(_ target: PolicyTarget) -> AncestorStatus.Reference {
        AncestorStatus.Reference(
            kind: target.kind.name.description, name: target.name, sectionName: target.sectionName)
    }

    // MARK: Gateways, ListenerSets and their listeners

    /// Targets of policies, in an order that is the same in every process. A loser's target has a winner.
    private func targets(where isMeant: (PolicyTarget) -> Bool) -> [PolicyTarget] {
        winners.keys.filter(isMeant).sorted { ($0.sectionName ?? "") < ($1.sectionName ?? "") }
    }

    private mutating func attach(to group: ListenerGroup, findings: inout FindingLog) {
        let whole = Self.target(group)
        let mine = targets(where: { $0.kind == whole.kind && $0.name == whole.name })
        for target in mine {
            let reference = Self.reference(target)
            let section = target.sectionName
            let exists = section == nil || group.listeners.contains { $0.listener.name == section }
            if let policy = winners[target] {
                if exists {
                    accept(policy, at: reference)
                } else {
                    refuse(
                        policy, .targetNotFound,
                        "\(reference.kind) '\(reference.name)' has no listener named '\(section ?? "")'", at: reference,
                        &findings)
                }
            }
            refuseLosers(of: target, at: [reference], &findings)
        }
    }

    /// What is nearer to a listener takes it from what is farther.
    private mutating func noteOverrides(in gateway: GatewayState) {
        for group in gateway.groups {
            for listener in group.listeners {
                let chain = self.chain(listener, group, gateway)
                for outer in chain.dropFirst() { note(.overridden, outer) }
            }
        }
    }

    /// The targets with a policy that a listener stands under, the nearest first.
    private func chain(_ listener: ListenerState, _ group: ListenerGroup, _ gateway: GatewayState) -> [PolicyTarget] {
        var chain = [Self.target(group, section: listener.listener.name), Self.target(group)]
        if group.isListenerSet { chain.append(Self.target(gateway.group)) }
        return chain.filter { winners[$0] != nil }
    }

    // MARK: routes

    private static func target(_ route: LoadedResource, rule: String? = nil) -> PolicyTarget {
        PolicyTarget(kind: route.kind, name: route.name, sectionName: rule)
    }

    /// Says of the policies of a route what becomes of them at its parents.
    /// - Parameter rules: the names of its rules.
    mutating func note(_ route: LoadedResource, rules: [String], at parents: [Parent], findings: inout FindingLog) {
        let references = parents.map(\.reference)
        let sections = targets(where: { $0.kind == route.kind && $0.name == route.name })
        for target in sections {
            if let policy = winners[target] {
                if let rule = target.sectionName, !rules.contains(rule) {
                    for reference in references {
                        refuse(
                            policy, .targetNotFound,
                            "\(route.kind.name) '\(route.name)' has no rule named '\(rule)'", at: reference, &findings)
                    }
                } else {
                    for parent in parents { accept(policy, at: parent) }
                }
            }
            refuseLosers(of: target, at: references, &findings)
        }
    }

    private mutating func accept(_ policy: Int, at parent: Parent) {
        accept(policy, at: parent.reference)
        let merges = index.resources[policy].node[.spec][.mergeType].exists
        for listener in parent.listeners {
            guard let outer = chain(listener, parent.group, parent.gateway).first else { continue }
            note(merges ? .merged : .overridden, outer)
            guard merges else { continue }
            // Each listener may have another policy to merge with.
            ancestors[policy]?.set(
                Condition(.merged, true, .merged, "It is merged with the policy of \(outer.kind.name) '\(outer.name)'"),
                at: Self.reference(Self.target(parent.group, section: listener.listener.name)))
        }
    }

    // MARK: what is in force

    /// What the policies in force for a rule on a listener come to, as a number for ``subscript(_:)``; nil: there are none.
    mutating func settings(
        _ route: LoadedResource, rule: String, on listener: ListenerState, _ group: ListenerGroup,
        _ gateway: GatewayState
    ) -> Int? {
        let policies = policies(route, rule: rule, on: listener, group, gateway)
        if policies.isEmpty { return nil }
        if let known = numbers[policies] { return known }
        let layers = policies.map { PolicyNode.Layer(node: index.resources[$0].node[.spec], policy: $0) }
        var made = BackendTrafficSettings(PolicyNode(layers), index)
        if made.proxyProtocol != .none || !made.cluster.isEmpty {
            made.usage = settings.firstIndex { $0.usesBackends(as: made) } ?? settings.count
        }
        settings.append(made)
        numbers[policies] = settings.count - 1
        return settings.count - 1
    }

    subscript(number: Int) -> BackendTrafficSettings { settings[number] }

    /// The policies in force, the nearest first: one, or several that are merged.
    private func policies(
        _ route: LoadedResource, rule: String, on listener: ListenerState, _ group: ListenerGroup,
        _ gateway: GatewayState
    ) -> [Int] {
        if isEmpty { return [] }
        var chain = rule.isEmpty ? [] : [Self.target(route, rule: rule)]
        chain.append(Self.target(route))
        chain += self.chain(listener, group, gateway)
        var found: [Int] = []
        for target in chain {
            guard let policy = winners[target] else { continue }
            found.append(policy)
            if !index.resources[policy].node[.spec][.mergeType].exists { break }
        }
        return found
    }

    // MARK: statuses

    private mutating func accept(_ policy: Int, at reference: AncestorStatus.Reference) {
        ancestors[policy]?.set(Condition(.accepted, true, .accepted, "Policy is accepted"), at: reference)
        guard PolicyTargetTable.usesDeprecatedField(index.resources[policy]) else { return }
        ancestors[policy]?.set(
            Condition(.warning, true, .deprecatedField, "spec.targetRef is deprecated; write spec.targetRefs"),
            at: reference)
    }

    private mutating func refuse(
        _ policy: Int, _ reason: ConditionReason, _ message: String, at reference: AncestorStatus.Reference,
        _ findings: inout FindingLog
    ) {
        ancestors[policy]?.set(Condition(.accepted, false, reason, message), at: reference)
        let resource = index.resources[policy]
        findings.unresolved(resource, resource.node[.spec], message)
    }

    private mutating func refuseLosers(
        of target: PolicyTarget, at references: [AncestorStatus.Reference], _ findings: inout FindingLog
    ) {
        guard let late = losers[target], let winner = winners[target] else { return }
        for policy in late {
            for reference in references {
                refuse(
                    policy, .conflicted,
                    "BackendTrafficPolicy '\(index.resources[winner].name)' has the same target and comes first",
                    at: reference, &findings)
            }
        }
    }

    /// Tells an outer policy that a nearer one takes something from it.
    private mutating func note(_ type: ConditionType, _ outer: PolicyTarget) {
        guard let policy = winners[outer] else { return }
        let isMerged = type == .merged
        let message =
            isMerged
            ? "Policies of routes are merged with it" : "Policies with nearer targets come before it in some places"
        ancestors[policy]?.set(
            Condition(type, true, isMerged ? .merged : .overridden, message), at: Self.reference(outer))
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { ancestors.mapValues(\.cut) }
}
