/// The conditions of one policy's status.
extension PolicyAttachments {
    mutating func set(_ condition: Condition, of policy: Int, at reference: AncestorStatus.Reference) {
        ancestors[policy]?.set(condition, at: reference)
    }

    /// Unless something is wrong there already.
    mutating func accept(_ policy: Int, at reference: AncestorStatus.Reference) {
        if ancestors[policy]?.has(.accepted, at: reference) ?? false { return }
        set(Condition(.accepted, true, .accepted, "Policy is accepted"), of: policy, at: reference)
    }

    mutating func refuse(
        _ policy: Int, _ reason: ConditionReason, _ message: String, at reference: AncestorStatus.Reference
    ) {
        set(Condition(.accepted, false, reason, message), of: policy, at: reference)
    }

    mutating func refuse(
        _ policy: Int, _ reason: ConditionReason, _ message: String, at references: [AncestorStatus.Reference],
        _ findings: inout FindingLog
    ) {
        for reference in references { refuse(policy, reason, message, at: reference) }
        let resource = index.resources[policy]
        findings.unresolved(resource, PolicyTargetTable.written(resource), message)
    }

    mutating func refuseAll(
        of target: PolicyTarget, _ reason: ConditionReason, _ message: String,
        at references: [AncestorStatus.Reference], _ findings: inout FindingLog
    ) {
        for policy in [winners[target]].compactMap({ $0 }) + (losers[target] ?? []) {
            refuse(policy, reason, message, at: references, &findings)
        }
    }

    mutating func refuseLate(
        of target: PolicyTarget, at references: [AncestorStatus.Reference], _ findings: inout FindingLog
    ) {
        guard let late = losers[target], let winner = winners[target] else { return }
        let message = "\(kind.name) '\(index.resources[winner].name)' has the same target and comes first"
        for policy in late { refuse(policy, .conflicted, message, at: references, &findings) }
    }

    mutating func warnOfDeprecated(_ policy: Int, at reference: AncestorStatus.Reference) {
        guard let message = DeprecatedFields.message(of: index.resources[policy]) else { return }
        set(Condition(.warning, true, .deprecatedField, message), of: policy, at: reference)
    }

    mutating func noteOverridden(
        _ policy: Int, by nearer: Set<PolicyTarget>, at reference: AncestorStatus.Reference
    ) {
        if nearer.isEmpty { return }
        set(
            Condition(
                .overridden, true, .overridden,
                "Policies with nearer targets come before it: \(PolicyScopes.list(nearer))"
            ), of: policy, at: reference)
    }
}
