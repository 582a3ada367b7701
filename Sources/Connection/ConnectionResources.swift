import Core
import HTTP
import IO

/// How much one connection may hold, and for how long it may be silent. Where no policy sets one: `standard`.
public struct ConnectionLimits: BitwiseCopyable, Sendable {
    public var requestHead = HeadLimits.request
    public var responseHead = HeadLimits.response
    /// From a connection's first octet of a head (or its acceptance) to the head's last.
    public var headReceived = TimeAmount.seconds(15)
    /// From a connection's acceptance to the end of its TLS handshake.
    public var handshake = TimeAmount.seconds(10)
    /// Between two requests.
    public var keepAliveIdle = TimeAmount.seconds(3600)
    /// An idle TLS connection keeps the library's buffers for so long: most next requests come within it.
    public static let quietAfter = TimeAmount.seconds(2)
    /// After our FIN, until the peer's.
    public var lingering = TimeAmount.seconds(2)
    /// An idle connection to an endpoint is closed after this.
    public var upstreamIdle = TimeAmount.seconds(60)
    /// Of HTTP/2 connections from clients.
    public var http2 = HTTP2Limits()
    /// Without a word from a client's HTTP/2 connection that has streams: then it is asked by a PING.
    public var http2Ping = TimeAmount.seconds(60)
    /// The same upstream. Servers of gRPC end connections that ask more often than every five minutes.
    public var http2PingUpstream = TimeAmount.seconds(330)
    /// Until the answer to it.
    public var http2PingAnswer = TimeAmount.seconds(15)
    /// How long a peer may leave a stream's octets without a window worth mentioning.
    public var streamIdle = TimeAmount.seconds(300)
    /// Requests that one connection from a client may bring; the last one's answer ends it.
    public var requests = UInt32.max
    /// From a client's connection's acceptance until it is to end.
    public var duration = TimeAmount.forever
    /// What is idle at the end of ``duration`` goes at once, instead of with its next request. Of HTTP/1.1; HTTP/2 says GOAWAY.
    public var closesAtDuration = false
    /// Trailers of HTTP/1.1 messages from and to clients go on; else they are dropped.
    public var passesTrailers = true
    public var http2Keepalive = HTTP2Keepalive()
    /// Bodies may lie in a pipe of the kernel, which holds more than a block.
    public var splices = true
    /// Between two looks at an HTTP/2 connection that has streams.
    static let http2Watch = TimeAmount.seconds(5)
    /// An HTTP/2 connection without streams gives up the memory of its lists after this.
    static let http2Release = TimeAmount.seconds(5)
    /// Requests answered on one connection in one turn of the loop before others have theirs (pipelining).
    public static let requestsPerTurn = 16

    public init() {}

    /// For sessions whose peer is a client.
    var forHTTP2: HTTP2Limits {
        var limits = http2
        limits.requestHead = requestHead
        return limits
    }

    /// For sessions whose peer is an endpoint. Such a peer was chosen, and carries the streams of many: what it does at
    /// their wish, as resetting them, is allowed ten times as often.
    var forHTTP2Upstream: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.responseHead = responseHead
        limits.abuse.resets = .init(burst: 2000, perSecond: 500)
        limits.abuse.provokedResets = .init(burst: 1000, perSecond: 100)
        limits.abuse.controlFrames = .init(burst: 5000, perSecond: 1000)
        limits.abuse.windowUpdates = .init(burst: 10000, perSecond: 1000)
        return limits
    }
}

/// What the connections of one worker share: the loop and the memory they borrow while they are busy.
/// Owned by the worker; outlives every connection.
public final class ConnectionResources {
    /// Octets buffered in one direction of one exchange: one block (interface.md's "buffered octets a direction").
    ///
    /// Five cache lines more than 32 KiB: blocks that lie a power of two apart would all begin in the same few sets of
    /// the processor's caches, and the beginning is what is used most.
    public static let blockSize = 32 * 1024 + 5 * 64
    /// Free blocks that are kept: 8 MiB a worker.
    public static let keptBlocks = 256
    /// Rounds of sending at the end of one turn; see ``sendAll()``.
    private static let sendRounds = 4
    /// Free message objects that are kept.
    public static let keptMessages = 1024

    public let loop: EventLoop
    /// For connections that have no other.
    public let terms: ConnectionTerms
    public var buffers = BufferPool(blockSize: blockSize, limit: keptBlocks)
    public let pipes = PipePool()
    /// ``TunnelStream``s that are open.
    public internal(set) var tunnelsNow = 0
    /// Connections that were made last, where one may come back (``RecentDials``); nil: none can.
    public var recentDials: RecentDials?
    let http2 = HTTP2Library()
    /// HTTP/2 connections that have something to send when the turn is over.
    private var senders: [HTTP2Connection] = []
    /// The list's other half: the two change places, so that neither is made anew.
    private var served: [HTTP2Connection] = []
    private var requests: [RequestMessage] = []
    private var responses: [ResponseMessage] = []

    public init(loop: EventLoop, limits: ConnectionLimits = ConnectionLimits()) {
        self.loop = loop
        terms = ConnectionTerms(limits)
        // Outlives every turn but the loop's last; and most turns have nothing to send here.
        loop.atEndOfTurn { [unowned(unsafe) self] in if !senders.isEmpty { sendAll() } }
    }

    /// Of ``terms``.
    public var limits: ConnectionLimits {
        _read { yield terms.limits }
        _modify { yield &terms.limits }
    }

    func sendAtEndOfTurn(_ connection: HTTP2Connection) { senders.append(connection) }

    /// What is sent makes room, and room makes others write: a few rounds, then the rest is the next turn's.
    private func sendAll() {
        var rounds = 0
        while !senders.isEmpty {
            swap(&senders, &served)
            for index in served.indices {
                if rounds < Self.sendRounds { served[index].sendNow() } else { served[index].sendNextTurn() }
            }
            served.removeAll(keepingCapacity: true)
            rounds += 1
        }
    }

    func leaseRequest() -> RequestMessage { requests.popLast() ?? RequestMessage() }

    func giveBack(_ message: RequestMessage) {
        guard requests.count < Self.keptMessages else { return }
        message.parser.reset()
        message.edited.clear()
        requests.append(message)
    }

    func leaseResponse() -> ResponseMessage { responses.popLast() ?? ResponseMessage() }

    func giveBack(_ message: ResponseMessage) {
        guard responses.count < Self.keptMessages else { return }
        message.parser.reset()
        responses.append(message)
    }
}

/// A request head while it is received and served; lent to a connection, so that an idle one holds none.
public final class RequestMessage {
    public var head = RequestHead()
    public var parser = RequestHeadParser()
    /// When its first octet came; of HTTP/2, when it was complete.
    public internal(set) var began = Instant(nanoseconds: 0)
    /// The head as a policy has edited it, in the place of what came; empty: it is not edited. What `head` says counts from
    /// here then. See ``ServerStream/replaceHead(_:)``.
    var edited = ByteBuffer()
}

/// A response head while it is received.
public final class ResponseMessage {
    public var head = ResponseHead()
    public var parser = ResponseHeadParser()
}
