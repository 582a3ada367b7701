import Core
import HTTP
import IO

/// One request of a ``LocalServer`` and its answer. Kept by the server until the answer is sent or the peer is gone; it may
/// be answered in a later turn of the loop.
public final class LocalExchange: ConnectionOwner {
    private enum State { case receiving, waiting, sending, tunnel, ended }

    public let connection: ServerStream
    /// The request's body, unless it is discarded; complete when the server is asked to respond.
    public private(set) var body: [UInt8] = []
    /// The request's trailer fields, as lines with CRLF; complete as the body is.
    public private(set) var trailers = ByteBuffer()
    private let server: LocalServer
    private var state = State.receiving
    private var answer = ByteBuffer()
    /// The body's end is still to be told.
    private var owesEnd = false
    private var limit: Int?
    private var alarm: (() -> Void)?
    /// The head was refused: nothing can be asked of it.
    var isRefusal = false
    private var tunnel: ((inout ByteBuffer, inout ByteBuffer) -> Bool)?

    init(_ connection: ServerStream, server: LocalServer) {
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
    /// 1 or 2.
    public var majorVersion: UInt8 { connection.majorVersion }
    /// By `Upgrade` in HTTP/1.1, by an extended CONNECT in HTTP/2 (RFC 8441).
    public var upgradesToWebSocket: Bool { message.head.upgradesToWebSocket }
    /// A call of gRPC, which is spoken over HTTP/2 only.
    public var isGRPC: Bool { majorVersion == 2 && GRPCStatus.isGRPC(message.head.fields, connection.headBytes) }

    /// The first line with this name, or nil.
    public func field(_ name: FieldName) -> ByteView? {
        message.head.fields.first(name)?.value(in: connection.headBytes)
    }

    public var fieldCount: Int { message.head.fields.count }
    public func field(at index: Int) -> (name: ByteView, value: ByteView) {
        let line = message.head.fields[index]
        return (line.name(in: connection.headBytes), line.value(in: connection.headBytes))
    }

    func begin() {
        if message.head.expectsContinue, !connection.incoming.isComplete {
            connection.resources.buffers.supply(&connection.output)
            connection.output.append("HTTP/1.1 100 Continue\r\n\r\n")
            connection.headWritten(framing: nil)
            _ = connection.flush()
        }
        if case .collected(let octets) = server.bodies(of: self) { limit = octets }
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
                if let limit {
                    guard body.count + run.count <= limit else {
                        connection.closesAfterResponse = true
                        return respond(status: 413, text: "the request's body is larger than this server takes\n")
                    }
                    body += run.array
                }
                let count = run.count
                connection.incoming.consume(count, from: &connection.input)
                connection.contentTaken(count)
                waitForPeer()
            case .complete:
                connection.takeTrailers(to: &trailers)
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
                case .endOfFile:
                    // In HTTP/2 the end of the stream is the body's; a connection's never is a request's.
                    guard connection.incoming.isUntilClose else { return abort() }
                    connection.incoming.endByClose()
                case .failed: return abort()
                }
            }
        }
    }

    // MARK: the answer

    /// Sends the answer. To be called once; after the peer has gone it does nothing.
    /// - Parameters:
    ///   - fields: further field lines, each with its CRLF.
    ///   - trailers: lines to follow the body, likewise; over HTTP/2 only, elsewhere they are dropped.
    public func respond(
        status: UInt16, contentType: StaticString, fields: String = "", body: consuming ByteBuffer,
        trailers: String = ""
    ) {
        guard state == .receiving || state == .waiting else { return }
        let hasBody = status != 204 && status != 304
        let hasTrailers = !trailers.isEmpty && hasBody && !isHead && majorVersion == 2
        connection.resources.buffers.supply(&connection.output)
        writeHead(status: status, contentType: contentType, fields: fields, length: hasBody ? body.count : nil)
        answer = body
        owesEnd = hasTrailers || !(isHead || !hasBody || answer.isEmpty)
        if owesEnd {
            connection.headWritten(framing: hasTrailers ? .chunked : .length(remaining: UInt64(answer.count)))
            if hasTrailers { trailers.withView { connection.appendTrailers($0) } }
        } else {
            answer.clear()
            connection.headWritten(framing: OutgoingFraming.none)
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
        // In HTTP/2 nothing is said of the connection, and what is said is left out.
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
            } else {
                if owesEnd {
                    owesEnd = false
                    connection.endBody()
                }
                if connection.flush() { return finish() }
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

    /// Switches to another protocol (RFC 9110, section 7.8; over HTTP/2 as RFC 8441 says). From then on `body` gets what has
    /// come in, consumes what it used, and appends what is to be sent; when it returns false the conversation ends once that
    /// is sent.
    public func upgrade(
        fields: String, _ body: @escaping (_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Bool
    ) {
        guard state == .waiting else { return }
        connection.resources.buffers.supply(&connection.output)
        connection.output.append("HTTP/1.1 101 Switching Protocols\r\nserver: sluice\r\n")
        connection.output.append(string: fields)
        connection.output.append("\r\n")
        connection.headWritten(framing: .untilClose)
        connection.closesAfterResponse = true
        owesEnd = true
        tunnel = body
        state = .tunnel
        runTunnel()
    }

    private func runTunnel() {
        while state == .tunnel, let tunnel {
            // What was made of the octets so far goes first: a peer that does not read is not read from.
            guard sendTunnelled() else { return connection.failure == nil ? () : abort() }
            if !connection.input.isEmpty {
                let before = connection.input.count
                let goesOn = tunnel(&connection.input, &answer)
                let taken = before - connection.input.count
                connection.contentTaken(taken)
                guard goesOn else {
                    self.tunnel = nil
                    state = .sending
                    waitForPeer()
                    return send()
                }
                if taken > 0 { continue }
            }
            switch connection.fill() {
            case .more: continue
            case .nothing: return
            case .full, .endOfFile, .failed: return abort()
            }
        }
    }

    /// True: nothing waits any more.
    private func sendTunnelled() -> Bool {
        while !answer.isEmpty {
            let taken = connection.write(body: answer.view)
            answer.consume(taken)
            if taken == 0, connection.output.isEmpty || !connection.flush() { return false }
        }
        answer.clear()
        return connection.flush()
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
