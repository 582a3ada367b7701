import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// When a request is sent again, and when never (RFC 9110, section 9.2.2; HTTPRouteRetry).
@Suite struct ReplayTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    /// A harness whose only backend has an idle connection, which is about to die.
    private func withIdleConnection() throws -> (WorkerHarness, RawSocket, RawSocket) {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /warm")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        client.forget()
        backend.forget()
        return (harness, client, backend)
    }

    @Test func aChunkedBodyIsReplayedAlthoughItHadTrailers() throws {
        var (harness, client, backend): (WorkerHarness, RawSocket, RawSocket?) = try withIdleConnection()
        client.send(
            "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n"
        )
        harness.expect(try #require(backend), toReceive: "X-Other: 2\r\n\r\n")
        backend = nil
        let fresh = try harness.acceptBackend()
        harness.expect(fresh, toReceive: "3\r\nabc\r\n0\r\n\r\n")
        fresh.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectNothingUnderWay()
    }

    /// The kept body is as long as can be: its chunks do not fit one block, and no edge tells that there is room again.
    @Test(arguments: [true, false]) func theLongestKeptBodyIsReplayedWhole(isChunked: Bool) throws {
        var (harness, client, backend): (WorkerHarness, RawSocket, RawSocket?) = try withIdleConnection()
        let size = 32 * 1024
        let body = String(repeating: "z", count: size)
        client.send(
            isChunked
                ? "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n\(body)\r\n0\r\n\r\n"
                : "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n\(body)")
        harness.until("the body") {
            backend?.receive()
            return (backend?.bytes.count { $0 == 0x7A } ?? 0) == size
        }
        harness.settle()
        backend = nil
        let fresh = try harness.acceptBackend()
        harness.until("the body again") {
            fresh.receive()
            return fresh.bytes.count { $0 == 0x7A } == size
        }
        fresh.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(harness.total(.upstreamReplays) == 1)
    }

    @Test func whatIsNotIdempotentIsNotSentTwice() throws {
        var (harness, client, backend): (WorkerHarness, RawSocket, RawSocket?) = try withIdleConnection()
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        harness.expect(try #require(backend), toReceive: "\r\n\r\nabc")
        backend = nil
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        harness.settle()
        #expect(try harness.tryAcceptBackend() == nil)
        #expect(harness.statistics.requests(.upstreamConnectionTermination) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aBodyLongerThanWhatIsKeptIsNotReplayed() throws {
        var (harness, client, backend): (WorkerHarness, RawSocket, RawSocket?) = try withIdleConnection()
        let body = String(repeating: "z", count: 40_000)
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n\(body)")
        harness.until("the body") {
            backend?.receive()
            return (backend?.bytes.count { $0 == 0x7A } ?? 0) == 40_000
        }
        backend = nil
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
    }

    @Test func anInterimResponseIsAResponse() throws {
        var (harness, client, backend): (WorkerHarness, RawSocket, RawSocket?) = try withIdleConnection()
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        harness.expect(try #require(backend), toReceive: "\r\n\r\n")
        backend?.send("HTTP/1.1 100 Continue\r\n\r\n")
        harness.expect(client, toReceive: "100 Continue\r\n\r\n")
        client.send("abc")
        harness.expect(try #require(backend), toReceive: "\r\n\r\nabc")
        backend = nil
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(harness.total(.upstreamReplays) == 0)
    }

    @Test func aFreshConnectionThatDiesIsNotReplayed() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var backend: RawSocket? = try harness.acceptBackend()
        harness.expect(try #require(backend), toReceive: "GET /")
        backend = nil
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(try harness.tryAcceptBackend() == nil)
    }

    // MARK: retries

    @Test func aRetryTakesAnotherEndpointAfterItsBackoff() throws {
        let harness = try WorkerHarness(
            backends: 2,
            rules: [
                WorkerHarness.rule {
                    $0.retry = RetryPlan(codes: [503], attempts: 2, backoff: .milliseconds(30))
                }
            ], clusters: [[0, 1]])
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        var asked: [Int] = []
        var times: [Int64] = []
        var sockets: [RawSocket?] = [nil, nil]
        for _ in 0..<3 {
            // Each endpoint's connection is kept: its answers are read to their ends.
            var now: (Int, RawSocket)?
            try harness.until("an attempt") {
                for index in 0..<2 {
                    if let socket = try harness.tryAcceptBackend(index) { sockets[index] = socket }
                    sockets[index]?.receive()
                    guard let socket = sockets[index], socket.received.hasSuffix("\r\n\r\nabc") else { continue }
                    now = (index, socket)
                }
                return now != nil
            }
            let (index, socket) = try #require(now)
            asked.append(index)
            times.append(harness.loop.now.nanoseconds / 1_000_000)
            socket.forget()
            socket.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
        }
        harness.expect(client, toReceive: "HTTP/1.1 503 Busy\r\n")
        #expect(asked[0] != asked[1] && asked[1] != asked[2])
        #expect(times[1] - times[0] >= 29 && times[2] - times[1] >= 29)
        #expect(harness.total(.upstreamRetries) == 2)
        harness.expect(client, toReceive: "\r\n\r\nbusy")
        harness.expectNothingUnderWay()
    }

    @Test func anotherCodeIsNotRetried() throws {
        let harness = try WorkerHarness(
            rules: [WorkerHarness.rule { $0.retry = RetryPlan(codes: [503], attempts: 1, backoff: .zero) }])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /")
        backend.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 500 No\r\n")
    }

    @Test func aRefusedConnectionFailsOverToAnotherEndpoint() throws {
        let harness = try WorkerHarness(clusters: [[0, 9]])
        let client = try harness.connect()
        var backend: RawSocket?
        // Whose turn it is, is chance; of forty requests one begins at the dead endpoint.
        for path in (1...40).map({ "/\($0)" }) where harness.total(.upstreamConnectFailures) == 0 || path == "/1" {
            client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            if backend == nil { backend = try harness.acceptBackend() }
            harness.expect(try #require(backend), toReceive: "GET \(path) ")
            backend?.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            client.forget()
        }
        #expect(harness.total(.upstreamConnectFailures) >= 1)
        harness.expectNothingUnderWay()
    }

    /// However many retries a rule allows, a refusal on the spot must not pile up calls.
    @Test func noNumberOfRetriesOverflowsTheStack() throws {
        let harness = try WorkerHarness(
            rules: [WorkerHarness.rule { $0.retry = RetryPlan(codes: [], attempts: 100_000_000, backoff: .zero) }],
            clusters: [[9]])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        // The budget is a hundred in ten seconds for whoever is hardly asked.
        #expect(harness.total(.upstreamRetries) == 100)
        #expect(harness.total(.retryBudgetExhausted) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func whereNobodyListensIsA503() throws {
        let harness = try WorkerHarness(clusters: [[9]])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(harness.statistics.requests(.upstreamConnectionFailure) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aClusterWithoutEndpointsIsA503() throws {
        let harness = try WorkerHarness(clusters: [[]])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(harness.statistics.requests(.noHealthyUpstream) == 1)
        harness.expectNothingUnderWay()
    }
}
