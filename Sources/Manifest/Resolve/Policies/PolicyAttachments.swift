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
        fileprivate var target: PolicyTarget {
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
    private let kind: ResourceKind
    /// The policy of each target, and those that came too late.
    private var winners: [PolicyTarget: Int] = [:]
    private var losers: [PolicyTarget: [Int]] = [:]
    /// The targets of each resource, the sections first.
    private var targetsOfResource: [PolicyTarget: [PolicyTarget]] = [:]
    private var ancestors: [Int: AncestorStatuses] = [:]
    private var overrides = PolicyScopes()
    private var merges = PolicyScopes()

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
    private func hasMergeType(_ policy: Int) -> Bool {
        kind != .securityPolicy && index.resources[policy].node[.spec][.mergeType].exists
    }

    private func merged(_ policy: Int, _ outer: (target: PolicyTarget, policy: Int)?) -> InForce {
        InForce(policy: policy, base: hasMergeType(policy) ? outer?.policy : nil)
    }

    /// The nearest policy above the routes of a listener.
    private func winner(
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
    private func winner(above member: MemberState, _ port: Int) -> (target: PolicyTarget, policy: Int)? {
        let section = Self.target(member, section: member.ports[port].written.name)
        if let policy = winners[section] { return (section, policy) }
        for whole in [Self.target(member), Self.target(member.gateway.group)] {
            if let policy = winners[whole] { return (whole, policy) }
        }
        return nil
    }

    // MARK: targets

    private static func target(_ member: MemberState, section: String? = nil) -> PolicyTarget {
        PolicyTarget(kind: .service, name: member.name, sectionName: section)
    }

    private static func target(_ route: LoadedResource, rule: String? = nil) -> PolicyTarget {
        PolicyTarget(kind: route.kind, name: route.name, sectionName: rule)
    }

    private static func target(_ group: ListenerGroup, section: String? = nil) -> PolicyTarget {
        PolicyTarget(
            kind: group.isListenerSet ? .listenerSet : .gateway, name: group.name, sectionName: section)
    }

    private static func reference(_ target: PolicyTarget) -> AncestorStatus.Reference {
        AncestorStatus.Reference(
            kind: target.kind.name.description, name: target.name, sectionName: target.sectionName)
    }

    // MARK: statuses of policies on routes

    /// Says of the policies of a route what becomes of them at its parents.
    /// - Parameter rules: the names of its rules.
    mutating func note(
        _ route: LoadedResource, rules: [String], at parents: [Parent], _ judgement: Judgement,
        findings: inout FindingLog
    ) {
        let whole = Self.target(route)
        guard let targets = targetsOfResource[whole] else { return }
        let references = parents.map(\.reference)
        for parent in parents { place(whole, under: parent) }
        for target in targets {
            if let rule = target.sectionName, !rules.contains(rule) {
                refuseAll(
                    of: target, .targetNotFound, "\(route.kind.name) '\(route.name)' has no rule named '\(rule)'",
                    at: references, &findings)
                continue
            }
            guard let policy = winners[target] else { continue }
            judge(policy, target, at: parents, judgement)
            for reference in references {
                accept(policy, at: reference)
                warnOfDeprecated(policy, at: reference)
            }
            refuseLate(of: target, at: references, &findings)
            guard target.sectionName == nil else { continue }
            let nearer = targets.filter { rules.contains($0.sectionName ?? "") && $0.sectionName != nil }
            guard !nearer.isEmpty else { continue }
            for reference in references { noteOverridden(policy, by: Set(nearer), at: reference) }
        }
    }

    /// Notes that policies of a route come before those of what it is attached to.
    private mutating func place(_ route: PolicyTarget, under parent: Parent) {
        overrides.add(route, under: parent.target)
        if let member = parent.service?.member {
            return overrides.add(listenerSet: Self.target(member), to: Self.target(parent.gateway.group))
        }
        if parent.group.isListenerSet {
            overrides.add(listenerSet: Self.target(parent.group), to: Self.target(parent.gateway.group))
        }
    }

    private mutating func judge(
        _ policy: Int, _ target: PolicyTarget, at parents: [Parent], _ judgement: Judgement
    ) {
        guard hasMergeType(policy) else {
            guard let problem = judgement(InForce(policy: policy)) else { return }
            for parent in parents { refuse(policy, .invalid, problem, at: parent.reference) }
            return
        }
        // Each listener may have another policy to merge with, so each has an entry of its own.
        for parent in parents {
            for port in parent.service?.ports ?? [] {
                guard let member = parent.service?.member else { break }
                note(policy, target, mergedInto: winner(above: member, port), at: parent.reference, judgement)
            }
            for listener in parent.listeners {
                let outer = winner(above: listener, parent.group, parent.gateway)
                let reference = Self.reference(Self.target(parent.group, section: listener.listener.name))
                note(policy, target, mergedInto: outer, at: reference, judgement)
            }
        }
    }

    private mutating func note(
        _ policy: Int, _ target: PolicyTarget, mergedInto outer: (target: PolicyTarget, policy: Int)?,
        at reference: AncestorStatus.Reference, _ judgement: Judgement
    ) {
        if let problem = judgement(InForce(policy: policy, base: outer?.policy)) {
            refuse(policy, .invalid, problem, at: reference)
        } else if let outer {
            merges.add(target.whole, under: outer.target)
            let base = index.resources[outer.policy]
            set(
                Condition(.merged, true, .merged, "Merged with \(base.kind.name) '\(base.name)'"), of: policy,
                at: reference)
        }
    }

    // MARK: statuses of policies on Gateways, ListenerSets and listeners

    /// Says of all other policies what becomes of them. Called once the routes are done, since their policies may come before.
    mutating func finish(
        gateways: [GatewayState], listenerSets: [ListenerSetState], members: GroupTable, _ judgement: Judgement,
        findings: inout FindingLog
    ) {
        if isEmpty { return }
        for service in services { place(service, members) }
        let groups = listenerSets.map { ($0.group, $0.gateway) } + gateways.map { ($0.group, $0) }
        for (group, gateway) in groups {
            for target in targetsOfResource[Self.target(group)] ?? [] where exists(target, in: group) {
                if target.sectionName != nil {
                    overrides.add(target, under: target.whole)
                    if group.isListenerSet { overrides.add(listenerSet: target.whole, to: Self.target(gateway.group)) }
                } else if group.isListenerSet {
                    overrides.add(target, under: Self.target(gateway.group))
                }
            }
        }
        for service in services { finish(service, members, judgement, findings: &findings) }
        for (group, _) in groups {
            for target in targetsOfResource[Self.target(group)] ?? [] {
                let reference = Self.reference(target)
                guard exists(target, in: group), let policy = winners[target] else {
                    refuseAll(
                        of: target, .targetNotFound,
                        "\(reference.kind) '\(reference.name)' has no listener named '\(target.sectionName ?? "")'",
                        at: [reference], &findings)
                    continue
                }
                if let problem = judgement(InForce(policy: policy)) { refuse(policy, .invalid, problem, at: reference) }
                accept(policy, at: reference)
                warnOfDeprecated(policy, at: reference)
                let merged = merges.children(of: target)
                if !merged.isEmpty {
                    set(
                        Condition(
                            .merged, true, .merged, "Other policies are merged with it for \(PolicyScopes.list(merged))"
                        ),
                        of: policy, at: reference)
                }
                noteOverridden(policy, by: overrides.descendants(of: target).subtracting(merged), at: reference)
                refuseLate(of: target, at: [reference], &findings)
            }
        }
    }

    // MARK: statuses of policies on Services

    /// The Services that have policies, in an order that every process has.
    private var services: [PolicyTarget] {
        targetsOfResource.keys.filter { $0.kind == .service }.sorted { $0.name < $1.name }
    }

    /// Notes that policies of a Service come before those of its group's Gateway.
    private mutating func place(_ service: PolicyTarget, _ members: GroupTable) {
        guard let member = members[service.name] else { return }
        for target in targetsOfResource[service] ?? [] {
            overrides.add(target, under: target.sectionName == nil ? Self.target(member.gateway.group) : service)
        }
        overrides.add(listenerSet: service, to: Self.target(member.gateway.group))
    }

    /// Says of the policies of Services what becomes of them.
    private mutating func finish(
        _ service: PolicyTarget, _ members: GroupTable, _ judgement: Judgement, findings: inout FindingLog
    ) {
        for target in targetsOfResource[service] ?? [] {
            let reference = Self.reference(target)
            guard let member = members[service.name] else {
                refuseAll(
                    of: target, .targetNotFound,
                    "Service '\(service.name)' belongs to no group's gateway, which alone would obey its policies; label it "
                        + "sluice.dev/gateway", at: [reference], &findings)
                continue
            }
            let isThere = target.sectionName.map { name in member.ports.contains { $0.written.name == name } } ?? true
            guard isThere, let policy = winners[target] else {
                refuseAll(
                    of: target, .targetNotFound,
                    "Service '\(service.name)' has no port named '\(target.sectionName ?? "")'", at: [reference],
                    &findings)
                continue
            }
            if let problem = judgement(InForce(policy: policy)) { refuse(policy, .invalid, problem, at: reference) }
            accept(policy, at: reference)
            warnOfDeprecated(policy, at: reference)
            noteOverridden(policy, by: overrides.descendants(of: target), at: reference)
            refuseLate(of: target, at: [reference], &findings)
        }
    }

    private func exists(_ target: PolicyTarget, in group: ListenerGroup) -> Bool {
        guard let section = target.sectionName else { return true }
        return group.listeners.contains { $0.listener.name == section }
    }

    // MARK: conditions

    private mutating func set(_ condition: Condition, of policy: Int, at reference: AncestorStatus.Reference) {
        ancestors[policy]?.set(condition, at: reference)
    }

    /// Unless something is wrong there already.
    private mutating func accept(_ policy: Int, at reference: AncestorStatus.Reference) {
        if ancestors[policy]?.has(.accepted, at: reference) ?? false { return }
        set(Condition(.accepted, true, .accepted, "Policy is accepted"), of: policy, at: reference)
    }

    private mutating func refuse(
        _ policy: Int, _ reason: ConditionReason, _ message: String, at reference: AncestorStatus.Reference
    ) {
        set(Condition(.accepted, false, reason, message), of: policy, at: reference)
    }

    private mutating func refuse(
        _ policy: Int, _ reason: ConditionReason, _ message: String, at references: [AncestorStatus.Reference],
        _ findings: inout FindingLog
    ) {
        for reference in references { refuse(policy, reason, message, at: reference) }
        let resource = index.resources[policy]
        findings.unresolved(resource, PolicyTargetTable.written(resource), message)
    }

    private mutating func refuseAll(
        of target: PolicyTarget, _ reason: ConditionReason, _ message: String,
        at references: [AncestorStatus.Reference], _ findings: inout FindingLog
    ) {
        for policy in [winners[target]].compactMap({ $0 }) + (losers[target] ?? []) {
            refuse(policy, reason, message, at: references, &findings)
        }
    }

    private mutating func refuseLate(
        of target: PolicyTarget, at references: [AncestorStatus.Reference], _ findings: inout FindingLog
    ) {
        guard let late = losers[target], let winner = winners[target] else { return }
        let message = "\(kind.name) '\(index.resources[winner].name)' has the same target and comes first"
        for policy in late { refuse(policy, .conflicted, message, at: references, &findings) }
    }

    private mutating func warnOfDeprecated(_ policy: Int, at reference: AncestorStatus.Reference) {
        guard let message = DeprecatedFields.message(of: index.resources[policy]) else { return }
        set(Condition(.warning, true, .deprecatedField, message), of: policy, at: reference)
    }

    private mutating func noteOverridden(
        _ policy: Int, by nearer: Set<PolicyTarget>, at reference: AncestorStatus.Reference
    ) {
        if nearer.isEmpty { return }
        set(
            Condition(
                .overridden, true, .overridden,
                "Policies with nearer targets come before it: \(PolicyScopes.list(nearer))"
            ), of: policy, at: reference)
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] { ancestors.mapValues(\.cut) }
}
