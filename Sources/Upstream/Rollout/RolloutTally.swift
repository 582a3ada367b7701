import Core

/// What one side of a release has served since somebody began to count.
public struct RolloutTally: Equatable, BitwiseCopyable, Sendable {
    /// Requests that ended with an answer, the gateway's own for the backend included; those that the client gave up are not
    /// counted.
    public var requests: UInt64 = 0
    /// Of those, the ones that failed: status 500 and above, or no whole response.
    public var failures: UInt64 = 0
    /// From the request's arrival to the response's head.
    public var latencies = LatencyHistogram()

    public init() {}

    public mutating func add(_ other: RolloutTally) {
        requests &+= other.requests
        failures &+= other.failures
        latencies.add(other.latencies)
    }

    /// What has come since `earlier`, of a counter that may have begun anew at zero in between (its worker died).
    public func since(_ earlier: RolloutTally) -> RolloutTally {
        guard requests >= earlier.requests, failures >= earlier.failures else { return self }
        var difference = RolloutTally()
        difference.requests = requests - earlier.requests
        difference.failures = failures - earlier.failures
        guard latencies.total > 0 else { return difference }
        for bucket in 0..<LatencyBuckets.count {
            let (now, before) = (latencies[bucket], earlier.latencies[bucket])
            difference.latencies[bucket] = now >= before ? now - before : now
        }
        return difference
    }
}
