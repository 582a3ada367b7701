import Core

/// Adaptive concurrency (annotation `sluice.dev/adaptive-concurrency` on a BackendTrafficPolicy). The names and what holds
/// without them are those of Envoy's gradient controller.
public struct AdaptiveConcurrencyPlan: Equatable, BitwiseCopyable, Sendable {
    /// How often the limit is computed anew.
    public var updateInterval = TimeAmount.milliseconds(100)
    /// How often the ideal round trip is measured anew.
    public var minRTTInterval = TimeAmount.seconds(60)
    /// Of the interval, at most so much is added by chance, in percent.
    public var jitter: UInt8 = 15
    /// Requests that a measurement takes.
    public var minRTTRequests: UInt32 = 50
    /// The limit while it is measured, and the least one.
    public var minConcurrency: UInt32 = 3
    public var maxConcurrency: UInt32 = 1000
    /// What round trips may vary without the limit going down, in percent of the ideal one.
    public var buffer: UInt8 = 25
    /// Which of the samples speaks for all.
    public var percentile: UInt8 = 50

    public init() {}
}
