import Config
import Routing
import Testing

@Suite("decide, explain and the specification agree") struct MatcherPropertyTests {
    @Test(arguments: 0..<300) func onRandomPlans(seed: UInt64) throws {
        var random = RandomPlan(seed: seed)
        let plan = random.plan()
        let table = try TestTable(plan)
        let reference = ReferenceMatcher(plan: plan, socket: 0)
        for _ in 0..<30 {
            let request = random.request()
            let decision = table.decide(request)
            let note: Comment = "seed \(seed): \(request)"
            #expect(table.name(decision) == reference.winner(request), note)
            let explanation = table.explain(request)
            #expect(explanation.decision.match == decision.match, note)
            #expect(explanation.decision.outcome == decision.outcome, note)
            #expect(explanation.decision.matchedPrefixLength == decision.matchedPrefixLength, note)
            try compare(explanation, reference, request, table, note)
        }
    }

    /// Every candidate is there, in order, each with the reason that the specification gives.
    private func compare(
        _ explanation: RouteExplanation, _ reference: ReferenceMatcher, _ request: TestRequest, _ table: TestTable,
        _ note: Comment
    ) throws {
        let chosen = reference.listener(for: request)
        let expected = reference.candidates(request)
        #expect(explanation.candidates.count == expected.count, note)
        let inOrder = expected.filter { $0.listener == chosen }
            .sorted { a, b in
                // Hostnames of one length and kind never match the same host; any order among them will do.
                let (hostA, hostB) = (a.precedence.prefix(2), b.precedence.prefix(2))
                if hostA == hostB, a.hostname != b.hostname { return a.hostname < b.hostname }
                return b.precedence.lexicographicallyPrecedes(a.precedence)
            }
        let won = inOrder.firstIndex { $0.failure == nil }
        for (index, candidate) in inOrder.enumerated() where index < explanation.candidates.count {
            let found = explanation.candidates[index]
            let rule = table.snapshot[table.snapshot.header.pointee.rules, Int(found.match.pointee.rule)].pointee
            #expect(found.hostname == candidate.hostname, note)
            #expect(Int(rule.route) == candidate.route, note)
            #expect(Int(rule.index) == candidate.rule, note)
            #expect(Int(found.match.pointee.match) == candidate.match, note)
            let verdict =
                switch found.verdict {
                case .won: "won"
                case .outranked: "outranked"
                case .lost(let predicate): RouteExplanation.describe(predicate, in: table.snapshot)
                }
            #expect(verdict == candidate.failure ?? (index == won ? "won" : "outranked"), note)
        }
        for candidate in explanation.candidates.dropFirst(inOrder.count) {
            #expect(candidate.verdict == .lost(.listenerHostname), note)
        }
    }
}
