import Config
import Core
import Glibc

/// One release that watches itself: it moves the weights of a canary and of the stable version beside it, and compares what
/// both serve.
///
///     progressing ◀──▶ holding          the step is over, and something speaks against going on
///        │    └──────────┴─ worse beyond doubt ─▶ rolledBack       weight 0, until the rule is written anew
///        └─ the last step is over ─▶ completed                     the last step's weight
///
/// Pure: time and counters are arguments. It may be asked as often as one likes; how often does not change its error bounds.
public struct RolloutMachine: Sendable {
    /// The error bound of each verdict, over the whole release: together below one in a hundred.
    static let failureErrorBound = 0.008
    static let latencyErrorBound = 0.002
    /// From these odds on (their logarithm) a release waits for more evidence: three to one.
    static let doubt = 1.1
    /// How seldom so many failures would be, were the canary only as much worse as is tolerated; and the same in deviations
    /// of a normal distribution.
    static let rareChance = 0.01
    static let rareDeviations = 2.33
    /// Requests of either side before its 99th percentile means anything.
    static let latencySamples: UInt64 = 200

    public let plan: RolloutPlan
    public private(set) var state: RolloutState

    /// A release that begins.
    public init(_ plan: RolloutPlan, at now: Int64) {
        self.plan = plan
        state = RolloutState(specHash: plan.specHash, at: now)
    }

    /// A release that goes on. Nil: the state is another one's, or makes no sense with these steps.
    public init?(_ plan: RolloutPlan, resuming state: RolloutState) {
        guard state.specHash == plan.specHash, Int(state.step) < plan.steps.count else { return nil }
        self.plan = plan
        self.state = state
    }

    /// The canary's share of what the two serve together, in thousandths.
    public var canaryShare: UInt32 {
        switch state.phase {
        case .rolledBack: 0
        case .progressing, .holding, .completed: plan.steps[Int(state.step)]
        }
    }

    public var isOver: Bool { state.phase == .completed || state.phase == .rolledBack }

    /// What a look at the counters leads to.
    public enum Outcome: Equatable, Sendable {
        case nothingNew
        /// Phase, step or reason have changed: to be told, kept, and put in force.
        case changed
    }

    /// Takes in what both sides have served since the last look, and decides.
    public mutating func observe(canary: RolloutTally, stable: RolloutTally, at now: Int64) -> Outcome {
        guard !isOver else { return .nothingNew }
        count(canary, stable)
        if let reason = verdict { return end(.rolledBack, reason, now) }
        let before = (state.phase, state.reason)
        let isDue = now >= state.stepBegan + plan.interval.nanoseconds
        let isSeen = state.canary.requests >= plan.minRequests
        if !isDue || !isSeen {
            set(.progressing, isDue ? .requests : .interval, now)
        } else if plan.steps[Int(state.step)] < 1000, state.stable.requests == 0 {
            set(.holding, .nothingToCompare, now)
        } else if let reason = doubt {
            set(.holding, reason, now)
        } else {
            return goOn(now)
        }
        return before == (state.phase, state.reason) ? .nothingNew : .changed
    }

    // MARK: steps

    private mutating func goOn(_ now: Int64) -> Outcome {
        guard Int(state.step) + 1 < plan.steps.count else { return end(.completed, .allStepsPassed, now) }
        state.step += 1
        state.stepBegan = now
        state.canary = RolloutTally()
        state.stable = RolloutTally()
        set(.progressing, .stepPassed, now)
        // With everything at the canary there is nothing left to compare it with.
        if plan.steps[Int(state.step)] == 1000 { return end(.completed, .allStepsPassed, now) }
        return .changed
    }

    private mutating func end(_ phase: RolloutState.Phase, _ reason: RolloutState.Reason, _ now: Int64) -> Outcome {
        set(phase, reason, now)
        return .changed
    }

