import Config
import Core
import Glibc
import Testing
import Upstream

@Suite("sluice.dev/rollout: the machine") struct RolloutMachineTests {
    static let plan = RolloutPlan(
        canary: 1, stable: 0, steps: [50, 200, 500, 1000], interval: .seconds(20), minRequests: 500,
        failureTolerance: 100, latencyRatio: 1500, specHash: 7)

    /// What one version does with a request.
    struct Version {
        var failures: Double
        /// The median and the spread of a logarithmic normal distribution.
        var median = 0.02
        var spread = 0.5

        func tally(_ requests: Int, _ random: inout SeededRandom) -> RolloutTally {
            var tally = RolloutTally()
            for _ in 0..<requests {
                tally.requests += 1
                if Double.random(in: 0..<1, using: &random) < failures { tally.failures += 1 }
                let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
                let v = Double.random(in: 0..<1, using: &random)
                let normal = (-2 * log(u)).squareRoot() * cos(2 * Double.pi * v)
                tally.latencies.add(.nanoseconds(Int64(median * exp(spread * normal) * 1e9)))
            }
            return tally
        }
    }

    struct End {
        var phase: RolloutState.Phase
        var reason: RolloutState.Reason
        var canaryRequests: UInt64
        var shares: [UInt32]
    }

    /// A whole release: 40 requests a look, ten looks a second.
    static func run(
        canary: Version, stable: Version, seed: UInt64, plan: RolloutPlan = plan, looks: Int = 60_000
    ) -> End {
        var random = SeededRandom(seed: seed)
        var now: Int64 = 1_000_000_000_000
        var machine = RolloutMachine(plan, at: now)
        var shares = [machine.canaryShare]
        // As smooth weighted round robin would: the share is exact over time.
        var owed = 0.0
        for _ in 0..<looks {
            if machine.isOver { break }
            now += 100_000_000
            owed += 40 * Double(machine.canaryShare) / 1000
            let ours = Int(owed)
            owed -= Double(ours)
            let outcome = machine.observe(
                canary: canary.tally(ours, &random), stable: stable.tally(40 - ours, &random), at: now)
            if outcome == .changed, shares.last != machine.canaryShare { shares.append(machine.canaryShare) }
        }
        return End(
            phase: machine.state.phase, reason: machine.state.reason, canaryRequests: machine.state.canaryRequests,
            shares: shares)
    }

    @Test("A canary that fails 3 % beside 0.1 % is rolled back before 500 of its requests", arguments: 0..<100)
    func badCanary(seed: Int) {
        let end = Self.run(canary: Version(failures: 0.03), stable: Version(failures: 0.001), seed: UInt64(seed))
        #expect(end.phase == .rolledBack, "seed \(seed)")
        #expect(end.reason == .failures, "seed \(seed)")
        #expect(end.canaryRequests < 500, "seed \(seed)")
        #expect(end.shares == [50, 0], "seed \(seed)")
    }

    @Test("A canary that is equal completes", arguments: 0..<100)
    func equalCanary(seed: Int) {
        let version = Version(failures: 0.001)
        let end = Self.run(canary: version, stable: version, seed: 1000 + UInt64(seed))
        #expect(end.phase == .completed, "seed \(seed)")
        #expect(end.shares == [50, 200, 500, 1000], "seed \(seed)")
    }

    @Test(
        "False verdicts stay below one in a hundred, whatever both fail",
        arguments: [0.0001, 0.001, 0.01, 0.1])
    func falseAlarms(rate: Double) {
        var plan = Self.plan
        // As hard as it gets: nothing is tolerated, so the test alone decides; latencies are not drawn.
        plan.failureTolerance = 0
        plan.latencyRatio = 0
        var alarms = 0
        let seeds = 2000
        for seed in 0..<seeds {
            let end = Self.runFailures(canary: rate, stable: rate, seed: UInt64(seed) &* 77 &+ 5, plan: plan)
            if end.phase == .rolledBack { alarms += 1 }
        }
        #expect(alarms < seeds / 100, "\(alarms) of \(seeds)")
    }

    @Test("Bad canaries that complete are fewer than one in a hundred")
    func missed() {
        var missed = 0
        let seeds = 2000
        for seed in 0..<seeds {
            let end = Self.runFailures(
                canary: 0.03, stable: 0.001, seed: UInt64(seed) &* 31 &+ 9, plan: Self.plan)
            if end.phase != .rolledBack || end.canaryRequests >= 500 { missed += 1 }
        }
        #expect(missed < seeds / 100, "\(missed) of \(seeds)")
    }

