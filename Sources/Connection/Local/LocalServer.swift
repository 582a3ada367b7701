import Core
import HTTP
import IO
import TLS

/// A server whose answers are made in this process: the admin interface, `echo`. Requests are collected whole (their
/// bodies are small and bounded), answers of any size are sent under back-pressure.
///
/// A subclass overrides ``respond(to:)``. The listening socket is borrowed; it must outlive the server. HTTP/1.1 in clear
/// text is always spoken; more is asked for by ``takesHTTP2`` and by a ``TLSFront``.
open class LocalServer: ConnectionOwner {
    /// Connections at once. The next one takes the place of an idle one, or is closed at once.
    open var connectionLimit: Int { 512 }
    /// Connections accepted in one turn of the loop.
    private static let acceptsPerTurn = 64
    /// Accepting pauses for this long when the process has no descriptor left.
    private static let acceptPause = TimeAmount.milliseconds(100)

    public let resources: ConnectionResources
    /// What becomes of requests' bodies.
    public enum Bodies {
        /// Collected, up to so many octets; a longer one is a 413.
        case collected(limit: Int)
        /// Read to their end and thrown away.
        case discarded
    }
    public let bodies: Bodies
    /// How long a peer may send nothing of its request's body, or take nothing of the answer.
    public var patience = TimeAmount.seconds(60)
    /// HTTP/2 too: by prior knowledge in clear text, over TLS where ALPN has chosen it.
    public var takesHTTP2 = false
    private let listener: CInt
    /// Nil: clear text.
    private let front: TLSFront?
    private var acceptor: Acceptor!
    private var connections: [ObjectIdentifier: any DownstreamConnection] = [:]
    private var exchanges: [ObjectIdentifier: LocalExchange] = [:]
    var date = HTTPDate()

    /// - Parameters:
    ///   - listener: a non-blocking listening socket.
    ///   - front: every connection begins with a TLS handshake that it answers; nil: clear text.
    public init(listener: CInt, front: TLSFront? = nil, resources: ConnectionResources, bodies: Bodies) {
        self.listener = listener
        self.front = front
        self.resources = resources
        self.bodies = bodies
        super.init()
        acceptor = Acceptor(self)
        resources.loop.addReader(listener, acceptor)
    }

    /// The request is complete. To be answered now or later by ``LocalExchange/respond(status:contentType:fields:body:)``.
    open func respond(to exchange: LocalExchange) {}

    /// What becomes of this request's body; asked when its head is there.
    open func bodies(of exchange: LocalExchange) -> Bodies { bodies }

    /// Takes no more connections, and asks those that there are to end (``DownstreamConnection/drain()``).
    public func stopAccepting() {
        guard acceptor.isRegistered else { return }
        acceptor.isRegistered = false
        if acceptor.isPaused {
            resources.loop.clearDeadline(acceptor)
        } else {
            resources.loop.remove(listener, closing: false)
        }
        for connection in connections.values { connection.drain() }
    }

    /// Requests whose answers are not sent yet.
    public var openExchanges: Int { exchanges.count }

    // MARK: connections

    fileprivate func accept() {
        for _ in 0..<Self.acceptsPerTurn {
            do throws(Errno) {
                guard let (fd, peer) = try Socket.accept(listener) else { return }
                adopt(OwnedFD(adopting: fd), peer)
            } catch {
                // Level-triggered: without a pause this would be a busy loop.
                resources.loop.remove(listener, closing: false)
                acceptor.isPaused = true
                resources.loop.setDeadline(acceptor, resources.loop.now + Self.acceptPause)
                return
            }
        }
    }

    fileprivate func resumeAccepting() {
        acceptor.isPaused = false
        resources.loop.addReader(listener, acceptor)
    }

    private func adopt(_ fd: consuming OwnedFD, _ peer: SocketAddress) {
        if connections.count >= connectionLimit {
            guard let idle = connections.values.first(where: { $0.isIdle }) else { return }
            _ = idle.makeWay()
        }
        let origin = ConnectionOrigin(peer: peer, socketID: 0, acceptedAt: resources.loop.now)
        if let front {
            keep(TLSHandshake(adopting: fd, origin: origin, front: front, owner: self, resources: resources))
        } else {
            keep(HTTP1ServerConnection(adopting: fd, origin: origin, acceptor: self, resources: resources))
        }
    }

    private func keep(_ connection: some DownstreamConnection) {
        connections[ObjectIdentifier(connection)] = connection
    }

    public final override func handshakeEnded(_ handshake: TLSHandshake) {
        let channel = handshake.channel
        let (fd, origin) = handshake.take(listenerIdentity: Self.onlyListener)
        connections[ObjectIdentifier(handshake)] = nil
        if channel.session.applicationProtocol.equals("h2") {
            beginHTTP2(fd, channel, ByteBuffer(), origin)
        } else {
            let connection = HTTP1ServerConnection(
                taking: fd, tls: channel, received: ByteBuffer(), origin: origin, acceptor: self, resources: resources)
            keep(connection)
            connection.ready(.anyTransfer)
            if !acceptor.isRegistered { connection.drain() }
        }
    }

    /// Any number but that of clear text: there are no others to tell it from.
    private static let onlyListener: UInt64 = 1

    public final override func handshakeFailed(_ handshake: TLSHandshake, _ failure: TLSFailure) {
        connections[ObjectIdentifier(handshake)] = nil
    }

    public final override func prefaceReceived(on connection: HTTP1ServerConnection) -> Bool {
        guard takesHTTP2, connection.tls == nil else { return false }
        var received = ByteBuffer()
        let fd = connection.take(received: &received)
        connections[ObjectIdentifier(connection)] = nil
        beginHTTP2(fd, nil, received, connection.origin)
        return true
    }

    private func beginHTTP2(
        _ fd: CInt, _ tls: TLSChannel?, _ received: consuming ByteBuffer, _ origin: ConnectionOrigin
    ) {
        let connection = HTTP2ServerConnection(
            taking: fd, tls: tls, received: received, origin: origin, acceptor: self, resources: resources)
        keep(connection)
        connection.ready(.anyTransfer)
        if !acceptor.isRegistered { connection.drain() }
    }

    public final override func requestReceived(on connection: ServerStream) {
        let exchange = LocalExchange(connection, server: self)
        exchanges[ObjectIdentifier(exchange)] = exchange
        connection.owner = exchange
        exchange.begin()
    }

    public final override func refused(on connection: ServerStream, status: UInt16, reason: StaticString) {
        let exchange = LocalExchange(connection, server: self)
        exchanges[ObjectIdentifier(exchange)] = exchange
        connection.owner = exchange
        exchange.isRefusal = true
        exchange.respond(status: status, text: "\(reason)\n")
    }

    public final override func closed(_ connection: any DownstreamConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    func ended(_ exchange: LocalExchange) { exchanges[ObjectIdentifier(exchange)] = nil }
}

/// The listening socket in the loop, apart from the server because both have deadlines and events of their own.
private final class Acceptor: EventSource {
    unowned let server: LocalServer
    /// Accepting has not been stopped for good.
    var isRegistered = true
    /// The loop does not know the listener for a moment: no descriptors are left.
    var isPaused = false

    init(_ server: LocalServer) { self.server = server }

    override func ready(_ events: ReadyEvents) { server.accept() }
    override func deadlinePassed(now: Instant) { server.resumeAccepting() }
}
