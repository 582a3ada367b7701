/// What the statuses of policies on routes and their rules say.
extension PolicyAttachments {
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
}
