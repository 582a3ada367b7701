import Config
import Core
import HTTP
import Telemetry
import Testing

@testable import Proxy

/// Calls of gRPC-Web on the rules of a GRPCRoute, the backend being one of gRPC.
@Suite("gRPC-Web through the gateway") struct GRPCWebExchangeTests {
    static func harness(_ rules: [RulePlan]? = nil, kind: String = "GRPCRoute") throws -> WorkerHarness {
        let harness = try WorkerHarness()
        try harness.publish(rules: rules) { $0.routes[0].kind = kind }
        return harness
    }

    static func head(_ type: String, _ framing: String) -> String {
        "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/\(type)\r\n\(framing)\r\n\r\n"
    }

    /// A message of gRPC: `hello`.
    static let message = "\u{0}\u{0}\u{0}\u{0}\u{5}hello"
    static let text = "AAAAAAVoZWxsbw=="
    static let trailers = "grpc-status: 0\r\nx-sum: 5\r\n"
    static let response =
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "a\r\n\(message)\r\n0\r\nGrpc-Status: 0\r\nX-Sum: 5\r\n\r\n"

    static func decode(_ text: [UInt8]) -> [UInt8] {
        var decoder = Base64Decoder()
        var out = ByteBuffer()
        return text.withView { decoder.decode($0, to: &out) } ? out.view.array : []
    }

    static let frames =
        Array("\(message)\u{80}".unicodeScalars.map { UInt8($0.value) })
        + [0, 0, 0, UInt8(trailers.utf8.count)] + Array(trailers.utf8)

