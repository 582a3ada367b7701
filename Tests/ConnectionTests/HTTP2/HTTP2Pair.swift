import Core
import Glibc
import HTTP
import IO
import Testing

@testable import Connection

/// A server's and a client's HTTP/2 connection over loopback, on one loop that is turned by hand. This object owns what is
/// on both: it answers as the test says, and notes what it was told.
final class HTTP2Pair: ConnectionOwner {
    let resources: ConnectionResources
    private var server: HTTP2ServerConnection?
    private var client: HTTP2ClientConnection?
    private var listener: OwnedFD
    private var connector: Connector?
    /// Requests under way at the server.
    private(set) var requests: [ServerStream] = []
    private(set) var requestHeads: [String] = []
    private(set) var refusals: [UInt16] = []
    private(set) var requestBody = 0
    private(set) var responses: [ObjectIdentifier: Response] = [:]
    private(set) var serverIsClosed = false
    private(set) var clientIsClosed = false
    private(set) var lanesFreedCalls = 0
    /// What the server does with a request that is complete to its head.
    var onRequest: (ServerStream) -> Void = { _ in }
    /// What the server reads of bodies at once; false: nothing.
    var serverReads = true
    var clientReads = true

    struct Response {
        var head = ""
        var body: [UInt8] = []
        var trailers = ""
        var isComplete = false
        var hasFailed = false
        var mayHaveBeenProcessed = true
    }

    /// The client's socket, when the test speaks for the client itself.
    private(set) var rawClient: CInt = -1

    /// - Parameter raw: no client's connection, only its socket.
    init(limits: ConnectionLimits = ConnectionLimits(), raw: Bool = false) {
        resources = ConnectionResources(loop: EventLoop(), limits: limits)
        listener = try! Socket.listen(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 0))
        super.init()
        let address = Socket.localAddress(listener.raw)!
        if raw {
            rawClient = try! Socket.connect(address).release()
        } else {
            connector = try! Connector(
                to: address, timeout: .seconds(5), security: nil, owner: self, resources: resources)
            until { client != nil }
        }
        let accepted = try! Socket.accept(listener.raw)!
        resources.loop.add(accepted.fd, EventSource())
        let connection = HTTP2ServerConnection(
            taking: accepted.fd, received: ByteBuffer(),
            origin: ConnectionOrigin(peer: accepted.peer, socketID: 0, acceptedAt: resources.loop.now), acceptor: self,
            resources: resources)
        server = connection
        connection.ready(ReadyEvents(rawValue: 0))
    }

    func send(_ octets: [UInt8]) {
        #expect(Glibc.send(rawClient, octets, octets.count, 0) == octets.count)
    }

    deinit { if rawClient >= 0 { Glibc.close(rawClient) } }

    func end() {
        client?.close()
        if rawClient >= 0 {
            Glibc.close(rawClient)
            rawClient = -1
        }
        server?.cut()
        for _ in 0..<20 where !serverIsClosed { resources.loop.turn(limit: 5) }
    }

    var serverConnection: HTTP2ServerConnection { server! }
    var clientConnection: HTTP2ClientConnection { client! }

    func turn() { resources.loop.turn(limit: 1) }

    /// Turns the loop until something is so; at most five seconds.
    func until(_ condition: () -> Bool) {
        let end = SystemCalls.monotonicNow() + .seconds(5)
        while !condition() {
            guard SystemCalls.monotonicNow() < end else {
                Issue.record("waited in vain")
                return
            }
            resources.loop.turn(limit: 5)
        }
    }

    // MARK: the client's side

    override func established(_ connector: Connector) {
        client = HTTP2ClientConnection(connector, scheme: .http, pool: self, resources: resources)
    }

    @discardableResult
    func request(_ text: String, framing: OutgoingFraming = .none) -> HTTP2ClientStream {
        let stream = clientConnection.openStream(owner: self)
        responses[ObjectIdentifier(stream)] = Response()
        stream.output.append(string: text)
        stream.headWritten(framing: framing)
        return stream
    }

    func response(_ stream: ClientStream) -> Response { responses[ObjectIdentifier(stream)] ?? Response() }

    override func lanesFreed(_ connection: HTTP2ClientConnection) { lanesFreedCalls += 1 }
    override func closed(_ connection: HTTP2ClientConnection) { clientIsClosed = true }

    // MARK: the server's side

    override func requestReceived(on stream: ServerStream) {
        requests.append(stream)
        requestHeads.append(stream.headBytes.string)
        stream.owner = self
        onRequest(stream)
    }

    override func refused(on stream: ServerStream, status: UInt16, reason: StaticString) {
        refusals.append(status)
        stream.owner = self
        stream.output.append(string: "HTTP/1.1 \(status) No\r\ncontent-length: 3\r\n\r\nno\n")
        stream.answerWritten()
        stream.exchangeEnded()
    }

    override func cut(on stream: ServerStream) {
        forget(stream)
        stream.exchangeAborted()
    }

    override func closed(_ connection: any DownstreamConnection) { serverIsClosed = true }

    func forget(_ stream: ServerStream) { requests.removeAll { $0 === stream } }

    func answer(_ stream: ServerStream, _ body: String, head: String = "HTTP/1.1 200 OK\r\n\r\n") {
        stream.output.append(string: head)
        stream.headWritten(framing: body.isEmpty ? OutgoingFraming.none : .chunked)
        if !body.isEmpty {
            let count = body.withView { stream.write(body: $0) }
            #expect(count == body.utf8.count || stream.failure != nil)
            stream.endBody()
        }
        forget(stream)
        if stream.flush() { stream.exchangeEnded() } else { stream.exchangeAborted() }
    }

    // MARK: both

    override func readable(_ stream: MessageStream) {
        if let stream = stream as? HTTP2ClientStream { return readResponse(stream) }
        if stream.isGone, let server = stream as? ServerStream {
            forget(server)
            return server.exchangeAborted()
        }
        if serverReads { requestBody += read(stream).count }
    }

    override func writable(_ stream: MessageStream) { writableCalls += 1 }
    private(set) var writableCalls = 0

    /// Takes what of a body is there.
    func read(_ stream: MessageStream) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            switch stream.incoming.next(&stream.input) {
            case .data(let run):
                body += run.array
                let count = run.count
                stream.incoming.consume(count, from: &stream.input)
                stream.contentTaken(count)
            case .needMore:
                if stream.fill() == .endOfFile { stream.incoming.endByClose() } else { return body }
            case .complete, .refused: return body
            }
        }
    }

    private func readResponse(_ stream: HTTP2ClientStream) {
        let id = ObjectIdentifier(stream)
        while responses[id]?.head.hasPrefix("HTTP/1.1 1") != false || responses[id]?.head == "" {
            switch stream.readHead(for: .get) {
            case .complete:
                responses[id]?.head = stream.headBytes.string
                stream.dropHead()
                continue
            case .waiting: return
            case .endOfFile, .failed, .refused:
                responses[id]?.hasFailed = true
                responses[id]?.mayHaveBeenProcessed = stream.mayHaveBeenProcessed
                return stream.close()
            }
        }
        guard clientReads else { return }
        responses[id]?.body += read(stream)
        if stream.incoming.isComplete {
            var trailers = ByteBuffer()
            stream.takeTrailers(to: &trailers)
            responses[id]?.trailers = trailers.view.string
            responses[id]?.isComplete = true
            stream.release(keeps: true)
        } else if stream.failure != nil {
            responses[id]?.hasFailed = true
            stream.close()
        }
    }
}
