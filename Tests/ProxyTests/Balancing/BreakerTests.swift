import Config
import Core
import Telemetry
import Testing
import Upstream

@testable import Proxy

/// BackendTrafficPolicy `circuitBreaker` in one worker: permits, the line of those who wait, connections.
@Suite("circuitBreaker") struct BreakerTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func harness(
        backends: Int = 1, clusters: [[Int]]? = nil, rules: [RulePlan]? = nil,
        _ change: (inout CircuitBreakerPlan) -> Void
    ) throws -> WorkerHarness {
        let harness = try WorkerHarness(backends: backends, rules: rules, clusters: clusters)
        try harness.publish(rules: rules, clusters: clusters) { plan in
            for index in plan.clusters.indices { change(&plan.clusters[index].traffic.circuitBreaker) }
        }
        return harness
    }

    private func ask(_ harness: WorkerHarness, _ path: String) throws -> RawSocket {
        let client = try harness.connect()
        client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        return client
    }

    @Test("Above maxParallelRequests requests wait, and are served in the order in which they came")
    func order() throws {
        let harness = try harness { $0.maxParallelRequests = 1 }
        let clients = try (0..<4).map { number in
            let client = try ask(harness, "/\(number)")
            harness.until("request \(number) to begin or to wait") { harness.total(.requestsNow) == number + 1 }
            return client
        }
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /0 ")
        harness.until("three to wait") { harness.total(.breakerPendingNow) == 3 }
        #expect(harness.total(.upstreamRequestsNow) == 1)
        for number in 0..<4 {
            harness.expect(backend, toReceive: "GET /\(number) ")
            backend.forget()
            backend.send(Self.ok)
            harness.expect(clients[number], toReceive: "hi")
        }
        #expect(try harness.tryAcceptBackend() == nil, "one connection served them all")
        #expect(harness.total(.breakerPendingNow) == 0)
        harness.expectNothingUnderWay()
    }

    @Test("When as many wait as maxPendingRequests allows, the next is answered 503 with UO", arguments: [0, 2])
    func overflow(pending: Int) throws {
        let harness = try harness {
            $0.maxParallelRequests = 1
            $0.maxPendingRequests = UInt32(pending)
        }
        let served = try ask(harness, "/served")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /served ")
        let waiting = try (0..<pending).map { number in
            let client = try ask(harness, "/waiting")
            harness.until("it waits") { harness.total(.breakerPendingNow) == number + 1 }
            return client
        }
        let refused = try ask(harness, "/refused")
        harness.expect(refused, toReceive: "HTTP/1.1 503 ")
        harness.expect(refused, toReceive: "circuit breaker")
        #expect(harness.total(.breakerOverflows) == 1)
        for client in [served] + waiting {
            backend.send(Self.ok)
            harness.expect(client, toReceive: "hi")
        }
        harness.expectNothingUnderWay()
    }

    @Test("A client that leaves leaves the line, too")
    func leaving() throws {
        let harness = try harness { $0.maxParallelRequests = 1 }
        let served = try ask(harness, "/served")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "GET /served ")
        var gone: RawSocket? = try ask(harness, "/gone")
        harness.until("it waits") { harness.total(.breakerPendingNow) == 1 }
        let last = try ask(harness, "/last")
        harness.until("it waits") { harness.total(.breakerPendingNow) == 2 }
        gone?.resetsWhenGone()
        gone = nil
        harness.until("it is gone") { harness.total(.breakerPendingNow) == 1 }
        backend.forget()
        backend.send(Self.ok)
        harness.expect(served, toReceive: "hi")
        harness.expect(backend, toReceive: "GET /last ")
        backend.send(Self.ok)
        harness.expect(last, toReceive: "hi")
        harness.expectNothingUnderWay()
    }

    @Test("Waiting counts into the request's timeout")
    func timeout() throws {
        let rules = [WorkerHarness.rule { $0.requestTimeout = .milliseconds(30) }]
        let harness = try harness(rules: rules) { $0.maxParallelRequests = 1 }
        let clients = try (0..<2).map { try ask(harness, "/\($0)") }
        for client in clients { harness.expect(client, toReceive: "HTTP/1.1 504 ") }
        #expect(harness.total(.breakerPendingNow) == 0)
        harness.expectNothingUnderWay()
    }

    @Test("A raised limit lets those in who wait")
    func reload() throws {
        let harness = try harness { $0.maxParallelRequests = 1 }
        let clients = try (0..<2).map { try ask(harness, "/\($0)") }
        let first = try harness.acceptBackend()
        harness.until("one waits") { harness.total(.breakerPendingNow) == 1 }
        try harness.publish { $0.clusters[0].traffic.circuitBreaker.maxParallelRequests = 2 }
        // The new limit is taken up with the next request.
        let third = try ask(harness, "/2")
        let second = try harness.acceptBackend()
        for backend in [first, second] {
            harness.expect(backend, toReceive: "GET /")
            backend.forget()
            backend.send(Self.ok)
        }
        harness.until("the third") {
            for backend in [first, second] {
                backend.receive()
                if backend.received.contains("GET /") {
                    backend.forget()
                    backend.send(Self.ok)
                }
            }
            third.receive()
            return third.received.contains("hi")
        }
        for client in clients { harness.expect(client, toReceive: "hi") }
        harness.expectNothingUnderWay()
    }

    @Test("maxConnections holds connections back, not requests on those that are there")
    func connections() throws {
        let harness = try harness { $0.maxConnections = 1 }
        let clients = try (0..<3).map { try ask(harness, "/\($0)") }
        let backend = try harness.acceptBackend()
        for _ in clients {
            harness.expect(backend, toReceive: "GET /")
            harness.settle()
            #expect(try harness.tryAcceptBackend() == nil)
            backend.forget()
            backend.send(Self.ok)
        }
        for client in clients { harness.expect(client, toReceive: "hi") }
        #expect(harness.total(.upstreamConnections) == 1)
        harness.expectNothingUnderWay()
    }

    @Test("An idle connection to one endpoint makes room for one to another", arguments: [false, true])
    func idleMakesRoom(perEndpoint: Bool) throws {
        let harness = try harness(backends: 2, clusters: [[0, 1]]) {
            if perEndpoint { $0.maxConnectionsPerEndpoint = 1 } else { $0.maxConnections = 1 }
        }
        for _ in 0..<10 {
            let client = try ask(harness, "/")
            var backend: RawSocket?
            harness.until("the request") {
                for index in 0..<2 {
                    if let accepted = try? harness.tryAcceptBackend(index) { keep(accepted) }
                }
                backend = sockets.first { socket in
                    socket.receive()
                    return socket.received.contains("\r\n\r\n")
                }
                return backend != nil
            }
            backend?.forget()
            backend?.send(Self.ok)
            harness.expect(client, toReceive: "hi")
        }
        harness.expectNothingUnderWay()
    }
    private let kept = Kept()
    private final class Kept { var sockets: [RawSocket] = [] }
    private var sockets: [RawSocket] { kept.sockets }
    private func keep(_ socket: RawSocket) { kept.sockets.append(socket) }

    @Test("maxRequestsPerConnection: a connection carries so many, then another is made", arguments: [1, 2])
    func requestsPerConnection(limit: Int) throws {
        let harness = try harness { $0.maxRequestsPerConnection = UInt32(limit) }
        let client = try harness.connect()
        for round in 0..<2 {
            var connection: RawSocket?
            for number in 0..<limit {
                client.forget()
                client.send("GET /\(round)/\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                if number == 0 { connection = try harness.acceptBackend() }
                let backend = try #require(connection)
                harness.expect(backend, toReceive: "GET /\(round)/\(number) ")
                backend.send(Self.ok)
                harness.expect(client, toReceive: "hi")
            }
            harness.expectEnd(try #require(connection))
        }
        harness.expectNothingUnderWay()
    }

    @Test("Connections that fail, are cut or are never made give their permits back")
    func permitsComeBack() throws {
        let harness = try harness(clusters: [[0, 9]]) {
            $0.maxConnections = 1
            $0.maxParallelRequests = 1
        }
        for number in 0..<20 {
            let client = try ask(harness, "/\(number)")
            let backend = try harness.acceptBackend()
            harness.expect(backend, toReceive: "GET /\(number) ")
            if number % 3 == 0 {
                // Its end before an answer.
                backend.resetsWhenGone()
            } else {
                backend.send(
                    number % 3 == 1 ? Self.ok : "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
                harness.expect(client, toReceive: "hi")
            }
        }
        harness.settle()
        harness.expectNothingUnderWay()
    }
}
