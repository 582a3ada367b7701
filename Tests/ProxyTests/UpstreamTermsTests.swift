import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// How connections to endpoints are kept (BackendTrafficPolicy `timeout`, `connection`, `circuitBreaker`).
@Suite struct UpstreamTermsTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func harness(_ change: (inout UpstreamConnectionPlan) -> Void) throws -> WorkerHarness {
        let harness = try WorkerHarness()
        try harness.publish { change(&$0.clusters[0].traffic.connection) }
        return harness
    }

    private func exchange(_ harness: WorkerHarness, _ client: RawSocket, _ backend: RawSocket) {
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.forget()
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        client.forget()
    }

    @Test func aConnectionCarriesSoManyRequests() throws {
        let harness = try WorkerHarness()
        try harness.publish { $0.clusters[0].traffic.circuitBreaker.maxRequestsPerConnection = 2 }
        let client = try harness.connect()
        for _ in 0..<2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let backend = try harness.acceptBackend()
            exchange(harness, client, backend)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            exchange(harness, client, backend)
            harness.expectEnd(backend)
        }
        #expect(harness.total(.upstreamConnections) == 2)
    }

    @Test(arguments: [true, false]) func anOldConnectionIsClosed(isByAge: Bool) throws {
        let harness = try harness {
            if isByAge {
                $0.settings.maxDuration = .milliseconds(80)
            } else {
                $0.settings.idleTimeout = .milliseconds(80)
            }
        }
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        exchange(harness, client, backend)
        #expect(harness.total(.upstreamPooledNow) == 1)
        harness.expectEnd(backend)
        #expect(harness.total(.upstreamPooledNow) == 0)
    }

    @Test func anIdleTimeoutOfZeroIsNone() throws {
        let harness = try harness { $0.settings.idleTimeout = .zero }
        harness.worker.resources.limits.upstreamIdle = .milliseconds(30)
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        exchange(harness, client, backend)
        let begun = harness.loop.now
        while harness.loop.now - begun < .milliseconds(120) { harness.loop.turn(limit: 5) }
        #expect(harness.total(.upstreamPooledNow) == 1)
    }

    /// The end has come, and the loop has not been told yet: what cannot be repeated must not go there.
    @Test(arguments: ["POST", "GET"]) func anIdleConnectionThatHasJustEndedIsNotUsed(method: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        for _ in 0..<20 {
            client.send("\(method) / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            // The request lies there first, and is found first.
            harness.loop.turn(limit: 0)
            var backend: RawSocket? = try harness.acceptBackend()
            exchange(harness, client, try #require(backend))
            client.send("\(method) / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            backend = nil
            let fresh = try harness.acceptBackend()
            exchange(harness, client, fresh)
            fresh.finish()
            harness.settle()
        }
        #expect(harness.statistics.requests(statusClass: 5) == 0)
    }

    /// An endpoint that closes idle connections after a while is not sent a POST on one that is nearly as old.
    @Test func thePatienceOfAnEndpointIsLearnt() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var backend: RawSocket? = try harness.acceptBackend()
        exchange(harness, client, try #require(backend))
        var begun = harness.loop.now
        while harness.loop.now - begun < .milliseconds(100) { harness.loop.turn(limit: 5) }
        backend = nil
        harness.until("the end of the connection") { harness.total(.upstreamPooledNow) == 0 }
        let learnt = harness.loop.now - begun
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        let second = try harness.acceptBackend()
        exchange(harness, client, second)
        client.send("POST /young HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        harness.expect(second, toReceive: "/young")
        exchange(harness, client, second)
        begun = harness.loop.now
        while harness.loop.now - begun < learnt { harness.loop.turn(limit: 5) }
        client.send("POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        let third = try harness.acceptBackend()
        harness.expect(third, toReceive: "/old")
        exchange(harness, client, third)
    }
}
