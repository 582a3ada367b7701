import Core

/// A release that moves its own weights (`sluice.dev/rollout` on an HTTPRoute): what it moves, and what it holds the canary
/// against.
public struct RolloutPlan: Equatable, Sendable {
    /// Indices into the rule's backends; they differ.
    public var canary: Int
    public var stable: Int
    /// The canary's share of what the two get together, in thousandths, each above the one before; 1000: all of it.
    public var steps: [UInt32]
    /// How long each step lasts at least.
    public var interval: TimeAmount
    /// Requests that the canary must have had at each step.
    public var minRequests: UInt64
    /// How much more of its requests the canary may fail than the stable version, in hundred-thousandths.
    public var failureTolerance: UInt32
    /// What the canary's 99th percentile of latency may be of the stable one's, in thousandths; 0: it is not compared.
    public var latencyRatio: UInt32
    /// Of the rule and the annotation as written: a release of another text begins anew.
    public var specHash: UInt64
    public var position: SourcePosition

    public init(
        canary: Int, stable: Int, steps: [UInt32], interval: TimeAmount, minRequests: UInt64,
        failureTolerance: UInt32, latencyRatio: UInt32, specHash: UInt64, position: SourcePosition = SourcePosition()
    ) {
        self.canary = canary
        self.stable = stable
        self.steps = steps
        self.interval = interval
        self.minRequests = minRequests
        self.failureTolerance = failureTolerance
        self.latencyRatio = latencyRatio
        self.specHash = specHash
        self.position = position
    }
}
