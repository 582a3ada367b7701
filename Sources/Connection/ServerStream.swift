import Core
import HTTP
import IO

/// The downstream side of an exchange: a request came in, its response goes out. An ``HTTP1ServerConnection`` is its own
/// only stream; an HTTP/2 connection has many.
open class ServerStream: MessageStream {
    /// Who is told what happens; changes with each exchange.
    public final unowned(unsafe) var owner: ConnectionOwner
    /// Who owns the connection between exchanges.
    final unowned(unsafe) let acceptor: ConnectionOwner
    public final internal(set) var origin: ConnectionOrigin
    /// What the connection was accepted under.
    public final let terms: ConnectionTerms
    /// Set while a head is received and its exchange runs.
    public final internal(set) var request: RequestMessage?
    /// The connection closes after the response under way: asked for by a peer, by a drain, or by a broken request.
    public final var closesAfterResponse = false

    init(origin: ConnectionOrigin, acceptor: ConnectionOwner, resources: ConnectionResources) {
        self.origin = origin
        self.acceptor = acceptor
        terms = origin.terms ?? resources.terms
        owner = acceptor
        super.init(resources: resources)
    }

    /// The head's octets; its offsets count from their start. Valid until the exchange ends.
    public final var headBytes: ByteView {
        if let request, !request.edited.isEmpty { return request.edited.view }
        return input.written.upTo(pinned)
    }

    /// Puts an edited head in the place of the one that came, for whoever reads it from now on.
    /// - Parameter octets: what the request's `head` counts from now; exchanged for memory that was used before.
    public final func replaceHead(_ octets: inout ByteBuffer) {
        guard let request else { preconditionFailure("no head to be replaced") }
        swap(&request.edited, &octets)
    }

    public final var peer: SocketAddress { origin.peer }

    /// The response is sent to its last octet. The owner gives the stream up with this call.
    open func exchangeEnded() { preconditionFailure("an abstract stream") }

    /// Gives the stream up after a broken exchange: nothing more can be said on it, and the peer sees that.
    open func exchangeAborted() { preconditionFailure("an abstract stream") }

    /// Gives the stream up after a tunnel that both ends have closed.
    open func exchangeClosed() { preconditionFailure("an abstract stream") }

    /// Trailer fields of our own, as lines with CRLF, that go out with the body's end; where they have no place they are
    /// dropped.
    open func appendTrailers(_ lines: ByteView) {}

    /// Nil: clear text.
    open var tls: TLSChannel? { nil }

    /// Of our end of the connection; asks the kernel.
    open var localAddress: SocketAddress? { nil }

    /// The client is gone without a word, as far as its socket knows.
    open var isPeerLost: Bool { isGone }
}

/// Where a downstream connection came from: the same for all its streams.
public struct ConnectionOrigin {
    /// The client, as the socket or a PROXY header says.
    public var peer: SocketAddress
    /// Which listening socket accepted it (the supervisor's number).
    public var socketID: UInt32
    public var acceptedAt: Instant
    /// The identity of the listener whose certificate was shown; 0: clear text.
    public var listenerIdentity: UInt64 = 0
    /// The identity of the listener of a group that it came to, where it came inside of another connection or has no
    /// certificate to tell; 0: what else is known of it tells.
    public var groupIdentity: UInt64 = 0
    /// What a PROXY header told besides the client's address; nil: there was none.
    public var proxied: ProxiedOrigin?

    /// The listener's own limits; nil: the worker's.
    public var terms: ConnectionTerms?
    /// The place in the shared live state where it counts as one of its listener's connections; 0: it does not count.
    public var countedIn: UInt32 = 0
    /// The same for the connections of its caller; 0: it does not count.
    public var callerKey: UInt64 = 0

    /// Where it was going before it was sent here; nil: nobody said, so what is written on it tells.
    public var destination: CallDestination?
    /// Who calls, on the listeners of a group's gateway; nil: unknown.
    public var caller: Caller?
    /// Another worker of the family has asked the policies for what comes on it, and handed it on.
    public var wasPermitted = false
    /// Another worker of the family has read of its CONNECT that another gateway could not serve it.
    public var wasHandedOn = false
    /// The other end of the pair that it is one end of, where it came inside of a CONNECT; nil: it has a socket of its own.
    public var tunnel: TunnelStream?

    /// Everything on it came over TLS.
    public var isSecure: Bool { listenerIdentity != 0 }

    /// Another gateway could not serve it, as its CONNECT said.
    public var isHandedOn: Bool { wasHandedOn || tunnel?.told?.isHandedOn == true }

    public init(peer: SocketAddress, socketID: UInt32, acceptedAt: Instant) {
        self.peer = peer
        self.socketID = socketID
        self.acceptedAt = acceptedAt
    }
}

/// A live downstream connection as its registry sees it, whatever is spoken on it.
public protocol DownstreamConnection: AnyObject {
    var origin: ConnectionOrigin { get }
    /// The registry's place for it; the registry's alone.
    var registryIndex: Int { get set }
    /// Nobody waits for anything on it.
    var isIdle: Bool { get }
    /// Its first request has not begun.
    var isFresh: Bool { get }
    var isClosed: Bool { get }
    /// Asks it to end: soon when idle, else after what is under way.
    func drain()
    /// Its descriptor is wanted by somebody else: an idle connection ends at once, or as soon as its peer has been told.
    /// False: it does not.
    func makeWay() -> Bool
    /// Breaks off what is under way.
    func cut()
}

extension DownstreamConnection {
    public func makeWay() -> Bool {
        drain()
        return isClosed
    }
}
