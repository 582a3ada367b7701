import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// Idle connections to endpoints, drains, and configurations that change under way.
@Suite struct PoolTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func exchange(_ harness: WorkerHarness, _ client: RawSocket, _ backend: RawSocket, _ path: String) {
        client.forget()
        backend.forget()
        client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(backend, toReceive: "GET \(path) ")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
    }

    @Test func theMostRecentlyUsedConnectionIsTaken() throws {
        let harness = try WorkerHarness()
        let clients = try (0..<2).map { _ in try harness.connect() }
        clients[0].send("GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try harness.acceptBackend()
        clients[1].send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let second = try harness.acceptBackend()
        harness.expect(second, toReceive: "GET /1 ")
        second.send(Self.ok)
        harness.expect(clients[1], toReceive: "hi")
        first.send(Self.ok)
        harness.expect(clients[0], toReceive: "hi")
        #expect(harness.total(.upstreamPooledNow) == 2)
        exchange(harness, clients[1], first, "/2")
        exchange(harness, clients[0], first, "/3")
        #expect(harness.total(.upstreamReuses) == 2)
    }

    @Test(arguments: ["", "junk"]) func anIdleConnectionThatSpeaksOrEndsIsClosed(octets: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var backend: RawSocket? = try harness.acceptBackend()
        harness.expect(try #require(backend), toReceive: "\r\n\r\n")
        backend?.send(Self.ok)
        harness.expect(client, toReceive: "hi")
        #expect(harness.total(.upstreamPooledNow) == 1)
        backend?.send(octets)
        if octets.isEmpty { backend = nil }
        harness.until("its end") { harness.total(.upstreamPooledNow) == 0 }
        exchange(harness, client, try Self.fresh(harness, client), "/2")
    }

    /// A connection of its own for the next request, with its first exchange done.
    private static func fresh(_ harness: WorkerHarness, _ client: RawSocket) throws -> RawSocket {
        client.forget()
        client.send("GET /fresh HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /fresh ")
        backend.send(ok)
        harness.expect(client, toReceive: "hi")
        return backend
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhimore",
    ]) func whatCannotBeReusedIsClosed(response: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectEnd(backend)
        #expect(harness.total(.upstreamPooledNow) == 0)
        // The client's connection stays all the same.
        _ = try Self.fresh(harness, client)
    }

    @Test func aBodyWithoutLengthEndsWithItsConnection() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var backend: RawSocket? = try harness.acceptBackend()
        harness.expect(try #require(backend), toReceive: "\r\n\r\n")
        backend?.send("HTTP/1.1 200 OK\r\n\r\nhello")
        backend = nil
        harness.expect(client, toReceive: "5\r\nhello\r\n0\r\n\r\n")
        #expect(client.received.contains("Transfer-Encoding: chunked\r\n"))
        _ = try Self.fresh(harness, client)
    }

    // MARK: changes

    @Test func anExchangeUnderWayEndsUnderItsConfiguration() throws {
        let harness = try WorkerHarness(backends: 2, rules: [WorkerHarness.rule("/", to: 0)])
        let client = try harness.connect()
        client.send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
        let old = try harness.acceptBackend(0)
        harness.expect(old, toReceive: "GET /old ")
        old.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        harness.expect(client, toReceive: "\r\n\r\nab")
        try harness.publish(rules: [WorkerHarness.rule("/", to: 1)])
        old.send("cd")
        harness.expect(client, toReceive: "\r\n\r\nabcd")
        client.forget()
        client.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n")
        let new = try harness.acceptBackend(1)
        harness.expect(new, toReceive: "GET /new ")
        new.send(Self.ok)
        harness.expect(client, toReceive: "hi")
        #expect(harness.total(.downstreamConnections) == 1)
    }

    @Test func aTunnelGoesOnOverAChange() throws {
        let harness = try WorkerHarness(backends: 2, rules: [WorkerHarness.rule("/", to: 0)])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        let backend = try harness.acceptBackend(0)
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        try harness.publish(rules: [WorkerHarness.rule("/", to: 1)], clusters: [[], [1]])
        client.send("ping")
        harness.expect(backend, toReceive: "ping")
        backend.send("pong")
        harness.expect(client, toReceive: "pong")
    }

    @Test func idleConnectionsSurviveAChangeThatKeepsTheirEndpoint() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        let backend = try Self.fresh(harness, client)
        try harness.publish(rules: [WorkerHarness.rule("/") { $0.name = "renamed" }])
        exchange(harness, client, backend, "/after")
        #expect(harness.total(.upstreamConnections) == 1)
        #expect(harness.total(.downstreamConnections) == 1)
    }

    @Test func idleConnectionsOfAnEndpointThatIsGoneAreClosed() throws {
        let harness = try WorkerHarness(backends: 2, rules: [WorkerHarness.rule("/", to: 0)])
        let client = try harness.connect()
        let backend = try Self.fresh(harness, client)
        try harness.publish(rules: [WorkerHarness.rule("/", to: 0)], clusters: [[1]])
        harness.expectEnd(backend)
        #expect(harness.total(.upstreamPooledNow) == 0)
    }

    @Test func aListenerThatIsGoneLetsItsConnectionsGo() throws {
        let harness = try WorkerHarness()
        let idle = try harness.connect()
        let backend = try Self.fresh(harness, idle)
        let busy = try harness.connect()
        busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(backend, toReceive: "GET /busy ")
        try harness.publish(listens: false)
        harness.expectEnd(idle)
        backend.send(Self.ok)
        harness.expectEnd(busy)
        #expect(busy.received.hasSuffix("hi") && busy.received.contains("Connection: close\r\n"))
        #expect(!busy.wasReset)
    }

    // MARK: drains

    @Test func aDrainClosesWhoIsIdleAndTellsWhoIsBusy() throws {
        let harness = try WorkerHarness()
        let idle = try harness.connect()
        let backend = try Self.fresh(harness, idle)
        let busy = try harness.connect()
        busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(backend, toReceive: "GET /busy ")
        var isDone = false
        harness.worker.drain { isDone = true }
        harness.expectEnd(idle)
        #expect(!isDone)
        backend.send(Self.ok)
        harness.expect(busy, toReceive: "\r\n\r\nhi")
        #expect(busy.received.contains("Connection: close\r\n"))
        busy.finish()
        harness.until("the drain's end") { isDone }
        harness.expectEnd(backend)
        #expect(harness.total(.downstreamConnectionsNow) == 0)
        #expect(harness.total(.upstreamPooledNow) == 0)
    }

    @Test func whatIsLeftAtTheEndOfADrainIsCutAndSaysSo() throws {
        let harness = try WorkerHarness()
        let waiting = try harness.connect()
        waiting.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /long ")
        var isDone = false
        harness.worker.drain { isDone = true }
        #expect(!isDone)
        harness.worker.registry.cut()
        #expect(isDone)
        harness.expectEnd(waiting)
        harness.expectEnd(backend)
        #expect(harness.statistics.requests(.localReset) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aDrainOfNobodyIsDoneAtOnce() throws {
        let harness = try WorkerHarness()
        var isDone = false
        harness.worker.drain { isDone = true }
        #expect(isDone)
    }

    /// What begins with one client's PROXY header is of no use to others: it does not stay when its exchange is over.
    @Test func aConnectionOfHTTP2MadeForOneClientGoesWithItsExchange() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.halfClosed = .milliseconds(20)
        try harness.publish { plan in
            plan.clusters[0].backendProtocol = .http2
            plan.clusters[0].proxyProtocol = .v1
        }
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "PROXY TCP4 127.0.0.1 127.0.0.1 ")
        harness.expect(backend, toReceive: "PRI * HTTP/2.0\r\n")
        client.finish()
        harness.expectEnd(client)
        harness.expectEnd(backend)
    }

    /// An endpoint that no configuration names any more goes, and not before its connections.
    @Test func anEndpointOfHTTP2ThatIsGoneEndsItsConnections() throws {
        let harness = try WorkerHarness(backends: 2, clusters: [[0]])
        func publish(_ backend: Int) throws {
            try harness.publish(clusters: [[backend]]) { $0.clusters[0].backendProtocol = .http2 }
        }
        /// SETTINGS, and HEADERS with `:status: 200` that end stream 1 (RFC 9113, sections 6.5 and 6.2).
        let answer: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]
        try publish(0)
        let client = try harness.connect()
        var backends: [RawSocket] = []
        for number in 0...1 {
            if number == 1 { try publish(1) }
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let backend = try harness.acceptBackend(number)
            harness.expect(backend, toReceive: "PRI * HTTP/2.0\r\n")
            backend.send(answer)
            harness.expect(client, toReceive: "200 OK")
            client.forget()
            backends.append(backend)
        }
        harness.expectEnd(backends[0])
        harness.expectNothingUnderWay()
        // The other's goes on.
        backends[1].forget()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.until("stream 3") {
            backends[1].receive()
            return backends[1].bytes.contains([0, 0, 0, 3])
        }
        backends[1].send([0, 0, 1, 1, 5, 0, 0, 0, 3, 0x88])
        harness.expect(client, toReceive: "200 OK")
    }
}