    @Test func messagesAsTheyAre() throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web+proto", "Content-Length: 10") + Self.message)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "hello")
        let request = backend.received.lowercased()
        #expect(request.contains("\r\ncontent-type: application/grpc+proto\r\n"))
        #expect(request.contains("\r\ncontent-length: 10\r\n"))
        #expect(request.contains("\r\nte: trailers\r\n"))
        #expect(!request.contains("grpc-web"))
        backend.send(Self.response)
        harness.expect(client, toReceive: "x-sum: 5\r\n\r\n0\r\n\r\n")
        #expect(client.received.contains("\r\nContent-Type: application/grpc-web+proto\r\n"))
        #expect(Self.content(client) == Self.frames)
        harness.settle()
        harness.expectNothingUnderWay()
    }

    /// The content of the chunked body that came.
    static func content(_ socket: RawSocket) -> [UInt8] {
        var at = 0
        let octets = socket.bytes
        while at + 4 <= octets.count, Array(octets[at..<(at + 4)]) != [13, 10, 13, 10] { at += 1 }
        at += 4
        var result: [UInt8] = []
        while at < octets.count {
            guard let end = octets[at...].firstIndex(of: 13),
                let size = Int(String(decoding: octets[at..<end], as: UTF8.self), radix: 16), size > 0
            else { break }
            result += octets[(end + 2)..<(end + 2 + size)]
            at = end + 2 + size + 2
        }
        return result
    }

    @Test(arguments: ["Content-Length: 16", "Transfer-Encoding: chunked"]) func messagesInBase64(framing: String) throws
    {
        let harness = try Self.harness()
        let client = try harness.connect()
        let isChunked = framing.hasSuffix("chunked")
        client.send(Self.head("grpc-web-text", framing))
        let backend = try harness.acceptBackend()
        // An octet at a time: what is whole goes on.
        for octet in Self.text.utf8 {
            client.send(isChunked ? "1\r\n\(Character(UnicodeScalar(octet)))\r\n" : String(UnicodeScalar(octet)))
            harness.settle()
        }
        if isChunked { client.send("0\r\n\r\n") }
        harness.expect(backend, toReceive: "\r\n0\r\n\r\n")
        let request = backend.received.lowercased()
        #expect(request.contains("\r\ncontent-type: application/grpc\r\n"))
        #expect(!request.contains("content-length"))
        #expect(Self.content(backend) == Array(Self.message.utf8))
        backend.send(Self.response)
        harness.expect(client, toReceive: "\r\n0\r\n\r\n")
        #expect(client.received.contains("\r\nContent-Type: application/grpc-web-text+proto\r\n"))
        #expect(Self.decode(Self.content(client)) == Self.frames)
    }

    /// A stream of messages: each is the client's before the next one comes.
    @Test func messagesAreNotHeldBack() throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web-text", "Content-Length: 16") + Self.text)
        let backend = try harness.acceptBackend()
        backend.send("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in 1...3 {
            backend.send("a\r\n\(Self.message)\r\n")
            harness.until("message \(number)") {
                client.receive()
                return Self.content(client).count == number * 16
            }
        }
        backend.send("0\r\n\r\n")
        harness.expect(client, toReceive: "\r\n0\r\n\r\n")
        #expect(Self.decode(Self.content(client)) == Array((Self.message + Self.message + Self.message).utf8))
    }

    @Test func aLargeBodyPassesAClientThatReadsSlowly() throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web-text", "Content-Length: 16") + Self.text)
        let backend = try harness.acceptBackend()
        let size = 1_000_000
        let octets =
            [0, 0, UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255)] + [UInt8](repeating: 7, count: size)
        backend.send(
            "HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nContent-Length: \(octets.count)\r\n\r\n")
        var sent = 0
        harness.until("all was sent and read") {
            if sent < octets.count { sent += backend.send(Array(octets[sent..<min(octets.count, sent + 50_000)])) }
            client.receive(limit: 20_000)
            return client.received.hasSuffix("\r\n0\r\n\r\n")
        }
        #expect(!client.received.lowercased().contains("content-length"))
        #expect(Self.decode(Self.content(client)) == octets)
    }

    @Test func trailersAlone() throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web", "Content-Length: 10") + Self.message)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "hello")
        backend.send(
            "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-status: 5\r\n\r\n")
        harness.expect(client, toReceive: "grpc-status: 5\r\n")
        #expect(client.received.contains("\r\nContent-Type: application/grpc-web+proto\r\n"))
        #expect(client.received.contains("\r\nContent-Length: 0\r\n"))
        #expect(client.received.hasSuffix("\r\n\r\n"))
    }

    @Test func whatIsNotGRPCComesAsItIs() throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web", "Content-Length: 10") + Self.message)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "hello")
        backend.send("HTTP/1.1 418 No\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n")
        harness.expect(client, toReceive: "\r\n\r\nno\n")
        #expect(client.received.contains("\r\nContent-Length: 3\r\n"))
    }

    /// The backends of an HTTPRoute may speak gRPC-Web themselves.
    @Test func anHTTPRoutePassesItOn() throws {
        let harness = try Self.harness(kind: "HTTPRoute")
        let client = try harness.connect()
        client.send(Self.head("grpc-web-text", "Content-Length: 16") + Self.text)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: Self.text)
        #expect(backend.received.contains("\r\nContent-Type: application/grpc-web-text\r\n"))
    }

    @Test(arguments: ["AAA*", "AAAA AAA", "AAAAA"]) func whatIsNoBase64IsRefused(body: String) throws {
        let harness = try Self.harness()
        let client = try harness.connect()
        client.send(Self.head("grpc-web-text", "Content-Length: \(body.utf8.count)") + body)
        harness.expect(client, toReceive: "grpc-status: 13\r\n")
        #expect(client.received.contains("\r\ncontent-type: application/grpc-web-text+proto\r\n"))
        #expect(client.received.contains("\r\nconnection: close\r\n"))
        harness.settle()
        harness.expectNothingUnderWay()
    }

    /// Our own answers are the protocol's, and a page of another origin may read them.
    @Test func ourOwnAnswers() throws {
        var rule = WorkerHarness.rule()
        rule.backends[0].target = .answer(500)
        rule.filters.cors = CORSPlan(
            allowOrigins: ["https://a.example"], allowCredentials: false, allowMethods: [], allowHeaders: [],
            exposeHeaders: ["grpc-status"], maxAge: 5)
        let harness = try Self.harness([rule])
        let client = try harness.connect()
        client.send(Self.head("grpc-web+proto", "Origin: https://a.example\r\nContent-Length: 10") + Self.message)
        harness.expect(client, toReceive: "\r\n\r\n")
        #expect(client.received.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(client.received.contains("\r\ncontent-type: application/grpc-web+proto\r\n"))
        #expect(client.received.contains("\r\naccess-control-allow-origin: https://a.example\r\n"))
        #expect(client.received.contains("\r\naccess-control-expose-headers: grpc-status\r\n"))
        #expect(client.received.contains("\r\ngrpc-status: 2\r\n"))
    }

    /// What was kept of a body for another attempt is what the backend got of it.
    @Test func anotherAttemptGetsTheSame() throws {
        let rule = WorkerHarness.rule {
            $0.retry = RetryPlan(codes: [503], attempts: 1, backoff: .zero)
        }
        let harness = try Self.harness([rule])
        let client = try harness.connect()
        client.send(Self.head("grpc-web-text", "Content-Length: 16") + Self.text)
        let first = try harness.acceptBackend()
        harness.expect(first, toReceive: "\r\n0\r\n\r\n")
        first.forget()
        first.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        harness.expect(first, toReceive: "\r\n0\r\n\r\n")
        #expect(Self.content(first) == Array(Self.message.utf8))
        first.send(Self.response)
        harness.expect(client, toReceive: "\r\n0\r\n\r\n")
        #expect(Self.decode(Self.content(client)) == Self.frames)
    }
}
