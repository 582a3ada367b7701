import Core
import HTTP
import IO
import Testing

@testable import Connection

@Suite("HTTP/2 connections, both sides") struct HTTP2ConnectionTests {
    static let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    static let post = "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func requestAndResponse() {
        let pair = HTTP2Pair()
        pair.onRequest = { pair.answer($0, "hello", head: "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n\r\n") }
        let stream = pair.request(Self.get)
        pair.until { pair.response(stream).isComplete }
        #expect(pair.requestHeads == ["GET /a HTTP/1.1\r\nhost: h\r\n\r\n"])
        #expect(pair.response(stream).head == "HTTP/1.1 200 OK\r\nserver: x\r\n\r\n")
        #expect(pair.response(stream).body == Array("hello".utf8))
        pair.until { pair.serverConnection.isIdle }
        #expect(pair.clientConnection.freeLanes == 100)
        pair.end()
        #expect(pair.serverIsClosed && pair.clientIsClosed)
    }

    @Test("many at once, each its own answer") func many() {
        let pair = HTTP2Pair()
        pair.onRequest = { stream in
            let target = stream.request!.head.target.of(stream.headBytes).string
            pair.answer(stream, "answer to \(target)")
        }
        var streams: [HTTP2ClientStream] = []
        for i in 0..<100 { streams.append(pair.request("GET /\(i) HTTP/1.1\r\nHost: h\r\n\r\n")) }
        #expect(pair.clientConnection.freeLanes == 0)
        pair.until { streams.allSatisfy { pair.response($0).isComplete } }
        for (i, stream) in streams.enumerated() {
            #expect(pair.response(stream).body == Array("answer to /\(i)".utf8))
        }
        #expect(pair.lanesFreedCalls >= 100)
        pair.end()
    }

    @Test("stream objects are used again") func reuse() {
        let pair = HTTP2Pair()
        pair.onRequest = { pair.answer($0, "") }
        var objects: Set<ObjectIdentifier> = []
        for _ in 0..<50 {
            let stream = pair.request(Self.get)
            objects.insert(ObjectIdentifier(stream))
            pair.until { pair.response(stream).isComplete }
        }
        #expect(objects.count == 1)
        pair.end()
    }

    @Test func bodiesAndTrailersBothWays() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.post, framing: .chunked)
        let sent = "some content".withView { stream.write(body: $0) }
        #expect(sent == 12)
        stream.endBody()
        pair.until { pair.requestBody == 12 && pair.requests.first?.incoming.isComplete == true }
        let request = pair.requests[0]
        #expect(request.request?.head.framing == .chunked)
        request.output.append("HTTP/1.1 200 OK\r\n\r\n")
        request.headWritten(framing: .chunked)
        _ = "partial".withView { request.write(body: $0) }
        pair.until { pair.response(stream).body.count == 7 }
        #expect(!pair.response(stream).isComplete)
        let source = TrailerSource(pair.resources, "X-Sum: 7\r\n")
        request.endBody(after: source)
        pair.forget(request)
        request.exchangeEnded()
        pair.until { pair.response(stream).isComplete }
        #expect(pair.response(stream).trailers == "x-sum: 7\r\n")
        pair.end()
    }

    @Test("a request that comes whole in one read is not taken for one without content") func wholeAtOnce() {
        let pair = HTTP2Pair()
        var taken = 0
        var wasComplete = true
        pair.onRequest = {
            taken = pair.read($0).count
            wasComplete = $0.incoming.isComplete
        }
        pair.turn()
        let stream = pair.request(Self.post, framing: .chunked)
        _ = "content".withView { stream.write(body: $0) }
        stream.endBody()
        pair.until { pair.requests.first?.incoming.isComplete == true }
        #expect(taken == 0 && !wasComplete)
        #expect(pair.requestBody == 7)
        pair.end()
    }

    @Test("a large body under back-pressure: nothing is lost, nothing piles up") func backPressure() {
        let pair = HTTP2Pair()
        pair.clientReads = false
        let stream = pair.request(Self.get)
        pair.until { !pair.requests.isEmpty }
        let request = pair.requests[0]
        request.output.append("HTTP/1.1 200 OK\r\n\r\n")
        request.headWritten(framing: .chunked)
        let chunk = [UInt8](repeating: 7, count: 10_000)
        var written = 0
        let total = 1_000_000
        func push() {
            while written < total {
                let count = chunk.withView { request.write(body: $0.upTo(min(10_000, total - written))) }
                written += count
                if count < 10_000, written < total { return }
            }
        }
        for _ in 0..<50 {
            push()
            pair.turn()
        }
        // The stream's window at the client and one block at the server.
        #expect(written <= 64 * 1024 + ConnectionResources.blockSize)
        #expect(!request.mayWrite)
        #expect(stream.input.count <= 64 * 1024)
        pair.clientReads = true
        pair.readable(stream)
        pair.until {
            push()
            return written == total
        }
        request.endBody()
        pair.forget(request)
        request.exchangeEnded()
        pair.until { pair.response(stream).isComplete }
        #expect(pair.response(stream).body.count == total)
        #expect(pair.writableCalls > 0)
        pair.end()
    }

    @Test("a stream that nobody reads does not hold up its neighbour") func neighbours() {
        let pair = HTTP2Pair()
        pair.serverReads = false
        let stalled = pair.request(Self.post, framing: .chunked)
        let block = [UInt8](repeating: 1, count: 20_000)
        for _ in 0..<40 {
            _ = block.withView { stalled.write(body: $0) }
            pair.turn()
        }
        #expect(!stalled.mayWrite)
        pair.onRequest = { pair.answer($0, "fine") }
        let other = pair.request(Self.get)
        pair.until { pair.response(other).isComplete }
        #expect(pair.requests[0].input.count <= 64 * 1024)
        pair.end()
    }

    // MARK: a client that does not behave

    /// `GET / HTTP/1.1` of h, in HPACK's static table.
    private static func head(_ stream: UInt8) -> [UInt8] {
        [0, 0, 6, 1, 5, 0, 0, 0, stream, 0x82, 0x86, 0x84, 0x41, 0x01, 0x68]
    }

    private static let opening = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

    @Test("streams that are reset in the read that brought them", arguments: [true, false])
    func resetAtOnce(_ answersAtOnce: Bool) {
        let pair = HTTP2Pair(raw: true)
        if answersAtOnce { pair.onRequest = { pair.answer($0, "late") } }
        var octets = Self.opening
        for i in UInt8(0)..<100 { octets += Self.head(i * 2 + 1) + [0, 0, 4, 3, 0, 0, 0, 0, i * 2 + 1, 0, 0, 0, 8] }
        pair.send(octets)
        pair.until { pair.requestHeads.count == 100 }
        pair.until { pair.requests.isEmpty && pair.serverConnection.isIdle }
        // The connection goes on, and its objects serve again.
        pair.onRequest = { pair.answer($0, "fine") }
        pair.send(Self.head(201))
        pair.until { pair.requestHeads.count == 101 && pair.serverConnection.isIdle }
        pair.end()
        #expect(pair.serverIsClosed)
    }

    @Test("a flood ends the connection, and every exchange on it") func flood() {
        let pair = HTTP2Pair(raw: true)
        pair.send(Self.opening + Self.head(1) + Self.head(3))
        pair.until { pair.requests.count == 2 }
        pair.send((0..<600).flatMap { _ in [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8] as [UInt8] })
        pair.until { pair.requests.isEmpty }
        pair.until { pair.serverIsClosed }
    }

    @Test("a head that does not end holds the connection for no longer than its deadline") func endlessHead() {
        var limits = ConnectionLimits()
        limits.headReceived = .milliseconds(80)
        let pair = HTTP2Pair(limits: limits, raw: true)
        pair.send(Self.opening + Self.head(1))
        pair.until { pair.requests.count == 1 }
        pair.answer(pair.requests[0], "x")
        pair.send([0, 0, 3, 1, 1, 0, 0, 0, 3, 0x82, 0x86, 0x84])
        pair.until { pair.serverIsClosed }
    }

    @Test func notHTTP2() {
        let pair = HTTP2Pair(raw: true)
        pair.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n".utf8))
        pair.until { pair.serverIsClosed }
        #expect(pair.requestHeads.isEmpty)
    }

    // MARK: breaking off

    @Test func clientGivesUp() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        stream.close()
        pair.until { pair.requests.isEmpty }
        pair.until { pair.serverConnection.isIdle }
        #expect(pair.clientConnection.isReusable)
        pair.end()
    }

    @Test func serverBreaksOff() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        let request = pair.requests[0]
        request.output.append("HTTP/1.1 200 OK\r\n\r\n")
        request.headWritten(framing: .chunked)
        _ = "half".withView { request.write(body: $0) }
        pair.until { pair.response(stream).body.count == 4 }
        pair.forget(request)
        request.exchangeAborted()
        pair.until { pair.response(stream).hasFailed }
        #expect(!pair.response(stream).isComplete)
        pair.end()
    }

    @Test("the rest of a request that was answered early is refused, and the answer arrives") func early() {
        let pair = HTTP2Pair()
        pair.onRequest = { pair.answer($0, "too much", head: "HTTP/1.1 413 Content Too Large\r\n\r\n") }
        let stream = pair.request(Self.post, framing: .chunked)
        _ = "begin".withView { stream.write(body: $0) }
        pair.until { pair.response(stream).isComplete }
        #expect(pair.response(stream).body == Array("too much".utf8))
        pair.until { pair.serverConnection.isIdle }
        pair.end()
    }

    @Test func connectionIsLost() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        pair.clientConnection.close()
        #expect(pair.response(stream).hasFailed)
        #expect(pair.clientIsClosed)
        pair.until { pair.serverIsClosed }
        #expect(pair.requests.isEmpty)
    }

    @Test func malformedHeadIsAnswered() {
        let pair = HTTP2Pair()
        let stream = pair.request("GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n")
        pair.until { pair.response(stream).isComplete }
        #expect(pair.refusals == [400])
        #expect(pair.response(stream).body == Array("no\n".utf8))
        #expect(pair.response(stream).head.hasPrefix("HTTP/1.1 400"))
        pair.end()
    }

    // MARK: draining

    @Test func drain() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        pair.serverConnection.drain()
        pair.until { !pair.clientConnection.isReusable }
        #expect(!pair.serverIsClosed)
        #expect(pair.clientConnection.freeLanes == 0)
        pair.answer(pair.requests[0], "still served")
        pair.until { pair.response(stream).isComplete && pair.serverIsClosed && pair.clientIsClosed }
    }

    @Test func drainOfAnIdleConnection() {
        let pair = HTTP2Pair()
        pair.turn()
        pair.serverConnection.drain()
        pair.until { pair.serverIsClosed && pair.clientIsClosed }
    }

    @Test("cutting breaks off what is under way") func cut() {
        let pair = HTTP2Pair()
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        pair.serverConnection.cut()
        pair.until { pair.response(stream).hasFailed && pair.serverIsClosed }
        #expect(pair.requests.isEmpty)
    }

    // MARK: deadlines

    @Test("a connection that says nothing is closed in time") func firstHead() {
        var limits = ConnectionLimits()
        limits.headReceived = .milliseconds(50)
        let pair = HTTP2Pair(limits: limits)
        pair.until { pair.serverIsClosed }
    }

    @Test func idleConnections() {
        var limits = ConnectionLimits()
        limits.upstreamIdle = .milliseconds(60)
        let pair = HTTP2Pair(limits: limits)
        pair.onRequest = { pair.answer($0, "x") }
        let stream = pair.request(Self.get)
        pair.until { pair.response(stream).isComplete }
        pair.until { pair.clientIsClosed && pair.serverIsClosed }
    }

    @Test("a peer that is gone without a word is noticed") func ping() {
        var limits = ConnectionLimits()
        limits.http2PingUpstream = .milliseconds(1)
        limits.http2PingAnswer = .milliseconds(1)
        let pair = HTTP2Pair(limits: limits)
        let stream = pair.request(Self.get)
        pair.until { pair.requests.count == 1 }
        // The first look sends the PING, which this loop answers: the connection lives.
        let end = SystemCalls.monotonicNow() + .seconds(6)
        while SystemCalls.monotonicNow() < end { pair.resources.loop.turn(limit: 50) }
        #expect(!pair.clientIsClosed)
        pair.answer(pair.requests[0], "alive")
        pair.until { pair.response(stream).isComplete }
        pair.end()
    }

    // MARK: WebSocket (RFC 8441)

    @Test func tunnel() {
        let pair = HTTP2Pair()
        let stream = pair.request(
            "GET /chat HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        pair.until { pair.requests.count == 1 }
        let request = pair.requests[0]
        #expect(request.request?.head.upgradesToWebSocket == true)
        pair.clientReads = false
        request.output.append("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        request.headWritten(framing: .untilClose)
        request.incoming.begin(.untilClose)
        pair.until { pair.response(stream).head != "" }
        #expect(pair.response(stream).head.hasPrefix("HTTP/1.1 101 "))
        stream.outgoing = .untilClose
        stream.incoming.begin(.untilClose)
        _ = "up".withView { stream.write(body: $0) }
        _ = "down!".withView { request.write(body: $0) }
        pair.until { pair.requestBody == 2 && stream.input.count == 5 }
        stream.finishSending()
        pair.until { request.incoming.isComplete }
        request.finishSending()
        pair.forget(request)
        request.exchangeClosed()
        pair.until {
            _ = pair.read(stream)
            return stream.incoming.isComplete
        }
        stream.release(keeps: false)
        pair.until { pair.serverConnection.isIdle }
        #expect(pair.clientConnection.isReusable)
        pair.end()
    }
}

/// A message that has ended and has trailers to pass on.
private final class TrailerSource: MessageStream {
    private let lines: String

    init(_ resources: ConnectionResources, _ lines: String) {
        self.lines = lines
        super.init(resources: resources)
    }

    override func takeTrailers(to output: inout ByteBuffer) { output.append(string: lines) }
}
