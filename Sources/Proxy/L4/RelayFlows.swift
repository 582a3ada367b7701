import Connection
import Telemetry

/// Both directions of a relay, and what the two together mean for it.
struct RelayFlows: ~Copyable {
    enum Progress {
        /// Nothing more to do before a side is ready again.
        case waiting
        /// Cut short so that others have their turn; to be called again.
        case unfinished
        /// In order where there is no reason, else broken off.
        case over(ReasonCode)
    }

    var up = RawFlow()
    var down = RawFlow()
    /// Whether the endpoint takes no more, while what it said is still on its way down.
    private var upHasFailed = false

    /// Moves what both sides allow now.
    mutating func run(_ downstream: RawConnection, _ upstream: RawConnection) -> Progress {
        let rising: RawFlow.Progress = upHasFailed ? .waiting : up.run(from: downstream, to: upstream)
        let falling = down.run(from: upstream, to: downstream)
        switch (rising, falling) {
        case (.ended, .ended): return .over(.none)
        case (.sourceFailed, _): return .over(.downstreamTermination)
        case (_, .sinkFailed): return .over(.downstreamTermination)
        case (_, .sourceFailed): return .over(.upstreamRemoteReset)
        case (.sinkFailed, _): upHasFailed = true
        case (.waiting, _), (.unfinished, _), (.ended, _): break
        }
        // Its last word may still be on the way to a slow client. There is no more to come when nothing is held here.
        if upHasFailed, !down.isHolding, !(falling == .unfinished) { return .over(.upstreamRemoteReset) }
        // Who was reset is not read any more while the other side takes nothing: that is to be seen nevertheless.
        if downstream.hasError, up.isHolding { return .over(.downstreamTermination) }
        if upstream.hasError, down.isHolding, !upHasFailed { upHasFailed = true }
        return rising == .unfinished || falling == .unfinished ? .unfinished : .waiting
    }
}
