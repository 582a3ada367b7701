import Core

/// How far a release has come, with the evidence so far. It lies in shared memory as it is, and in the state file as text.
public struct RolloutState: Equatable, BitwiseCopyable, Sendable {
    public enum Phase: UInt8, BitwiseCopyable, Sendable {
        /// At a step, and going on when it has been seen long enough.
        case progressing
        /// At a step that is over, or would be, were there not reason to wait.
        case holding
        /// Behind the last step; the weights stay.
        case completed
        /// The canary has been found worse and gets nothing, until the rule is written anew.
        case rolledBack
    }

    /// Why it is as it is. Raw values are stored: they are not renumbered.
    public enum Reason: UInt8, BitwiseCopyable, Sendable {
        case begun = 0
        /// The step's interval is not over.
        case interval = 1
        /// The canary has not had enough requests at this step.
        case requests = 2
        /// More failures than at the stable one, but not proven.
        case failuresInDoubt = 3
        /// More slow requests, but not proven.
        case latencyInDoubt = 4
        case stepPassed = 5
        case allStepsPassed = 6
        case failures = 7
        case latency = 8
        /// The stable side serves nothing that the canary could be compared with.
        case nothingToCompare = 9
    }

    public var phase = Phase.progressing
    public var reason = Reason.begun
    /// Index into the steps; of a completed or rolled back release, the step that it ended at.
    public var step: UInt16 = 0
    /// Of the rule and the annotation as written: a state of another one is not taken up.
    public var specHash: UInt64
    /// Wall clock, nanoseconds since 1970.
    public var stepBegan: Int64
    /// When the phase last changed, likewise.
    public var phaseBegan: Int64
    /// At this step.
    public var canary = RolloutTally()
    public var stable = RolloutTally()
    /// Of all steps, without latencies.
    public var canaryRequests: UInt64 = 0
    public var canaryFailures: UInt64 = 0
    public var stableRequests: UInt64 = 0
    public var stableFailures: UInt64 = 0
    /// Of all steps.
    public var failureRace = SequentialRace()
    public var latencyRace = SequentialRace()
    /// What the next look calls slow: requests of the stable side in buckets above the first, of the canary above the
    /// second. -1: not known yet.
    public var slowStable: Int16 = -1
    public var slowCanary: Int16 = -1

    public init(specHash: UInt64, at now: Int64) {
        self.specHash = specHash
        stepBegan = now
        phaseBegan = now
    }
}
