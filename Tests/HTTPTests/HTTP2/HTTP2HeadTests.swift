import Core
import Testing

@testable import HTTP

@Suite("RFC 9113, section 8: heads as text, both ways")
struct HTTP2HeadTests {
    typealias F = Frame

    static let requests: [([UInt8], String)] = [
        (
            F.get("/a?b=c", [("x-y", "1"), ("accept", "*/*")]),
            "GET /a?b=c HTTP/1.1\r\nhost: a.example\r\nx-y: 1\r\naccept: */*\r\n\r\n"
        ),
        (
            F.get("/", [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")]),
            "GET / HTTP/1.1\r\nhost: a.example\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n"
        ),
        (
            F.fields([(":path", "/p"), (":scheme", "http"), (":method", "DELETE"), ("host", "h:81")]),
            "DELETE /p HTTP/1.1\r\nhost: h:81\r\n\r\n"
        ),
        (F.get("/", [("host", "A.EXAMPLE")]), "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        (
            F.fields([(":method", "OPTIONS"), (":scheme", "https"), (":path", "*"), (":authority", "a")]),
            "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
        ),
        (
            F.get("/", [("te", "trailers"), ("empty", "")]),
            "GET / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\nempty: \r\n\r\n"
        ),
    ]

    @Test(arguments: requests) func requestsBecomeText(_ block: [UInt8], _ text: String) {
        let wire = Wire()
        wire.receive(F.headers(1, block))
        #expect(wire.heads == [text])
    }

    private func head(_ block: [UInt8], end: Bool, _ look: (borrowing RequestHead, ByteView) -> Void) throws {
        let wire = Wire()
        wire.receive(F.headers(1, block, end: end))
        let lane = try #require(wire.lanes[1])
        var head = RequestHead()
        #expect(lane.readRequest(into: &head, limits: .request) == nil)
        look(head, lane.heads.view)
    }

    @Test func membersOfARequest() throws {
        try head(F.get("/a/b?q", [("te", "trailers")]), end: true) { head, view in
            #expect(head.majorVersion == 2 && head.minorVersion == 1)
            #expect(head.scheme == .https)
            #expect(head.method == .get)
            #expect(head.path.of(view).string == "/a/b")
            #expect(head.query.of(view).string == "q")
            #expect(head.host.of(view).string == "a.example")
            #expect(head.framing == .none)
            #expect(head.acceptsTrailers == true)
            #expect(head.persistence == .keepAlive)
            #expect(head.length == view.count)
            #expect(head.fields.first(.te) != nil)
        }
        try head(F.post([("content-length", "12"), ("expect", "100-continue")]), end: false) { head, _ in
            #expect(head.framing == .length(octets: 12))
            #expect(head.contentLength == 12)
            #expect(head.expectsContinue == true)
        }
        try head(F.post([("expect", "100-continue")]), end: false) { head, _ in
            #expect(head.framing == .chunked)
            #expect(head.expectsContinue == true)
        }
        try head(F.post(), end: true) { head, _ in
            #expect(head.framing == .none)
            #expect(head.expectsContinue == false)
        }
        try head(F.fields([(":method", "CONNECT"), (":authority", "a:443")]), end: false) { head, _ in
            #expect(head.method == .connect)
            #expect(head.framing == .none)
            #expect(head.port == 443)
        }
    }

    @Test("RFC 8441: an extended CONNECT reads as a GET with the flag") func webSocketRequest() throws {
        let block = F.fields([
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
            (":authority", "a"),
            ("sec-websocket-version", "13"),
        ])
        try head(block, end: false) { head, view in
            #expect(view.string == "GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\n\r\n")
            #expect(head.upgradesToWebSocket == true)
            #expect(head.method == .get)
            #expect(head.framing == .none)
        }
    }

    // MARK: limits (RFC 9113, section 10.5.1)

    static let tooLarge: [(String, [(String, String)], HeadRefusal)] = [
        ("101 fields", (0..<101).map { ("f\($0)", "") }, .tooManyFields),
        ("101 crumbs of a cookie", (0..<101).map { ("cookie", "c\($0)") }, .tooManyFields),
        ("61 KiB", (0..<61).map { ("f\($0)", String(repeating: "v", count: 1024)) }, .headTooLarge),
        (
            "30 KiB in fields of one octet", (0..<99).map { ("f\($0)", String(repeating: "v", count: 600)) },
            .headTooLarge
        ),
    ]

    @Test(arguments: tooLarge) func headsPastALimit(
        _ what: String, _ fields: [(String, String)], _ refusal: HeadRefusal
    ) {
        let wire = Wire()
        wire.readsContent = true
        wire.answers = true
        sendHead(F.get("/", fields), on: wire)
        #expect(wire.outcome == .refused(refusal), "\(what)")
        // The connection's tables are right, and it goes on.
        wire.answers = false
        wire.receive(F.headers(3, F.get("/next")))
        #expect(wire.heads == ["GET /next HTTP/1.1\r\nhost: a.example\r\n\r\n"])
        #expect(wire.closed[1] == .noError)
    }

    private func sendHead(_ block: [UInt8], on wire: Wire) {
        var rest = block[...]
        let first = rest.prefix(16000)
        rest = rest.dropFirst(first.count)
        wire.receive(F.headers(1, Array(first), last: rest.isEmpty))
        while !rest.isEmpty {
            let piece = rest.prefix(16000)
            rest = rest.dropFirst(piece.count)
            wire.receive(F.continuation(1, Array(piece), last: rest.isEmpty))
        }
    }

    @Test func exactlyTheLimit() {
        let wire = Wire()
        wire.receive(F.headers(1, F.get("/", (0..<100).map { ("f\($0)", "") })))
        #expect(wire.outcome == .accepted)
        #expect(wire.heads.count == 1)
    }

    @Test("HPACK bomb: one indexed field of 4,000 octets, again and again") func bomb() {
        let wire = Wire()
        let big = String(repeating: "b", count: 4000)
        // An entry of the dynamic table (RFC 7541, section 6.2.1), then its index, octet by octet.
        let block = F.get() + [0x40] + F.string("bomb") + F.string(big) + [UInt8](repeating: 0xBE, count: 12000)
        wire.receive(F.headers(1, block))
        #expect(wire.outcome == .connection(.enhanceYourCalm))
        #expect(wire.session.abuse == .droppedHead)
        #expect(wire.heads.isEmpty)
    }

    @Test func trailersPastTheirLimit() {
        let wire = Wire()
        wire.receive(F.headers(1, F.post(), end: false))
        wire.receive(F.data(1, "x"))
        wire.receive(F.headers(1, F.fields([("a", String(repeating: "v", count: 9000))])))
        #expect(wire.outcome == .stream(.enhanceYourCalm))
        #expect(wire.trailers[1] == nil)
    }

    @Test func trailersThatMayPass() {
        let wire = Wire()
        wire.receive(F.headers(1, F.post(), end: false))
        wire.receive(F.data(1, "x"))
        wire.receive(F.headers(1, F.fields([("grpc-status", "0"), ("host", "b"), ("set-cookie", "a"), ("x", "y")])))
        #expect(wire.trailers[1] == "grpc-status: 0\r\nx: y\r\n")
        #expect(wire.ended == [1])
    }

    // MARK: text to fields

    /// The session's own frames read by a session of the other side: what went in as text comes out as text.
    private func between(_ client: Wire, _ server: Wire) {
        for _ in 0..<6 {
            let up = client.takeSentOctets()
            if !up.isEmpty { server.receive(up) }
            let down = server.takeSentOctets()
            if !down.isEmpty { client.receive(down) }
        }
    }

    private func pair() -> (Wire, Wire) {
        let client = Wire(.client, opening: false)
        let server = Wire(.server, opening: false)
        client.produce()
        server.produce()
        between(client, server)
        return (client, server)
    }

    private func request(_ text: String, _ client: Wire, ends: Bool = true) -> HTTP2Lane? {
        var buffer = ByteBuffer()
        buffer.append(string: text)
        return client.session.request(&buffer, length: buffer.count, scheme: .https, ends: ends)
    }

    static let upward: [(String, String)] = [
        (
            "GET /a?b HTTP/1.1\r\nHost: h.example:8\r\nX-Y: Z\r\nConnection: close, TE\r\nTE: trailers\r\nKeep-Alive: 5\r\n\r\n",
            "GET /a?b HTTP/1.1\r\nhost: h.example:8\r\nx-y: Z\r\nte: trailers\r\n\r\n"
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nProxy-Connection: x\r\nHTTP2-Settings: y\r\nA:b\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: h\r\na: b\r\n\r\n"
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\nEmpty:\r\n\r\n", "OPTIONS * HTTP/1.1\r\nhost: h\r\nempty: \r\n\r\n"),
        (
            "GET /chat HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET /chat HTTP/1.1\r\nhost: h\r\nsec-websocket-version: 13\r\n\r\n"
        ),
    ]

    @Test(arguments: upward) func requestsGoUp(_ text: String, _ arrives: String) {
        let (client, server) = pair()
        let lane = request(text, client)
        client.produce()
        between(client, server)
        #expect(server.heads == [arrives])
        #expect(server.outcome == .accepted)
        #expect(lane?.isWebSocket == text.contains("Upgrade: websocket"))
    }

    @Test func responsesComeDown() throws {
        let (client, server) = pair()
        _ = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", client)
        client.produce()
        between(client, server)
        let lane = try #require(server.lanes[1])
        for text in [
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\nX: y\r\n\r\n",
        ] {
            var buffer = ByteBuffer()
            buffer.append(string: text)
            server.session.respond(on: lane, &buffer, length: buffer.count, ends: false)
            let rest = buffer.count
            #expect(rest == 0)
        }
        lane.output.append("body")
        lane.trailersToSend.append("Grpc-Status: 0\r\n")
        server.session.endOutput(lane)
        server.produce()
        between(client, server)
        #expect(client.heads == ["HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "HTTP/1.1 200 OK\r\nx: y\r\n\r\n"])
        #expect(client.contents[1] == Array("body".utf8))
        #expect(client.trailers[1] == "grpc-status: 0\r\n")
        #expect(client.closed[1] == .noError)
        #expect(server.closed[1] == .noError)
        #expect(server.session.lanes.isEmpty && client.session.lanes.isEmpty)
    }

    @Test("RFC 8441, section 5: 101 goes as 200, and comes out as 101") func webSocketBothWays() throws {
        let (client, server) = pair()
        let mine = try #require(
            request(
                "GET /c HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                client))
        client.produce()
        between(client, server)
        let lane = try #require(server.lanes[1])
        #expect(lane.isWebSocket)
        var buffer = ByteBuffer()
        buffer.append(
            string:
                "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        server.session.respond(on: lane, &buffer, length: buffer.count, ends: false)
        lane.output.append("frames")
        server.session.resume(lane)
        mine.output.append("up")
        client.session.resume(mine)
        server.produce()
        client.produce()
        between(client, server)
        #expect(
            client.heads == ["HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"])
        #expect(client.contents[1] == Array("frames".utf8))
        #expect(server.contents[1] == Array("up".utf8))
        server.session.endOutput(lane)
        client.session.endOutput(mine)
        server.produce()
        client.produce()
        between(client, server)
        #expect(client.closed[1] == .noError)
    }

    static let responses: [(String, [UInt8], Wire.Outcome)] = [
        ("no :status", F.fields([("a", "b")]), .stream(.protocolError)),
        ("a :status of letters", F.fields([(":status", "abc")]), .stream(.protocolError)),
        ("a :status of four digits", F.fields([(":status", "2000")]), .stream(.protocolError)),
        (":status 101", F.fields([(":status", "101")]), .stream(.protocolError)),
        (":status twice", F.fields([(":status", "200"), (":status", "200")]), .stream(.protocolError)),
        (":path in a response", F.fields([(":status", "200"), (":path", "/")]), .stream(.protocolError)),
        ("connection", F.fields([(":status", "200"), ("connection", "close")]), .stream(.protocolError)),
        (
            "transfer-encoding", F.fields([(":status", "200"), ("transfer-encoding", "chunked")]),
            .stream(.protocolError)
        ),
        ("upper case", F.fields([(":status", "200"), ("A", "b")]), .stream(.protocolError)),
        ("CRLF in a value", F.fields([(":status", "200"), ("a", "b\r\nc: d")]), .stream(.protocolError)),
        ("200 fields", F.fields([(":status", "200")] + (0..<200).map { ("f\($0)", "") }), .accepted),
        ("201 fields", F.fields([(":status", "200")] + (0..<201).map { ("f\($0)", "") }), .refused(.tooManyFields)),
        ("a length and no content", F.fields([(":status", "200"), ("content-length", "5")]), .stream(.protocolError)),
        ("204", F.fields([(":status", "204")]), .accepted),
    ]

    @Test(arguments: responses) func responsesAreHeldAgainstTheRules(
        _ what: String, _ block: [UInt8], _ outcome: Wire.Outcome
    ) {
        let wire = Wire(.client)
        _ = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", wire)
        wire.produce()
        wire.forgetSent()
        wire.receive(F.headers(1, block))
        #expect(wire.outcome == outcome, "\(what)")
    }

    @Test("interim heads without end") func interims() {
        let wire = Wire(.client)
        _ = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", wire)
        wire.produce()
        wire.forgetSent()
        wire.keepsHeads = true
        let big = String(repeating: "b", count: 4000)
        // `:status: 103` and an entry of the dynamic table, then both by index only.
        wire.receive(F.headers(1, [0x48] + F.string("103") + [0x40] + F.string("link") + F.string(big), end: false))
        for _ in 0..<100 where wire.outcome == .accepted { wire.receive(F.headers(1, [0xBF, 0xBE], end: false)) }
        #expect(wire.outcome == .stream(.enhanceYourCalm))
    }

    static let fromServers: [(String, [UInt8], Wire.Outcome)] = [
        ("a request", F.headers(2, F.get()), .connection(.protocolError)),
        (
            "a promise, which our settings forbid", F.raw(5, flags: 4, stream: 1, F.word(2) + F.get()),
            .connection(.protocolError)
        ),
        ("DATA before a head", F.data(1, "x"), .connection(.protocolError)),
        ("a response on an idle stream", F.headers(9, F.fields([(":status", "200")])), .connection(.protocolError)),
        ("HEADERS that end in 103", F.headers(1, F.fields([(":status", "103")])), .stream(.protocolError)),
    ]

    @Test(arguments: fromServers) func whatAServerMayNot(_ what: String, _ frames: [UInt8], _ outcome: Wire.Outcome) {
        let wire = Wire(.client)
        _ = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", wire)
        wire.produce()
        wire.forgetSent()
        wire.receive(frames)
        #expect(wire.outcome == outcome, "\(what)")
    }

    @Test("HEAD and 304 say a length and have no content") func lengthsWithoutContent() throws {
        let wire = Wire(.client)
        let lane = try #require(request("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", wire))
        wire.produce()
        wire.keepsHeads = true
        wire.receive(F.headers(1, F.fields([(":status", "200"), ("content-length", "5")])))
        var head = ResponseHead()
        #expect(lane.readResponse(lane.heads.view, into: &head, limits: .response) == .complete)
        #expect(head.framing == .none && head.contentLength == 5)
        #expect(head.majorVersion == 2 && head.persistence == .keepAlive)
    }
}
