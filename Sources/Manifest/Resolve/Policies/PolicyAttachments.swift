import Config
import Core

/// Attaches the policies of one kind to Gateways, ListenerSets, listeners, Services, routes and rules; says which are in force
/// for a rule on a listener or of a Service, and keeps what their statuses say. What such a policy means stands elsewhere.
///
/// The nearest policy counts: rule, route, listener, ListenerSet, Gateway; for calls to a Service rule, route, port, Service,
/// Gateway. Of two with one target the older does. It counts
/// whole, unless its `mergeType` merges it with the nearest one above the route; as in Envoy Gateway, policies of a rule and
/// of its route are never merged with each other.
struct PolicyAttachments {
    /// A parent of a route as the route names it, and its listeners that took the route.
    struct Parent {
        /// Without a port, which ancestors of these policies do not have.
        var reference: AncestorStatus.Reference
        var group: ListenerGroup
        var gateway: GatewayState
        var listeners: [ListenerState]
        /// The parent is a Service, of which these are the ports that took the route; nil: it is a Gateway or ListenerSet.
        var service: (member: MemberState, ports: [Int])?

        /// What policies of the route stand under.
        var target: PolicyTarget {
            if let service { return PolicyAttachments.target(service.member, section: reference.sectionName) }
            return PolicyAttachments.target(group, section: reference.sectionName)
        }
    }
    /// The policies that are in force somewhere, by their numbers among the set's resources.
    struct InForce: Hashable {
        var policy: Int
        /// What `policy` is merged into; nil: it counts alone.
        var base: Int?
    }
    /// Why the policies cannot do what they say, as a status has it; nil: they can.
    typealias Judgement = (InForce) -> String?

    let index: ResourceIndex
    let kind: ResourceKind
    /// The policy of each target, and those that came too late.
    private(set) var winners: [PolicyTarget: Int] = [:]
    private(set) var losers: [PolicyTarget: [Int]] = [:]
    /// The targets of each resource, the sections first.
    private(set) var targetsOfResource: [PolicyTarget: [PolicyTarget]] = [:]
    var ancestors: [Int: AncestorStatuses] = [:]
    var overrides = PolicyScopes()
    var merges = PolicyScopes()

    /// - Parameter kinds: what such a policy can be attached to.
    init(_ targets: PolicyTargetTable, of kind: ResourceKind, to kinds: [ResourceKind]) {
        index = targets.index
        self.kind = kind
        for policy in index.byAge(index.all(kind)) {
            ancestors[policy] = AncestorStatuses()
            for target in targets.targets(of: index.resources[policy], kinds: kinds) {
                if winners[target] == nil {
                    winners[target] = policy
                    targetsOfResource[target.whole, default: []].append(target)
                } else {
                    losers[target, default: []].append(policy)
                }
            }
        }
        targetsOfResource = targetsOfResource.mapValues {
            $0.sorted { ($0.sectionName ?? "~") < ($1.sectionName ?? "~") }
        }
    }

    /// No policy has a target.
    var isEmpty: Bool { winners.isEmpty }

    // MARK: what is in force

    /// The policies of a rule on a listener.
    func inForce(
        _ route: LoadedResource, rule: String, on listener: ListenerState, _ group: ListenerGroup,
        _ gateway: GatewayState
    ) -> InForce? {
        let outer = winner(above: listener, group, gateway)
        if !rule.isEmpty, let policy = winners[Self.target(route, rule: rule)] { return merged(policy, outer) }
        if let policy = winners[Self.target(route)] { return merged(policy, outer) }
        return outer.map { InForce(policy: $0.policy) }
    }

    /// The policies of a rule for calls to a port of a Service.
    /// - Parameter route: nil: the Service has none.
    func inForce(_ route: LoadedResource?, rule: String, to member: MemberState, port: Int) -> InForce? {
        let outer = winner(above: member, port)
        guard let route else { return outer.map { InForce(policy: $0.policy) } }
        if !rule.isEmpty, let policy = winners[Self.target(route, rule: rule)] { return merged(policy, outer) }
        if let policy = winners[Self.target(route)] { return merged(policy, outer) }
        return outer.map { InForce(policy: $0.policy) }
    }

