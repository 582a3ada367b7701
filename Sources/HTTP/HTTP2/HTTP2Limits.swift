import Core

/// How much one HTTP/2 connection may hold. The first three names are Envoy Gateway's (ClientTrafficPolicy, `http2`).
public struct HTTP2Limits: Equatable, BitwiseCopyable, Sendable {
    /// Octets of content that a peer may send on a stream before its reader has used some (RFC 9113, section 6.9.2): the
    /// bound on what one stream keeps in memory.
    public var initialStreamWindowSize: UInt32 = 64 * 1024
    /// The same for all streams of a connection together. It is given back as octets arrive, so that a stream nobody
    /// reads cannot stop its neighbours.
    public var initialConnectionWindowSize: UInt32 = 1024 * 1024
    /// Streams that a peer may have open at once.
    public var maxConcurrentStreams: UInt32 = 100
    /// Of a request's head, when we are the server. Octets are counted as HPACK does: 32 more for each field (RFC 9113,
    /// section 6.5.2), crumbs of cookies one by one, pseudo-header fields too.
    public var requestHead = HeadLimits.request
    /// Of a response's head, when we are the client.
    public var responseHead = HeadLimits.response
    public var trailers = ChunkedLimits()
    public var abuse = HTTP2AbuseLimits()
    /// A malformed message ends the connection, and not its stream alone (ClientTrafficPolicy, `http2.onInvalidMessage`).
    public var endsConnectionOnInvalidMessage = false

    public init() {}

    /// A head past its limit is decoded on, to keep the connection's tables right, and dropped. This many times the
    /// limit, in octets and in fields, and the connection is ended (ENHANCE_YOUR_CALM).
    public static let droppedHeads = 4
    /// Heads of a stream that wait to be read, interim ones before the final one: this many times the limit of one.
    public static let unreadHeads = 2
    /// Octets that a stream may send before others that have some are served: two frames.
    public static let quantum = 32 * 1024
    /// Requests of a session between two that put into HPACK's table the names of what differs from one to the next, in case
    /// the table has lost them.
    static let keptNames: UInt = 256
    /// Frames that wait to be sent because the peer does not read; past that, the connection is ended.
    public static let waitingFrames = 2000
    /// From the first GOAWAY to the second when the peer leaves our PING unanswered.
    public static let goAwayPause = TimeAmount.seconds(1)
    /// Between two looks whether a stream is stalled it must have sent this much, or all it had.
    public static let stallProgress: UInt64 = 4096
}

/// What one connection may ask of us that brings no request forward: each kind has an allowance that is used up by such
/// frames and grows again with time, and with honest work done on the connection. At its end the connection is closed
/// with ENHANCE_YOUR_CALM.
public struct HTTP2AbuseLimits: Equatable, BitwiseCopyable, Sendable {
    /// Streams that the peer resets ("rapid reset", CVE-2023-44487). A stream that ends well earns one back.
    public var resets = Allowance(burst: 200, perSecond: 50)
    /// Streams that we had to reset because of what the peer did ("MadeYouReset", CVE-2025-8671): refused, malformed, a
    /// window overrun.
    public var provokedResets = Allowance(burst: 100, perSecond: 10)
    /// SETTINGS, PING, PRIORITY, unknown frames, DATA without content, HEADERS that open no stream. A frame of content,
    /// either way, earns one back: some clients measure their path by a PING with each.
    public var controlFrames = Allowance(burst: 500, perSecond: 100)
    /// WINDOW_UPDATE; each frame of content that we sent earns four back, each request two.
    public var windowUpdates = Allowance(burst: 1000, perSecond: 100)
    /// CONTINUATION frames of one head.
    public var continuations = 8
    /// Entries of one SETTINGS frame.
    public var settings = 32

    public init() {}

    public struct Allowance: Equatable, BitwiseCopyable, Sendable {
        /// Frames at once.
        public var burst: Int
        /// How many of them are earned back by time alone.
        public var perSecond: Int

        @inlinable public init(burst: Int, perSecond: Int) {
            precondition(burst > 0 && perSecond >= 0 && burst < 1 << 30 && perSecond < 1 << 30)
            self.burst = burst
            self.perSecond = perSecond
        }
    }
}
