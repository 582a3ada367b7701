import Core
import HTTP
import IO

/// A server whose answers are made in this process: the admin interface, `echo`. Requests are collected whole (their
/// bodies are small and bounded), answers of any size are sent under back-pressure.
///
/// A subclass overrides ``respond(to:)``. The listening socket is borrowed; it must outlive the server.
open class LocalServer: ConnectionOwner {
    /// Connections at once. The next one takes the place of an idle one, or is closed at once.
    public static let connectionLimit = 512
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
    private let listener: CInt
    private var acceptor: Acceptor!
    private var connections: [ObjectIdentifier: any DownstreamConnection] = [:]
    private var exchanges: [ObjectIdentifier: LocalExchange] = [:]
    fileprivate var date = HTTPDate()

    /// - Parameter listener: a non-blocking listening socket.
    public init(listener: CInt, resources: ConnectionResources, bodies: Bodies) {
        self.listener = listener
        self.resources = resources
        self.bodies = bodies
        super.init()
        acceptor = Acceptor(self)
        resources.loop.addReader(listener, acceptor)
    }

    /// The request is complete. To be answered now or later by ``LocalExchange/respond(status:contentType:fields:body:)``.
    open func respond(to exchange: LocalExchange) {}

    /// Takes no more connections and closes those that wait for a request.
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
        if connections.count >= Self.connectionLimit {
            guard let idle = connections.values.first(where: { $0.isIdle }) else { return }
            idle.drain()
        }
        let origin = ConnectionOrigin(peer: peer, socketID: 0, acceptedAt: resources.loop.now)
        let connection = HTTP1ServerConnection(adopting: fd, origin: origin, acceptor: self, resources: resources)
        connections[ObjectIdentifier(connection)] = connection
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

    fileprivate func ended(_ exchange: LocalExchange) { exchanges[ObjectIdentifier(exchange)] = nil }
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

/// One request of a ``LocalServer`` and its answer. Kept by the server until the answer is sent or the peer is gone; it may
/// be answered in a later turn of the loop.
public final class LocalExchange: ConnectionOwner {
    private enum State { case receiving, waiting, sending, tunnel, ended }

    public let connection: ServerStream
    /// The request's body, unless it is discarded; complete when the server is asked to respond.
    public private(set) var body: [UInt8] = []
    private let server: LocalServer
    private var state = State.receiving
    private var answer = ByteBuffer()
    private var alarm: (() -> Void)?
    /// The head was refused: nothing can be asked of it.
    fileprivate var isRefusal = false
    private var tunnel: ((inout ByteBuffer, inout ByteBuffer) -> Bool)?

    fileprivate init(_ connection: ServerStream, server: LocalServer) {
        self.connection = connection
        self.server = server
    }

    /// Whether anybody still waits for the answer.
    public var isOpen: Bool { state != .ended }

    // MARK: the request

    private var message: RequestMessage {
        guard let message = connection.request else { preconditionFailure("an exchange without a request") }
        return message
    }

    public var method: ByteView { message.head.methodRange.of(connection.headBytes) }
    public var isHead: Bool { !isRefusal && message.head.method == .head }
    /// As sent, query included.
    public var target: ByteView { message.head.target.of(connection.headBytes) }
    public var path: ByteView { message.head.path.of(connection.headBytes) }
    public var query: ByteView { message.head.query.of(connection.headBytes) }
    public var minorVersion: UInt8 { message.head.minorVersion }
    public var upgradesToWebSocket: Bool { message.head.upgradesToWebSocket }

    /// The first line with this name, or nil.
    public func field(_ name: FieldName) -> ByteView? {
        message.head.fields.first(name)?.value(in: connection.headBytes)
    }

    public var fieldCount: Int { message.head.fields.count }
    public func field(at index: Int) -> (name: ByteView, value: ByteView) {
        let line = message.head.fields[index]
        return (line.name(in: connection.headBytes), line.value(in: connection.headBytes))
    }

    fileprivate func begin() {
        if message.head.expectsContinue, !connection.incoming.isComplete {
            connection.resources.buffers.supply(&connection.output)
            connection.output.append("HTTP/1.1 100 Continue\r\n\r\n")
            _ = connection.flush()
        }
        waitForPeer()
        receive()
    }

    private func waitForPeer() {
        server.resources.loop.setDeadline(self, server.resources.loop.now + server.patience)
    }

    private func receive() {
        while state == .receiving {
            switch connection.incoming.next(&connection.input) {
            case .data(let run):
                if case .collected(let limit) = server.bodies {
                    guard body.count + run.count <= limit else {
                        connection.closesAfterResponse = true
                        return respond(status: 413, text: "the request's body is larger than this server takes\n")
                    }
                    body += run.array
                }
                connection.incoming.consume(run.count, from: &connection.input)
                waitForPeer()
            case .complete:
                state = .waiting
                server.resources.loop.clearDeadline(self)
                server.respond(to: self)
            case .refused:
                connection.closesAfterResponse = true
                return respond(status: 400, text: "the request's body is not framed as HTTP says\n")
            case .needMore:
                switch connection.fill() {
                case .more: continue
                case .nothing: return
                case .full: preconditionFailure("a body's run was not consumed")
                case .endOfFile, .failed: return abort()
                }
            }
        }
    }

