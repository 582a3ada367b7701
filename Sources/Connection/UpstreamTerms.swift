import Core
import HTTP
import IO

/// Under which terms a connection to an endpoint is made and kept; for its life, whatever is configured later.
public struct UpstreamTerms: Equatable, BitwiseCopyable, Sendable {
    /// Without a request for so long it is closed; below zero: after ``ConnectionLimits/upstreamIdle``.
    public var idle = TimeAmount(nanoseconds: -1)
    /// So old it takes no further request.
    public var duration = TimeAmount.forever
    /// So many requests it carries, over all its life.
    public var requests = UInt32.max
    public var socket = SocketOptions()
    /// Octets and streams; 0: ``HTTP2Limits``.
    public var initialStreamWindowSize: UInt32 = 0
    public var initialConnectionWindowSize: UInt32 = 0
    public var maxConcurrentStreams: UInt32 = 0
    /// A response that breaks HTTP ends the connection, with all exchanges that are on it.
    public var endsOnInvalidMessage = false
    public var http2Keepalive = HTTP2Keepalive()

    public init() {}

    func idle(_ resources: ConnectionResources) -> TimeAmount {
        idle < .zero ? resources.terms.limits.upstreamIdle : idle
    }

    func http2Limits(_ resources: ConnectionResources) -> HTTP2Limits {
        var limits = resources.terms.limits.forHTTP2Upstream
        if initialStreamWindowSize > 0 { limits.initialStreamWindowSize = initialStreamWindowSize }
        if initialConnectionWindowSize > 0 { limits.initialConnectionWindowSize = initialConnectionWindowSize }
        if maxConcurrentStreams > 0 { limits.maxConcurrentStreams = maxConcurrentStreams }
        return limits
    }
}
