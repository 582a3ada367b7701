import Testing

@testable import Manifest

@Suite struct AncestorStatusLists {
    private static func reference(_ name: String) -> AncestorStatus.Reference {
        AncestorStatus.Reference(kind: "Gateway", name: ResourceName(namespace: "shop", name: name))
    }

    @Test func aConditionReplacesTheEarlierOneOfItsType() {
        var statuses = AncestorStatuses()
        statuses.set(Condition(.accepted, true, .accepted, ""), at: Self.reference("a"))
        statuses.set(Condition(.resolvedRefs, true, .resolvedRefs, ""), at: Self.reference("a"))
        statuses.set(Condition(.accepted, false, .conflicted, ""), at: Self.reference("a"))
        #expect(statuses.all.count == 1)
        #expect(statuses.all[0].conditions.map(\.reason) == [.conflicted, .resolvedRefs])
    }

    @Test func pastTheLimitTheLastOneSaysSo() {
        var statuses = AncestorStatuses()
        for number in 0..<20 {
            statuses.set(Condition(.accepted, true, .accepted, ""), at: Self.reference("g\(number)"))
        }
        #expect(statuses.cut.count == 16)
        #expect(statuses.cut[15].conditions.map(\.type) == [.accepted, .aggregated])
        #expect(statuses.cut[14].conditions.map(\.type) == [.accepted])
    }

    @Test func timesStayWhereTheReferenceAndTheValueStay() {
        var first = ResourceStatus.policy([
            AncestorStatus(reference: Self.reference("a"), conditions: [Condition(.accepted, true, .accepted, "")])
        ])
        first.date(now: "then", since: .none)
        var second = ResourceStatus.policy([
            AncestorStatus(reference: Self.reference("b"), conditions: [Condition(.accepted, true, .accepted, "")]),
            AncestorStatus(reference: Self.reference("a"), conditions: [Condition(.accepted, true, .accepted, "")]),
        ])
        second.date(now: "now", since: first)
        guard case .policy(let ancestors) = second else {
            Issue.record("another kind of status")
            return
        }
        #expect(ancestors.map { $0.conditions[0].lastTransitionTime } == ["now", "then"])
    }
}
