import Config
import Connection
import Core
import Telemetry
import Testing

@testable import Proxy

/// Every state has its deadline; here they are milliseconds.
@Suite struct DeadlineTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    static let soon = TimeAmount.milliseconds(150)

    @Test func aHeadThatDoesNotEndIsA408() throws {
        let harness = try WorkerHarness()
        harness.worker.resources.limits.headReceived = Self.soon
        let client = try harness.connect()
        harness.settle()
        client.send("GET / HTTP/1.1\r\nHo")
        harness.expect(client, toReceive: "HTTP/1.1 408 ")
        harness.expect(client, toReceive: "connection: close\r\n")
        client.finish()
        harness.expectEnd(client)
        harness.expectNothingUnderWay()
    }

    /// One octet at a time does not put it off.
    @Test func aHeadThatTricklesIsA408() throws {
        let harness = try WorkerHarness()
        harness.worker.resources.limits.headReceived = Self.soon
        let client = try harness.connect()
        client.send("GET /")
        harness.until("the answer") {
            client.send("x")
            harness.settle()
            client.receive()
            return client.received.hasPrefix("HTTP/1.1 408 ")
        }
    }

    @Test func whoSaysNothingIsClosedWithoutAWord() throws {
        let harness = try WorkerHarness()
        harness.worker.resources.limits.headReceived = Self.soon
        let client = try harness.connect()
        harness.expectEnd(client)
        #expect(client.bytes.isEmpty)
        #expect(harness.total(.downstreamConnectionsNow) == 0)
    }

    @Test func anIdleConnectionIsClosed() throws {
        let harness = try WorkerHarness()
        harness.worker.resources.limits.keepAliveIdle = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectEnd(client)
        #expect(!client.wasReset)
    }

    @Test func lingeringEnds() throws {
        let harness = try WorkerHarness(rules: [WorkerHarness.rule("/only")])
        harness.worker.resources.limits.lingering = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        harness.expectEnd(client)
        harness.until("our end of it") { harness.total(.downstreamConnectionsNow) == 0 }
    }

    @Test func anIdleUpstreamConnectionIsClosed() throws {
        let harness = try WorkerHarness()
        harness.worker.resources.limits.upstreamIdle = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(harness.total(.upstreamPooledNow) == 1)
        harness.expectEnd(backend)
        #expect(harness.total(.upstreamPooledNow) == 0)
    }

    @Test(arguments: [true, false]) func aRoutesTimeoutIsA504(isAttempts: Bool) throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    if isAttempts { $0.backendRequestTimeout = Self.soon } else { $0.requestTimeout = Self.soon }
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
        harness.expectEnd(backend)
        #expect(harness.statistics.requests(.upstreamTimeout) == 1)
        harness.expectNothingUnderWay()
    }

    @Test(arguments: [true, false]) func aTimeoutWithinTheResponseCutsIt(isAttempts: Bool) throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    if isAttempts { $0.backendRequestTimeout = Self.soon } else { $0.requestTimeout = Self.soon }
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab")
        harness.expectEnd(client)
        #expect(client.wasReset && client.received.hasSuffix("\r\n\r\nab"))
        harness.expectEnd(backend)
        harness.expectNothingUnderWay()
    }

    @Test func anAttemptsTimeoutIsRetried() throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    $0.backendRequestTimeout = Self.soon
                    $0.retry = RetryPlan(codes: [], attempts: 1, backoff: .zero)
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try harness.acceptBackend()
        harness.expect(first, toReceive: "\r\n\r\n")
        let second = try harness.acceptBackend()
        harness.expectEnd(first)
        harness.expect(second, toReceive: "\r\n\r\n")
        second.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectNothingUnderWay()
    }

    /// A back-off is waited for no longer than the request may take.
    @Test func noBackoffOutlastsTheRequest() throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    $0.requestTimeout = Self.soon
                    $0.retry = RetryPlan(codes: [], attempts: 5, backoff: .seconds(60))
                }
            ], clusters: [[9]])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
        #expect(harness.total(.upstreamConnectFailures) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func anExchangeInWhichNothingMovesIsA504() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.streamIdle = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
        #expect(harness.statistics.requests(.streamIdleTimeout) == 1)
        harness.expectEnd(backend)
        harness.expectNothingUnderWay()
    }

    @Test func aBodyThatDoesNotComeIsA408() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.streamIdle = Self.soon
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        let backend = try harness.acceptBackend()
        harness.expect(client, toReceive: "HTTP/1.1 408 ")
        harness.expect(client, toReceive: "connection: close\r\n")
        harness.expectEnd(backend)
        harness.expectNothingUnderWay()
    }

    /// The deadline that ended the backoff was the one that was set: a retry on an idle connection needs its own.
    @Test func aRetryOnAnIdleConnectionHasADeadlineToo() throws {
        let harness = try WorkerHarness(
            rules: [WorkerHarness.rule { $0.retry = RetryPlan(codes: [503], attempts: 1, backoff: .zero) }])
        let clients = try (0..<2).map { _ in try harness.connect() }
        var backends: [RawSocket] = []
        for client in clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            backends.append(try harness.acceptBackend())
            harness.expect(backends[backends.count - 1], toReceive: "\r\n\r\n")
        }
        for (client, backend) in zip(clients, backends) {
            backend.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            backend.forget()
            client.forget()
        }
        #expect(harness.total(.upstreamPooledNow) == 2)
        harness.worker.limits.streamIdle = Self.soon
        clients[0].send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(backends[1], toReceive: "GET /again ")
        backends[1].forget()
        backends[1].send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        harness.expect(backends[1], toReceive: "GET /again ")
        harness.expect(clients[0], toReceive: "HTTP/1.1 504 ")
        harness.expectNothingUnderWay()
    }

    @Test func aTunnelInWhichNothingMovesEnds() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.streamIdle = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        harness.expectEnd(client)
        harness.expectEnd(backend)
        harness.expectNothingUnderWay()
    }

    @Test func octetsInEitherDirectionKeepATunnelOpen() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.streamIdle = .milliseconds(50)
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        let start = harness.loop.now
        while harness.loop.now - start < .milliseconds(200) {
            backend.send(".")
            harness.loop.turn(limit: 5)
        }
        #expect(harness.total(.upgradesNow) == 1)
    }

    @Test func whoHasFinishedIsServedForAWhile() throws {
        let harness = try WorkerHarness()
        harness.worker.limits.halfClosed = Self.soon
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        client.finish()
        harness.expectEnd(client)
        harness.expectEnd(backend)
        #expect(harness.statistics.requests(.downstreamTermination) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func whoHasFinishedStillGetsAnAnswerInTime() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        client.finish()
        harness.settle()
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectEnd(client)
        #expect(!client.wasReset)
    }
}
