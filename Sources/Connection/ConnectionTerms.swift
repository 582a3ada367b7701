import Core
import HTTP

/// The limits under which connections are served: those of a worker, or those of one listener whose policy has others.
/// Shared by all connections that were accepted under them, which keep them for life, whatever is configured later.
public final class ConnectionTerms {
    public var limits: ConnectionLimits

    public init(_ limits: ConnectionLimits = ConnectionLimits()) { self.limits = limits }
}

/// When an HTTP/2 connection's peer is asked by PING whether it is there, whatever else goes on (ClientTrafficPolicy,
/// `http2.connectionKeepalive`). Zero: not asked for that reason.
public struct HTTP2Keepalive: Equatable, BitwiseCopyable, Sendable {
    /// Between two PINGs.
    public var interval = TimeAmount.zero
    /// In percent of the interval: what chance adds to it.
    public var jitter = 15
    /// After so long without a word of the peer.
    public var idleInterval = TimeAmount.zero
    /// Within this something must come back.
    public var timeout = TimeAmount.seconds(15)

    public init() {}

    public var isOn: Bool { interval > .zero || idleInterval > .zero }

    /// When to ask next.
    /// - Parameters:
    ///   - last: when it was asked last, or the connection began.
    ///   - heard: when the peer last said something.
    ///   - chance: any number.
    public func next(after last: Instant, heard: Instant, chance: UInt64) -> Instant {
        var next = Instant.distantFuture
        if interval > .zero {
            let most = UInt64(interval.nanoseconds / 100) * UInt64(max(0, min(jitter, 100)))
            next = last + interval + .nanoseconds(Int64(most == 0 ? 0 : chance % (most + 1)))
        }
        if idleInterval > .zero { next = min(next, max(heard, last) + idleInterval) }
        return next
    }
}
