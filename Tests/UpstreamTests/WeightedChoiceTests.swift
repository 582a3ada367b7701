import Config
import Core
import Testing
import Upstream

@Suite("HTTPBackendRef.weight") struct WeightedChoiceTests {
    /// A snapshot of one route with one rule for each list of weights.
    private func with(
        _ weights: [[UInt32]], generation: UInt64 = 1,
        _ body: (_ snapshot: Snapshot, _ rules: [UnsafePointer<RuleConfig>]) throws -> Void
    ) throws {
        var plan = GatewayPlan()
        let rules = weights.map { list in
            RulePlan(
                matches: [MatchPlan(path: .prefix("/"))],
                backends: list.enumerated().map { BackendPlan(target: .answer(500), weight: $1, name: "b\($0)") })
        }
        plan.routes = [
            RoutePlan(kind: "HTTPRoute", namespace: "d", name: "r", rules: rules, position: SourcePosition())
        ]
        let block = try SnapshotBuilder.buildBlock(
            plan, generation: generation, revision: 1, sourceHash: 0, socketIDs: []
        )
        guard let snapshot = block.snapshot else { preconditionFailure("a built block is a snapshot") }
        try body(snapshot, weights.indices.map { snapshot[snapshot.header.pointee.rules, $0] })
    }

    private func picks(_ count: Int, _ choice: WeightedChoice, _ rule: UnsafePointer<RuleConfig>, _ snapshot: Snapshot)
        -> [Int?]
    {
        (0..<count).map { _ in choice.pick(rule, in: snapshot).map { $0 - snapshot.records(rule.pointee.backends) } }
    }

    @Test(
        "Any 100 consecutive choices hold each share, give or take one",
        arguments: [
            [90, 10], [10, 90], [50, 50], [1, 1, 1], [80, 15, 5], [99, 1], [70, 0, 30], [1, 2, 3, 4],
        ] as [[UInt32]])
    func sharesAreExact(weights: [UInt32]) throws {
        try with([weights]) { snapshot, rules in
            let all = picks(1000, WeightedChoice(), rules[0], snapshot)
            let total = Double(weights.reduce(0, +))
            for start in 0...(all.count - 100) {
                for (index, weight) in weights.enumerated() {
                    let found = all[start..<(start + 100)].filter { $0 == index }.count
                    #expect(abs(Double(found) - 100 * Double(weight) / total) <= 1, "\(weights) from \(start)")
                }
            }
        }
    }

    @Test func weightZeroIsNeverChosen() throws {
        try with([[0, 7, 0, 3], [0, 5]]) { snapshot, rules in
            let choice = WeightedChoice()
            #expect(!picks(1000, choice, rules[0], snapshot).contains { $0 == 0 || $0 == 2 })
            #expect(picks(10, choice, rules[1], snapshot).allSatisfy { $0 == 1 })
        }
    }

    @Test func allZeroOrNoneIsNoBackend() throws {
        try with([[0, 0], [0], []]) { snapshot, rules in
            for rule in rules { #expect(WeightedChoice().pick(rule, in: snapshot) == nil) }
        }
    }

    @Test func oneBackendTakesNoState() throws {
        try with([[1]]) { snapshot, rules in
            let choice = WeightedChoice()
            #expect(picks(3, choice, rules[0], snapshot) == [0, 0, 0])
            #expect(choice.count == 0)
        }
    }

    @Test func theLargestWeightsDoNotOverflow() throws {
        try with([[.max, .max, 1]]) { snapshot, rules in
            let found = picks(1000, WeightedChoice(), rules[0], snapshot)
            #expect(found.filter { $0 == 0 }.count == 500)
        }
    }

    @Test func theTurnGoesOnOverAReloadWithTheSameWeights() throws {
        let choice = WeightedChoice()
        var split: [Int?] = []
        for round in 0..<20 {
            try with([[90, 10]], generation: UInt64(round + 1)) { snapshot, rules in
                split += picks(5, choice, rules[0], snapshot)
            }
        }
        try with([[90, 10]]) { snapshot, rules in
            #expect(split == picks(100, WeightedChoice(), rules[0], snapshot))
        }
        try with([[50, 50]], generation: 21) { snapshot, rules in
            #expect(picks(4, choice, rules[0], snapshot) == [0, 1, 0, 1])
        }
    }

    @Test func statesOfRulesThatAreGoneDoNotPileUp() throws {
        let choice = WeightedChoice()
        for round in 0..<40 {
            try with((0..<500).map { [UInt32(round + 1), UInt32($0 + 1)] }, generation: UInt64(round + 1)) {
                snapshot, rules in
                for rule in rules { _ = choice.pick(rule, in: snapshot) }
            }
        }
        #expect(choice.count < WeightedChoice.sweepThreshold + 2000)
    }
}