    /// The policies of a Gateway, for what belongs to none of its listeners.
    func inForce(on gateway: GatewayState) -> InForce? {
        winners[Self.target(gateway.group)].map { InForce(policy: $0) }
    }

    /// Whether a policy's target is the route or one of its rules.
    func isAttached(_ policy: Int, to route: LoadedResource) -> Bool {
        targetsOfResource[Self.target(route)]?.contains { winners[$0] == policy } ?? false
    }

    /// Every combination that the policies of a route are in force in.
    func combinations(_ route: LoadedResource, at parents: [Parent]) -> [InForce] {
        var found: [InForce] = []
        for target in targetsOfResource[Self.target(route)] ?? [] {
            guard let policy = winners[target] else { continue }
            if !hasMergeType(policy) { found.append(InForce(policy: policy)) }
            for parent in parents {
                for listener in parent.listeners {
                    found.append(merged(policy, winner(above: listener, parent.group, parent.gateway)))
                }
                for port in parent.service?.ports ?? [] {
                    guard let member = parent.service?.member else { break }
                    found.append(merged(policy, winner(above: member, port)))
                }
            }
        }
        return found
    }

    /// The policies that are attached to Gateways, ListenerSets and their listeners, which are never merged into others.
    var outerPolicies: [InForce] {
        var found = Set<Int>()
        for (target, policy) in winners where RouteKind(target.kind) == nil { found.insert(policy) }
        return found.sorted().map { InForce(policy: $0) }
    }

    /// SecurityPolicies are not translated, and so not merged.
    func hasMergeType(_ policy: Int) -> Bool {
        kind != .securityPolicy && index.resources[policy].node[.spec][.mergeType].exists
    }

    private func merged(_ policy: Int, _ outer: (target: PolicyTarget, policy: Int)?) -> InForce {
        InForce(policy: policy, base: hasMergeType(policy) ? outer?.policy : nil)
    }

    /// The nearest policy above the routes of a listener.
    func winner(
        above listener: ListenerState, _ group: ListenerGroup, _ gateway: GatewayState
    ) -> (target: PolicyTarget, policy: Int)? {
        let section = Self.target(group, section: listener.listener.name)
        if let policy = winners[section] { return (section, policy) }
        let whole = Self.target(group)
        if let policy = winners[whole] { return (whole, policy) }
        guard group.isListenerSet else { return nil }
        let above = Self.target(gateway.group)
        return winners[above].map { (above, $0) }
    }

    /// The nearest policy above the routes of a Service's port.
    func winner(above member: MemberState, _ port: Int) -> (target: PolicyTarget, policy: Int)? {
        let section = Self.target(member, section: member.ports[port].written.name)
        if let policy = winners[section] { return (section, policy) }
        for whole in [Self.target(member), Self.target(member.gateway.group)] {
            if let policy = winners[whole] { return (whole, policy) }
        }
        return nil
    }

    // MARK: targets

    static func target(_ member: MemberState, section: String? = nil) -> PolicyTarget {
        PolicyTarget(kind: .service, name: member.name, sectionName: section)
    }

    static func target(_ route: LoadedResource, rule: String? = nil) -> PolicyTarget {
        PolicyTarget(kind: route.kind, name: route.name, sectionName: rule)
    }

    static func target(_ group: ListenerGroup, section: String? = nil) -> PolicyTarget {
        PolicyTarget(
            kind: group.isListenerSet ? .listenerSet : .gateway, name: group.name, sectionName: section)
    }

    static func reference(_ target: PolicyTarget) -> AncestorStatus.Reference {
        AncestorStatus.Reference(
            kind: target.kind.name.description, name: target.name, sectionName: target.sectionName)
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { ancestors.mapValues(\.cut) }
}
