import Config
import Core
import IO
import Telemetry
import Testing

@testable import Connection
@testable import Proxy

/// What comes first on a connection, and where it leads: PROXY headers and server names.
@Suite struct ArrivalTests {
    // MARK: PROXY headers, in

    private static let v2: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 16]
        + [192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 0x04, 0x01, 0xBB] + [2, 0, 1, 97]

    private static let headers: [[UInt8]] = [
        Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".utf8), v2,
    ]

    @Test(arguments: headers, [false, true]) func httpBehindAHeaderKnowsTheClient(header: [UInt8], inPieces: Bool)
        throws
    {
        let harness = try WorkerHarness()
        try harness.publish { $0.sockets[0].proxyProtocol = .required }
        let client = try harness.connect()
        let octets = header + Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        if inPieces {
            for octet in octets {
                client.send([octet])
                harness.loop.turn(limit: 1)
            }
        } else {
            client.send(octets)
        }
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(backend.received.lowercased().contains("x-forwarded-for: 192.0.2.1\r\n"))
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        harness.expect(client, toReceive: "\r\n\r\nok")
        // The second request on the connection is the same client's.
        client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        backend.forget()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(backend.received.lowercased().contains("x-forwarded-for: 192.0.2.1\r\n"))
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        harness.settle()
        harness.expectNothingUnderWay()
        #expect(harness.total(.downstreamConnections) == 1)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 x\r\n",
        "\r\n\r\n\0\r\nQUIT\n\u{11}\u{11}\0\0", "\0",
    ])
    func withoutAHeaderOrWithABrokenOneThereIsNoAnswer(text: String) throws {
        let harness = try WorkerHarness()
        try harness.publish { $0.sockets[0].proxyProtocol = .required }
        let client = try harness.connect()
        client.send(text)
        harness.expectEnd(client)
        #expect(client.bytes.isEmpty && harness.total(.proxyHeadersRefused) == 1)
        harness.expectNothingUnderWay()
        #expect(harness.worker.registry.count == 0)
    }

    @Test func anOptionalHeaderMayBeMissingButNotBroken() throws {
        let harness = try WorkerHarness()
        try harness.publish { $0.sockets[0].proxyProtocol = .optional }
        let plain = try harness.connect()
        plain.send("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(backend.received.lowercased().contains("x-forwarded-for: 127.0.0.1\r\n"))
        let broken = try harness.connect()
        broken.send("PROXY nonsense\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expectEnd(broken)
        #expect(broken.bytes.isEmpty)
    }

    @Test func whoSaysHalfAHeaderIsClosedInTime() throws {
        let harness = try WorkerHarness()
        try harness.publish { $0.sockets[0].proxyProtocol = .required }
        let client = try harness.connect()
        client.send("PROXY TCP4")
        harness.until("its arrival") { harness.total(.arrivalsNow) == 1 }
        harness.worker.registry.drain()
        #expect(harness.total(.arrivalsNow) == 1, "a drain lets it go on")
        harness.worker.registry.cut()
        harness.expectEnd(client)
        harness.expectNothingUnderWay()
    }

    @Test func tooManyThatWaitPushEachOtherOut() throws {
        let harness = try WorkerHarness()
        harness.worker.arrivals.limit = 4
        try harness.publish { $0.sockets[0].proxyProtocol = .required }
        let clients = try (0..<12).map { _ in try harness.connect() }
        harness.until("evictions") { harness.total(.arrivalsEvicted) == 8 }
        #expect(harness.worker.arrivals.count == 4 && harness.worker.registry.count == 4)
        harness.until("their end") {
            for client in clients { client.receive() }
            return clients.count { $0.ended } == 8
        }
    }

    // MARK: PROXY headers, out

    @Test func theEndpointIsToldWhoCalls() throws {
        let harness = try WorkerHarness()
        try harness.publishTCP { $0.clusters[0].proxyProtocol = .v1 }
        let client = try harness.connect()
        let backend = try harness.acceptBackend()
        let port = try #require(client.localPort)
        client.send("hello")
        harness.expect(backend, toReceive: "PROXY TCP4 127.0.0.1 127.0.0.1 \(port) \(harness.port)\r\nhello")
        // What the endpoint gets of ours is not the client's traffic.
        #expect(harness.total(.relayBytesReceived) == 5)
    }

    @Test(arguments: [ProxyProtocolVersion.v1, .v2]) func whatWasToldIsToldOn(version: ProxyProtocolVersion) throws {
        let harness = try WorkerHarness()
        try harness.publishTCP {
            $0.sockets[0].proxyProtocol = .required
            $0.clusters[0].proxyProtocol = version
        }
        let client = try harness.connect()
        client.send(Self.v2 + Array("hello".utf8))
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "hello")
        switch version {
        case .none: break
        case .v1: #expect(backend.received == "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nhello")
        case .v2: #expect(backend.bytes == Self.v2 + Array("hello".utf8))
        }
    }

    // MARK: server names

    /// A ClientHello of TLS 1.2 with a server name.
    static func hello(_ name: String?) -> [UInt8] {
        func vector(_ octets: [UInt8]) -> [UInt8] { [UInt8(octets.count >> 8), UInt8(octets.count & 255)] + octets }
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0xC0, 0x2B, 1, 0]
        if let name { body += vector([0, 0] + vector(vector([0] + vector(Array(name.utf8))))) }
        return [22, 3, 1] + vector([1, 0] + vector(body))
    }

    private func harness() throws -> WorkerHarness {
        let harness = try WorkerHarness(backends: 3)
        let rules = (0..<3).map { number in
            RulePlan(
                matches: [],
                backends: [BackendPlan(target: .cluster(number), weight: 1, name: "default/b\(number):443")])
        }
        try harness.publish(rules: []) { plan in
            plan.routes = rules.map {
                RoutePlan(kind: "TLSRoute", namespace: "default", name: "r", rules: [$0], position: SourcePosition())
            }
            var exact = plan.sockets[0].listeners[0]
            exact.listenerProtocol = .tlsPassthrough
            var wild = exact
            exact.hostname = "a.example"
            exact.attachments = [.init(hostnames: ["a.example"], route: 0)]
            wild.name = "wild"
            wild.hostname = "*.example"
            wild.attachments = [
                .init(hostnames: ["*.example"], route: 1), .init(hostnames: ["special.deep.example"], route: 2),
            ]
            plan.sockets[0].listeners = [exact, wild]
        }
        return harness
    }

    @Test(arguments: [
        ("a.example", 0), ("A.Example", 0), ("b.example", 1), ("x.y.example", 1), ("special.deep.example", 2),
    ])
    func theNameChoosesAndNothingIsLost(name: String, backend: Int) throws {
        let harness = try harness()
        let client = try harness.connect()
        let hello = Self.hello(name)
        client.send(Array(hello.prefix(20)))
        harness.until("it to wait") { harness.total(.arrivalsNow) == 1 }
        client.send(Array(hello.dropFirst(20)) + [1, 2, 3])
        let endpoint = try harness.acceptBackend(backend)
        harness.until("all of it") {
            endpoint.receive()
            return endpoint.bytes.count >= hello.count + 3
        }
        #expect(endpoint.bytes == hello + [1, 2, 3])
        endpoint.send("answer")
        harness.expect(client, toReceive: "answer")
    }

    @Test(arguments: [
        hello("other.test"), hello(nil), hello("example"), Array("GET / HTTP/1.1\r\n".utf8), [22, 3, 1, 0, 1, 9],
    ])
    func whoNamesNobodyIsClosedWithoutAWord(octets: [UInt8]) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send(octets)
        harness.expectEnd(client)
        #expect(client.bytes.isEmpty)
        harness.expectNothingUnderWay()
        #expect(harness.worker.registry.count == 0)
    }
}
