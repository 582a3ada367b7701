import Config
import Connection
import Core
import Telemetry
import Testing

@testable import Proxy

/// Clients and backends that do anything at any moment: whatever they do, nothing traps, nothing hangs, everything that was
/// begun is ended, and the next orderly request is served. Each round comes from a seed, which a failure names.
@Suite struct ChaosTests {
    private static let requests = [
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + String(repeating: "p", count: 30_000),
        "POST /mirrored HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + String(repeating: "q", count: 100_000),
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\nExpect: 100-continue\r\n\r\n"
            + String(repeating: "r", count: 150_000),
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
        "GET /none/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /mirrored HTTP/1.1\r\nHost: a\r\n\r\n", "garbage\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 32_600))\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]

    private static let responses = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nxx\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 120000\r\n\r\n" + String(repeating: "s", count: 120_000),
        "HTTP/1.1 200 OK\r\nContent-Length: 120000\r\nConnection: close\r\n\r\n"
            + String(repeating: "t", count: 90_000),
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ]

    /// One end of a connection and what it has still to say.
    private final class Party {
        var socket: RawSocket?
        var unsent: ArraySlice<UInt8> = []
        init(_ socket: RawSocket) { self.socket = socket }

        func act(_ random: inout SeededRandom, _ words: [String]) {
            guard let socket else { return }
            switch random.next() % 16 {
            case 0...3: unsent += Array(words[Int(random.next() % UInt64(words.count))].utf8)
            case 4...9:
                let most = random.next() % 4 == 0 ? 7 : 60_000
                unsent = unsent.dropFirst(socket.send(Array(unsent.prefix(most))))
            case 10...12:
                socket.receive(limit: random.next() % 3 == 0 ? 1000 : .max)
                socket.forget()
            case 13: if random.next() % 4 == 0 { socket.finish() }
            case 14: if random.next() % 4 == 0 { self.socket = nil }
            default:
                if random.next() % 4 == 0 {
                    socket.resetsWhenGone()
                    self.socket = nil
                }
            }
        }
    }

    private func makeHarness() throws -> WorkerHarness {
        let harness = try WorkerHarness(
            backends: 3,
            rules: [
                WorkerHarness.rule("/a") {
                    $0.retry = RetryPlan(codes: [503], attempts: 2, backoff: .milliseconds(1))
                    $0.backendRequestTimeout = .milliseconds(60)
                    $0.requestTimeout = .milliseconds(90)
                },
                WorkerHarness.rule("/mirrored", to: 2) { $0.filters.mirrors = [MirrorPlan(cluster: 1)] },
            ], clusters: [[0, 1, 9], [1], [2]])
        harness.worker.limits.streamIdle = .milliseconds(40)
        harness.worker.limits.halfClosed = .milliseconds(20)
        harness.worker.limits.connect = .milliseconds(50)
        harness.worker.resources.limits.headReceived = .milliseconds(30)
        harness.worker.resources.limits.lingering = .milliseconds(10)
        harness.worker.resources.limits.keepAliveIdle = .milliseconds(100)
        harness.worker.resources.limits.upstreamIdle = .milliseconds(100)
        return harness
    }

    @Test(arguments: [1, 1001, 2001, 3001]) func everythingThatWasBegunIsEnded(firstSeed: UInt64) throws {
        let harness = try makeHarness()
        for seed in firstSeed..<(firstSeed + 25) {
            var random = SeededRandom(seed: seed)
            var clients: [Party] = []
            var backends: [Party] = []
            for _ in 0..<250 {
                if clients.count < 6, random.next() % 4 == 0 { clients.append(Party(try harness.connect())) }
                for index in 0..<3 {
                    if let socket = try harness.tryAcceptBackend(index) { backends.append(Party(socket)) }
                }
                for client in clients { client.act(&random, Self.requests) }
                for backend in backends { backend.act(&random, Self.responses) }
                clients.removeAll { $0.socket == nil }
                backends.removeAll { $0.socket == nil }
                harness.loop.turn(limit: 0)
            }
            // Some go on for a while without a word; then all are gone.
            if random.next() % 2 == 0 { harness.settle() }
            clients.removeAll()
            backends.removeAll()
            harness.until("the end of seed \(seed)") {
                for index in 0..<3 { _ = try? harness.tryAcceptBackend(index) }
                return harness.total(.downstreamConnectionsNow) == 0 && harness.worker.mirrorsNow == 0
                    && harness.total(.upstreamPooledNow) == 0
            }
            harness.expectNothingUnderWay()
            #expect(harness.worker.resources.pipes.lent == 0, "seed \(seed)")
            try serveOneMore(harness, seed)
        }
    }

    /// An orderly request is served in order, on connections of its own.
    private func serveOneMore(_ harness: WorkerHarness, _ seed: UInt64) throws {
        let client = try harness.connect()
        client.send("GET /mirrored/last HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend(2)
        harness.expect(backend, toReceive: "GET /mirrored/last ")
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast")
        harness.expect(client, toReceive: "\r\n\r\nlast")
        _ = try harness.acceptBackend(1)
    }
}