    // MARK: the answer

    /// Sends the answer. To be called once; after the peer has gone it does nothing.
    /// - Parameter fields: further field lines, each with its CRLF.
    public func respond(status: UInt16, contentType: StaticString, fields: String = "", body: consuming ByteBuffer) {
        guard state == .receiving || state == .waiting else { return }
        let hasBody = status != 204 && status != 304
        connection.resources.buffers.supply(&connection.output)
        writeHead(status: status, contentType: contentType, fields: fields, length: hasBody ? body.count : nil)
        answer = body
        if isHead || !hasBody || answer.isEmpty {
            answer.clear()
            connection.outgoing = .none
        } else {
            connection.outgoing = .length(remaining: UInt64(answer.count))
        }
        state = .sending
        alarm = nil
        waitForPeer()
        send()
    }

    public func respond(status: UInt16, fields: String = "", text: String) {
        var body = ByteBuffer()
        body.append(string: text)
        respond(status: status, contentType: "text/plain; charset=utf-8", fields: fields, body: body)
    }

    private func writeHead(status: UInt16, contentType: StaticString, fields: String, length: Int?) {
        let now = server.resources.loop.wallNow / 1_000_000_000
        StatusLine.write(status: status, to: &connection.output)
        connection.output.append("server: sluice\r\ndate: ")
        server.date.write(unixSeconds: now, to: &connection.output)
        if let length {
            connection.output.append("\r\ncontent-type: ")
            connection.output.append(contentType)
            connection.output.append("\r\ncontent-length: ")
            connection.output.append(decimal: UInt64(length))
        }
        connection.output.append("\r\n")
        connection.output.append(string: fields)
        if connection.closesAfterResponse {
            connection.output.append("connection: close\r\n")
        } else if minorVersion == 0 {
            connection.output.append("connection: keep-alive\r\n")
        }
        connection.output.append("\r\n")
    }

    private func send() {
        while state == .sending {
            if !answer.isEmpty {
                let taken = connection.write(body: answer.view)
                if taken > 0 {
                    answer.consume(taken)
                    waitForPeer()
                    continue
                }
                // Nothing was taken: there is no room behind what waits, or the socket is full.
                if !connection.output.isEmpty, connection.flush() { continue }
            } else if connection.flush() {
                return finish()
            }
            if connection.failure != nil { return abort() }
            return
        }
    }

    private func finish() {
        state = .ended
        server.resources.loop.clearDeadline(self)
        let held = self
        connection.exchangeEnded()
        server.ended(held)
    }

    private func abort() {
        guard state != .ended else { return }
        state = .ended
        server.resources.loop.clearDeadline(self)
        connection.exchangeAborted()
        server.ended(self)
    }

    // MARK: waiting, and other protocols

    /// Calls `action` later, unless the peer has gone by then. One at a time.
    public func after(_ amount: TimeAmount, _ action: @escaping () -> Void) {
        alarm = action
        server.resources.loop.setDeadline(self, server.resources.loop.now + amount)
    }

    public override func deadlinePassed(now: Instant) {
        guard let action = alarm else { return abort() }
        alarm = nil
        action()
    }

    /// Switches to another protocol (RFC 9110, section 7.8). From then on `body` gets what has come in, consumes what it
    /// used, and appends what is to be sent; when it returns false the connection ends once that is sent.
    public func upgrade(
        fields: String, _ body: @escaping (_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Bool
    ) {
        guard state == .waiting else { return }
        connection.resources.buffers.supply(&connection.output)
        connection.output.append("HTTP/1.1 101 Switching Protocols\r\nserver: sluice\r\n")
        connection.output.append(string: fields)
        connection.output.append("\r\n")
        connection.closesAfterResponse = true
        tunnel = body
        state = .tunnel
        runTunnel()
    }

    private func runTunnel() {
        while state == .tunnel, let tunnel {
            // What was made of the octets so far goes first: a peer that does not read is not read from.
            guard connection.flush() else { return connection.failure == nil ? () : abort() }
            if !connection.input.isEmpty {
                connection.resources.buffers.supply(&connection.output)
                let before = connection.input.count
                guard tunnel(&connection.input, &connection.output) else {
                    self.tunnel = nil
                    state = .sending
                    waitForPeer()
                    return send()
                }
                if connection.input.count < before { continue }
            }
            switch connection.fill() {
            case .more: continue
            case .nothing: return
            case .full, .endOfFile, .failed: return abort()
            }
        }
    }

    // MARK: events

    public override func readable(_ connection: MessageStream) {
        switch state {
        case .receiving: receive()
        case .tunnel: runTunnel()
        case .waiting, .sending:
            // Pipelined requests wait. A peer that has reset is noticed here, so that nothing is kept for nobody.
            if self.connection.isPeerLost { abort() }
        case .ended: break
        }
    }

    public override func writable(_ connection: MessageStream) {
        switch state {
        case .sending: send()
        case .tunnel: runTunnel()
        case .receiving, .waiting: _ = connection.flush()
        case .ended: break
        }
    }
}