    /// As ``run(canary:stable:seed:plan:looks:)``, without latencies, a hundred times as fast.
    static func runFailures(canary: Double, stable: Double, seed: UInt64, plan: RolloutPlan) -> End {
        var random = SeededRandom(seed: seed)
        var now: Int64 = 0
        var machine = RolloutMachine(plan, at: now)
        var owed = 0.0
        func tally(_ requests: Int, _ rate: Double) -> RolloutTally {
            var tally = RolloutTally()
            tally.requests = UInt64(requests)
            // The gaps between failures, instead of a draw for each request.
            var at = 0
            while true {
                let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
                at += Int(log(u) / log(1 - rate)) + 1
                if at > requests { return tally }
                tally.failures += 1
            }
        }
        for _ in 0..<20_000 {
            if machine.isOver { break }
            now += 1_000_000_000
            owed += 400 * Double(machine.canaryShare) / 1000
            let ours = Int(owed)
            owed -= Double(ours)
            _ = machine.observe(canary: tally(ours, canary), stable: tally(400 - ours, stable), at: now)
        }
        return End(
            phase: machine.state.phase, reason: machine.state.reason, canaryRequests: machine.state.canaryRequests,
            shares: [])
    }

    @Test("A canary with twice the stable one's latency is rolled back", arguments: 0..<20)
    func slowCanary(seed: Int) {
        let end = Self.run(
            canary: Version(failures: 0.001, median: 0.045), stable: Version(failures: 0.001), seed: UInt64(seed))
        #expect(end.phase == .rolledBack && end.reason == .latency, "seed \(seed): \(end)")
    }

    @Test("A fault that both sides have speaks for neither", arguments: 0..<20)
    func commonFault(seed: Int) {
        let version = Version(failures: 0.4, median: 2)
        let end = Self.run(canary: version, stable: version, seed: 400 + UInt64(seed))
        #expect(end.phase == .completed, "seed \(seed): \(end)")
    }

    @Test func littleTrafficWaitsForItsRequests() {
        var machine = RolloutMachine(Self.plan, at: 0)
        var one = RolloutTally()
        one.requests = 1
        for minute in 1...100 {
            _ = machine.observe(canary: one, stable: one, at: Int64(minute) * 60_000_000_000)
        }
        #expect(machine.state.phase == .progressing && machine.state.reason == .requests)
        #expect(machine.canaryShare == 50)
    }

    @Test func anIntervalIsWaitedForHoweverMuchTraffic() {
        var machine = RolloutMachine(Self.plan, at: 0)
        var many = RolloutTally()
        many.requests = 100_000
        #expect(machine.observe(canary: many, stable: many, at: 19_000_000_000) == .changed)
        #expect(machine.state.reason == .interval && machine.canaryShare == 50)
        #expect(machine.observe(canary: many, stable: many, at: 20_000_000_000) == .changed)
        #expect(machine.canaryShare == 200 && machine.state.reason == .stepPassed)
        // The counts of a step begin with it.
        #expect(machine.state.canary.requests == 0 && machine.state.canaryRequests == 200_000)
    }

    @Test func afterARollbackNothingMovesIt() {
        var machine = RolloutMachine(Self.plan, at: 0)
        var bad = RolloutTally()
        bad.requests = 100
        bad.failures = 50
        var good = RolloutTally()
        good.requests = 1900
        #expect(machine.observe(canary: bad, stable: good, at: 1) == .changed)
        #expect(machine.state.phase == .rolledBack && machine.canaryShare == 0)
        #expect(machine.observe(canary: good, stable: bad, at: 1 << 60) == .nothingNew)
        #expect(RolloutMachine(Self.plan, resuming: machine.state)?.canaryShare == 0)
        var changed = Self.plan
        changed.specHash = 8
        #expect(RolloutMachine(changed, resuming: machine.state) == nil)
    }

    @Test func smallDifferencesAreTolerated() {
        var plan = Self.plan
        plan.failureTolerance = 1000  // One in a hundred.
        plan.latencyRatio = 0
        var completed = 0
        for seed in 0..<100 {
            let end = Self.runFailures(canary: 0.006, stable: 0.001, seed: UInt64(seed), plan: plan)
            if end.phase == .completed { completed += 1 }
        }
        #expect(completed >= 95, "\(completed)")
    }

    @Test func withoutAnythingToCompareItHolds() {
        var machine = RolloutMachine(Self.plan, at: 0)
        var many = RolloutTally()
        many.requests = 1000
        #expect(machine.observe(canary: many, stable: RolloutTally(), at: 61_000_000_000) == .changed)
        #expect(machine.state.phase == .holding && machine.state.reason == .nothingToCompare)
    }
}