    private mutating func set(_ phase: RolloutState.Phase, _ reason: RolloutState.Reason, _ now: Int64) {
        if state.phase != phase { state.phaseBegan = now }
        state.phase = phase
        state.reason = reason
    }

    // MARK: evidence

    private mutating func count(_ canary: RolloutTally, _ stable: RolloutTally) {
        state.failureRace.add(
            canary: canary.requests, canaryBad: canary.failures, stable: stable.requests, stableBad: stable.failures)
        if state.slowStable >= 0 {
            state.latencyRace.add(
                canary: canary.latencies.total, canaryBad: canary.latencies.count(above: Int(state.slowCanary)),
                stable: stable.latencies.total, stableBad: stable.latencies.count(above: Int(state.slowStable)))
        }
        state.canary.add(canary)
        state.stable.add(stable)
        state.canaryRequests &+= canary.requests
        state.canaryFailures &+= canary.failures
        state.stableRequests &+= stable.requests
        state.stableFailures &+= stable.failures
        chooseSlow()
    }

    /// What the next look calls slow is decided by what was seen before it: a bound that knew the next requests would favour
    /// one side. The canary's is the stable one's, multiplied as the plan allows; where it is exactly does not matter for
    /// the error bound, only for how soon a slow canary is found.
    private mutating func chooseSlow() {
        guard state.stable.latencies.total >= Self.latencySamples,
            let stable = state.stable.latencies.bucket(of: 0.99)
        else { return }
        let allowed = Double(LatencyBuckets.bound(stable).nanoseconds) * Double(plan.latencyRatio) / 1000
        state.slowStable = Int16(stable)
        state.slowCanary = Int16(LatencyBuckets.bucket(.nanoseconds(Int64(min(allowed, 1e15)))))
    }

    /// Worse beyond doubt, and by more than the plan tolerates.
    private var verdict: RolloutState.Reason? {
        if state.failureRace.isWorse(errorBound: Self.failureErrorBound), isIntolerable { return .failures }
        if plan.latencyRatio > 0, state.canary.latencies.total >= Self.latencySamples, isSlower,
            state.latencyRace.isWorse(errorBound: Self.latencyErrorBound)
        {
            return .latency
        }
        return nil
    }

    private var doubt: RolloutState.Reason? {
        if excess > tolerance, state.failureRace.logOdds > Self.doubt { return .failuresInDoubt }
        if plan.latencyRatio > 0, isSlower, state.latencyRace.logOdds > Self.doubt { return .latencyInDoubt }
        return nil
    }

    private var tolerance: Double { Double(plan.failureTolerance) / 100_000 }

    /// How much more of its requests the canary fails than the stable version, 0 to 1.
    private var excess: Double {
        let canary = Double(state.canaryFailures) / Double(max(1, state.canaryRequests))
        return canary - Double(state.stableFailures) / Double(max(1, state.stableRequests))
    }

    /// Whether so many failures would be a rare chance if the canary failed just as much more as is tolerated: being worse
    /// is proven by the race, being so much worse by this. The sum of a Poisson distribution up to what was seen.
    private var isIntolerable: Bool {
        let stable = Double(state.stableFailures) / Double(max(1, state.stableRequests))
        let expected = Double(state.canaryRequests) * (stable + tolerance)
        let seen = state.canaryFailures
        guard Double(seen) > expected else { return false }
        // Far out in either, the distribution is as good as normal.
        if seen > 500 { return Double(seen) - expected > Self.rareDeviations * expected.squareRoot() }
        var term = exp(-expected)
        var below = 0.0
        for k in 0..<seen {
            below += term
            term *= expected / Double(k + 1)
        }
        return 1 - below < Self.rareChance
    }

    /// At this step: whether the canary's 99th percentile is beyond what is allowed.
    private var isSlower: Bool {
        guard state.slowStable >= 0, let canary = state.canary.latencies.bucket(of: 0.99) else { return false }
        return canary > Int(state.slowCanary)
    }
}
