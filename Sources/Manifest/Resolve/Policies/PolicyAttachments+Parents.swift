/// What the statuses of policies on Gateways, ListenerSets, listeners and Services say.
extension PolicyAttachments {
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
}
