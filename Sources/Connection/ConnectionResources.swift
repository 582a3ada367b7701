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
    /// After our FIN, until the peer's.
    public var lingering = TimeAmount.seconds(2)
    /// An idle connection to an endpoint is closed after this.
    public var upstreamIdle = TimeAmount.seconds(60)
    /// Requests answered on one connection in one turn of the loop before others have theirs (pipelining).
    public static let requestsPerTurn = 16

    public init() {}
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
    /// Free message objects that are kept.
    public static let keptMessages = 1024

    public let loop: EventLoop
    public var limits: ConnectionLimits
    public var buffers = BufferPool(blockSize: blockSize, limit: keptBlocks)
    public let pipes = PipePool()
    private var requests: [RequestMessage] = []
    private var responses: [ResponseMessage] = []

    public init(loop: EventLoop, limits: ConnectionLimits = ConnectionLimits()) {
        self.loop = loop
        self.limits = limits
    }

    func leaseRequest() -> RequestMessage { requests.popLast() ?? RequestMessage() }

    func giveBack(_ message: RequestMessage) {
        guard requests.count < Self.keptMessages else { return }
        message.parser.reset()
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
}

/// A response head while it is received.
public final class ResponseMessage {
    public var head = ResponseHead()
    public var parser = ResponseHeadParser()
}
