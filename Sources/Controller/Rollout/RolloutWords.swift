import Core
import Manifest
import Upstream

/// A rollout in words: for the log, the admin interface, and the route's status.
extension Rollouts.Watched {
    var shareText: String { Self.percent(Double(machine.canaryShare) / 1000) }

    /// The reason with the figures that it rests on.
    var why: String {
        let state = machine.state
        let failures =
            "\(Self.percent(rate(state.canaryFailures, state.canaryRequests))) of \(state.canaryRequests) requests failed, "
            + "beside \(Self.percent(rate(state.stableFailures, state.stableRequests))) of \(state.stableRequests) of "
            + "the stable version"
        switch state.reason {
        case .begun: return "it has begun"
        case .interval: return "the step lasts \(machine.plan.interval.milliseconds / 1000) s at least"
        case .requests:
            return "the canary has had \(state.canary.requests) of \(machine.plan.minRequests) requests at this step"
        case .failuresInDoubt: return "there is some evidence against the canary: \(failures)"
        case .latencyInDoubt: return "there is some evidence that the canary is slower: \(latencies)"
        case .stepPassed: return "the step before was passed: \(failures)"
        case .allStepsPassed: return "all steps were passed: \(failures)"
        case .failures: return "the canary fails more: \(failures)"
        case .latency: return "the canary is slower: \(latencies)"
        case .nothingToCompare: return "the stable version has had no requests at this step to compare with"
        }
    }

    private var latencies: String {
        func words(_ tally: RolloutTally) -> String {
            guard let bucket = tally.latencies.bucket(of: 0.99) else { return "unknown" }
            return "\(Double(LatencyBuckets.bound(bucket).nanoseconds / 10_000) / 100) ms"
        }
        return "99 of 100 requests within \(words(machine.state.canary)), "
            + "\(words(machine.state.stable)) at the stable version"
    }

    private func rate(_ part: UInt64, _ whole: UInt64) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

    /// 99th percentiles at the current step, milliseconds; nil: no requests.
    var percentiles: (canary: Double?, stable: Double?) {
        func value(_ tally: RolloutTally) -> Double? {
            tally.latencies.bucket(of: 0.99).map { Double(LatencyBuckets.bound($0).nanoseconds) / 1e6 }
        }
        return (value(machine.state.canary), value(machine.state.stable))
    }

    static func percent(_ share: Double) -> String { "\((share * 100_000).rounded() / 1000) %" }

    /// One line for `sluice status` and the status condition.
    var line: String {
        switch machine.state.phase {
        case .progressing, .holding:
            "step \(machine.state.step + 1) of \(machine.plan.steps.count), canary '\(canaryName)' \(shareText)"
                + (machine.state.phase == .holding ? ", holds: " : ": ") + why
        case .completed: "complete, canary '\(canaryName)' \(shareText): \(why)"
        case .rolledBack: "rolled back, canary '\(canaryName)' 0 % until the rule or its rollout is changed: \(why)"
        }
    }

    /// The condition `sluice.dev/Rollout` of its route.
    var condition: RolloutCondition {
        let phase: RolloutCondition.Phase =
            switch machine.state.phase {
            case .progressing: .progressing
            case .holding: .holding
            case .completed: .completed
            case .rolledBack: .rolledBack
            }
        return RolloutCondition(
            route: route, phase: phase, message: "rule '\(rule)': \(line)", since: machine.state.phaseBegan)
    }
}
