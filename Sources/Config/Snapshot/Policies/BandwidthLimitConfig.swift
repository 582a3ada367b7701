/// A ``BandwidthLimitPlan`` in the block.
public struct BandwidthLimitConfig: BitwiseCopyable, Sendable {
    /// Octets a second; 0: no limit.
    public var request: UInt64
    public var response: UInt64
    public var hasTrailers: Bool
    public var trailerPrefix: TextRef
}

extension SnapshotWriter {
    mutating func write(_ plan: BandwidthLimitPlan) -> BandwidthLimitConfig {
        BandwidthLimitConfig(
            request: plan.request, response: plan.response, hasTrailers: plan.trailerPrefix != nil,
            trailerPrefix: text(plan.trailerPrefix ?? ""))
    }
}
