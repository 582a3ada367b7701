import Config
import Core
import Telemetry
import Testing

@testable import Connection
@testable import Proxy

/// CONNECT on a group's listener (RFC 9110, section 9.3.6).
@Suite struct ConnectTests {
    @Test(arguments: ["web.shop:80", "WEB.shop.svc.cluster.local:80", "web:80", "10.96.0.1:80"])
    func aMemberIsReachedByNameAndByAddress(_ authority: String) throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try harness.connect(through: authority)
        let backend = try harness.acceptBackend()
        backend.send("220 hello\r\n")
        harness.expect(client, toReceive: "220 hello\r\n")
        client.send("QUIT\r\n")
        harness.expect(backend, toReceive: "QUIT\r\n")
        // Each way ends by itself.
        client.finish()
        harness.expectEnd(backend)
        backend.send("221 bye\r\n")
        harness.expect(client, toReceive: "221 bye\r\n")
        backend.finish()
        harness.expectEnd(client)
        #expect(!client.wasReset && !backend.wasReset)
        harness.until("the end") { harness.worker.registry.count == 0 }
        harness.expectNothingUnderWay()
        #expect(harness.total(.tunnels) == 1)
    }

    @Test func whatComesWithTheRequestIsInside() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try harness.connect()
        client.send("CONNECT web.shop:80 HTTP/1.1\r\nHost: web.shop\r\n\r\nearly")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "early")
        client.resetsWhenGone()
    }

    struct Refused: CustomTestStringConvertible {
        var authority: String
        var status: String
        var testDescription: String { "\(authority) \(status)" }
    }

    @Test(arguments: [
        Refused(authority: "web.shop", status: "400"), Refused(authority: "web.shop:81", status: "404"),
        Refused(authority: "web.shop:", status: "400"), Refused(authority: "user@web.shop:80", status: "400"),
        Refused(authority: "10.96.0.1:443", status: "404"), Refused(authority: "denied.example:443", status: "403"),
        Refused(authority: String(repeating: "a.", count: 130) + "example:443", status: "400"),
        Refused(authority: String(repeating: "a", count: 20_000) + ":443", status: "414"),
    ])
    func whatLeadsNowhereIsAnswered(_ refused: Refused) throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        #expect(
            try harness.status(of: "CONNECT \(refused.authority) HTTP/1.1\r\nHost: x\r\n\r\n") == refused.status)
        harness.settle()
        #expect(try harness.tryAcceptBackend() == nil)
    }

    /// What comes inside may name a host that a route has; where there is no route, nothing can.
    @Test(arguments: ["192.0.2.1:443", "[2001:db8::1]:443"])
    func anAddressIsJudgedByWhatComesInside(_ authority: String) throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishGroup()
        let denied = try harness.connect(through: authority)
        denied.send("*1\r\n$4\r\nPING\r\n")
        harness.expectEnd(denied)
        let request = try harness.connect(through: authority)
        request.send("GET / HTTP/1.1\r\nHost: denied.example\r\n\r\n")
        harness.expect(request, toReceive: "HTTP/1.1 403 ")
        #expect(try harness.tryAcceptBackend(0) == nil && harness.tryAcceptBackend(1) == nil)
        let allowed = try harness.connect(through: authority)
        allowed.send("GET / HTTP/1.1\r\nHost: out.example\r\n\r\n")
        harness.expect(try harness.acceptBackend(1), toReceive: "\r\n\r\n")
        for client in [request, allowed] { client.resetsWhenGone() }

        let without = try WorkerHarness()
        try without.publishGroup { $0.sockets[0].listeners[0].attachments = [] }
        #expect(try without.status(of: "CONNECT \(authority) HTTP/1.1\r\nHost: x\r\n\r\n") == "403")
    }

    @Test func theGatewayItselfIsNoDestination() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup(egress: .allow)
        let own = "127.0.0.1:\(harness.port)"
        #expect(try harness.status(of: "CONNECT \(own) HTTP/1.1\r\nHost: \(own)\r\n\r\n") == "403")
    }

    @Test func anOrdinaryListenerServesNoConnect() throws {
        let harness = try WorkerHarness()
        #expect(try harness.status(of: "CONNECT web.shop:80 HTTP/1.1\r\nHost: web.shop\r\n\r\n") == "501")
    }

    /// What follows would have been the tunnel's, and is nobody's request.
    @Test func nothingIsReadBehindARefusedConnect() throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishGroup(.http)
        let client = try harness.connect()
        client.send(
            "CONNECT denied.example:443 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: web.shop\r\n\r\n")
        harness.expectEnd(client)
        #expect(client.received.hasPrefix("HTTP/1.1 403 "))
        #expect(client.received.lowercased().contains("connection: close\r\n"))
        #expect(try harness.tryAcceptBackend() == nil && harness.tryAcceptBackend(1) == nil)
    }

    /// The port of the tunnel is that of its requests.
    @Test(arguments: [("out.example", "200"), ("out.example:8080", "200"), ("out.example:81", "421")])
    func aRequestInsideNamesNoOtherPort(_ host: String, _ status: String) throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishGroup()
        let client = try harness.connect(through: "out.example:8080")
        client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        if status == "200" {
            let backend = try harness.acceptBackend(1)
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        harness.expect(client, toReceive: "HTTP/1.1 \(status) ")
    }

    // MARK: listeners that share a socket

    /// Whoever is inside of a tunnel is with the group that it was opened in.
    @Test func anOrdinaryListenersRoutesAreNotForTunnels() throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishGroup { plan in
            plan.sockets[0].listeners.append(
                ListenerPlan(
                    gatewayNamespace: "other", gatewayName: "gateway", name: "http", hostname: "own.example",
                    attachments: [.init(hostnames: ["own.example"], route: 2)], position: SourcePosition()))
            // So that there can be a tunnel to this host at all.
            plan.sockets[0].listeners[0].attachments.append(.init(hostnames: ["*.example"], route: 3))
        }
        let client = try harness.connect(through: "own.example:80")
        client.send("GET / HTTP/1.1\r\nHost: own.example\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 403 ")
        #expect(try harness.tryAcceptBackend(1) == nil)
        // To itself it is an ordinary request.
        let other = try harness.connect()
        other.send("GET / HTTP/1.1\r\nHost: own.example\r\n\r\n")
        harness.expect(try harness.acceptBackend(1), toReceive: "GET / ")
    }

    /// The listener of a tunnel goes with a reload: what is inside is nobody else's.
    @Test func aTunnelOutlivesItsListenerForNobody() throws {
        let harness = try WorkerHarness(backends: 2)
        try harness.publishGroup(.http)
        let client = try harness.connect(through: "web.shop:80")
        try harness.publishGroup(.http) { $0.sockets[0].listeners[0].name = "another" }
        client.send("GET / HTTP/1.1\r\nHost: web.shop\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 421 ")
        try harness.publish()
        client.forget()
        client.send("GET / HTTP/1.1\r\nHost: web.shop\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 421 ")
        #expect(try harness.tryAcceptBackend() == nil)
    }

    // MARK: undeclared protocols

    @Test func aServerMaySpeakFirstWhereNobodyDeclaresTheProtocol() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup(.undeclared)
        let began = harness.loop.now
        let client = try harness.connect(through: "web.shop:80")
        let backend = try harness.acceptBackend()
        #expect(harness.loop.now - began >= .milliseconds(99))
        backend.send("mysql\n")
        harness.expect(client, toReceive: "mysql\n")
        client.resetsWhenGone()
    }

    @Test func octetsThatAreNoRequestAreRelayedAtOnce() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup(.undeclared)
        let client = try harness.connect(through: "web.shop:80")
        client.send("*1\r\n$4\r\nPING\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "*1\r\n$4\r\nPING\r\n")
        client.resetsWhenGone()
    }

    // MARK: HTTP/2

    private func open(_ harness: WorkerHarness, _ authority: String) throws -> RawSocket {
        let client = try harness.connect()
        client.send(HTTP2Frames.begin + HTTP2Frames.connect(authority))
        return client
    }

    @Test func aStreamOfHTTP2IsATunnel() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try open(harness, "web.shop:80")
        let backend = try harness.acceptBackend()
        backend.send("220 hello\r\n")
        harness.expect(client, toReceive: "220 hello\r\n")
        client.send(HTTP2Frames.data("QUIT\r\n", ends: true))
        harness.expect(backend, toReceive: "QUIT\r\n")
        harness.expectEnd(backend)
        backend.send("221 bye\r\n")
        backend.finish()
        harness.until("the stream's end") {
            client.receive()
            return HTTP2Frames.hasEnded(client.bytes)
        }
        #expect(HTTP2Frames.content(client.bytes) == "220 hello\r\n221 bye\r\n")
        #expect(!HTTP2Frames.wasReset(client.bytes))
        harness.until("the end") { harness.worker.registry.count == 1 }
        #expect(harness.worker.resources.tunnelsNow == 0)
        harness.expectNothingUnderWay()
    }

    @Test func aResetInsideIsAResetOutside() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try open(harness, "web.shop:80")
        var backend: RawSocket? = try harness.acceptBackend()
        client.send(HTTP2Frames.data("hello"))
        harness.expect(try #require(backend), toReceive: "hello")
        backend?.resetsWhenGone()
        backend = nil
        harness.until("the stream's reset") {
            client.receive()
            return HTTP2Frames.wasReset(client.bytes)
        }
        #expect(!HTTP2Frames.hasEnded(client.bytes))
        // CONNECT_ERROR (RFC 9113, section 8.5).
        #expect(HTTP2Frames.read(client.bytes).contains { $0.type == 3 && $0.payload == [0, 0, 0, 10] })
        harness.until("the end") { harness.worker.registry.count == 1 }
        harness.expectNothingUnderWay()
    }

    /// What leads nowhere does not end as if the far side had said all.
    @Test func whatLeadsNowhereInsideIsAResetOutside() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup(.tcp) { $0.groups[0].members[0].ports[0].streamRoutes = [] }
        let client = try open(harness, "web.shop:80")
        harness.until("the stream's reset") {
            client.receive()
            return HTTP2Frames.wasReset(client.bytes)
        }
        #expect(!HTTP2Frames.hasEnded(client.bytes))
    }

    /// The connection is its caller's, and each tunnel of it is not one more.
    @Test func tunnelsAreNotConnectionsOfTheirCaller() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup { $0.groups[0].connectionsPerCaller = 2 }
        let client = try open(harness, "web.shop:80")
        let backend = try harness.acceptBackend()
        client.send(HTTP2Frames.data("", ends: true))
        harness.expectEnd(backend)
        backend.finish()
        harness.until("the tunnel's end") { harness.worker.registry.count == 1 }
        // The first is still there: there is a place for one more.
        let second = try harness.connect()
        harness.until("the second") { harness.worker.registry.count == 2 }
        let third = try harness.connect()
        harness.expectEnd(third)
        #expect(harness.worker.registry.count == 2)
        second.resetsWhenGone()
        client.resetsWhenGone()
    }

    /// Everybody behind a load balancer has its address.
    @Test func callersBehindAPROXYHeaderAreCountedAsWhomItNames() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup {
            $0.groups[0].connectionsPerCaller = 1
            $0.sockets[0].proxyProtocol = .required
        }
        func connect(_ source: String) throws -> RawSocket {
            let client = try harness.connect()
            client.send(
                "PROXY TCP4 \(source) 198.51.100.2 56324 80\r\nGET / HTTP/1.1\r\nHost: denied.example\r\n\r\n")
            return client
        }
        let first = try connect("192.0.2.1")
        harness.expect(first, toReceive: "HTTP/1.1 403 ")
        let other = try connect("192.0.2.2")
        harness.expect(other, toReceive: "HTTP/1.1 403 ")
        let again = try connect("192.0.2.1")
        harness.expectEnd(again)
        #expect(again.bytes.isEmpty && harness.total(.connectionLimitRefusals) == 1)
        // Whoever goes makes room.
        first.finish()
        harness.until("a place") { harness.worker.registry.count == 1 }
        harness.expect(try connect("192.0.2.1"), toReceive: "HTTP/1.1 403 ")
    }

    @Test func aResetOutsideIsAResetInside() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try open(harness, "web.shop:80")
        let backend = try harness.acceptBackend()
        client.send(HTTP2Frames.data("hello"))
        harness.expect(backend, toReceive: "hello")
        client.send(HTTP2Frames.reset())
        harness.expectEnd(backend)
        #expect(backend.wasReset)
        harness.until("the end") { harness.worker.registry.count == 1 }
        harness.expectNothingUnderWay()
    }

    @Test func aSlowEndHoldsTheOtherBack() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        let client = try open(harness, "web.shop:80")
        client.send(HTTP2Frames.frame(8, [0x0F, 0, 0, 0]))
        let backend = try harness.acceptBackend()
        var sent = 0
        let block = [UInt8](repeating: 0x61, count: 64 * 1024)
        // The stream's window is all that may be on the way beside what the sockets and buffers hold.
        for _ in 0..<400 {
            sent += backend.send(block)
            harness.loop.turn(limit: 1)
        }
        client.receive()
        #expect(HTTP2Frames.content(client.bytes).utf8.count == 65_535)
        #expect(sent < 16 << 20)
        client.send(HTTP2Frames.frame(8, stream: 1, [0x0F, 0, 0, 0]))
        harness.until("the rest") {
            client.receive()
            return HTTP2Frames.content(client.bytes).utf8.count >= sent
        }
        client.resetsWhenGone()
    }

    @Test func tunnelsAreBounded() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup()
        harness.worker.tunnelLimit = 1
        let client = try open(harness, "web.shop:80")
        _ = try harness.acceptBackend()
        client.send(HTTP2Frames.connect("web.shop:80", stream: 3))
        harness.until("the answer") {
            client.receive()
            return HTTP2Frames.content(client.bytes, stream: 3).contains("no room")
        }
        // One that ends makes room.
        client.send(HTTP2Frames.reset())
        harness.until("room") { harness.worker.resources.tunnelsNow == 0 }
        client.send(HTTP2Frames.connect("web.shop:80", stream: 5))
        _ = try harness.acceptBackend()
        client.resetsWhenGone()
    }

    @Test func aClientThatSaysNothingInsideIsGivenUpWithItsTunnel() throws {
        let harness = try WorkerHarness()
        try harness.publishGroup(.tls)
        let client = try open(harness, "web.shop:80")
        harness.until("the arrival") { harness.total(.arrivalsNow) == 1 }
        client.send(HTTP2Frames.reset())
        harness.until("the end") { harness.worker.registry.count == 1 && harness.total(.arrivalsNow) == 0 }
        #expect(harness.worker.resources.tunnelsNow == 0)
        harness.expectNothingUnderWay()
    }
}
