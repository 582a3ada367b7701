import Config
import Core
import Telemetry
import Testing
import Upstream

@testable import Proxy

/// BackendTrafficPolicy `loadBalancer` and Backend `fallback` as requests meet them.
@Suite("loadBalancer in exchanges") struct BalancingExchangeTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func harness(_ change: (inout LoadBalancerPlan) -> Void) throws -> WorkerHarness {
        let harness = try WorkerHarness(backends: 3, clusters: [[0, 1, 2]])
        try harness.publish(clusters: [[0, 1, 2]]) { change(&$0.clusters[0].traffic.loadBalancer) }
        return harness
    }

    /// Sends a request on a connection of its own.
    /// - Returns: which backend had it, and what the client got.
    private func ask(_ harness: WorkerHarness, _ target: String = "/", _ fields: String = "") throws -> (Int, String) {
        let client = try harness.connect()
        client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        var found: Int?
        var backend: RawSocket?
        harness.until("a backend") {
            for index in 0..<3 {
                if let accepted = try? harness.tryAcceptBackend(index) {
                    found = index
                    backend = accepted
                }
            }
            return found != nil
        }
        let socket = try #require(backend)
        harness.expect(socket, toReceive: "\r\n\r\n")
        // Each request on a connection of its own, so that it tells where it went.
        socket.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        harness.expect(client, toReceive: "\r\n\r\nhi")
        return (try #require(found), client.received)
    }

    @Test(
        "A header, several, a parameter: equal ones go to one endpoint, and all endpoints have some",
        arguments: [
            HashKeyPlan(.headers, names: ["x-user"]), HashKeyPlan(.headers, names: ["x-none", "x-user"]),
            HashKeyPlan(.queryParams, names: ["user"]),
        ])
    func hashed(key: HashKeyPlan) throws {
        let harness = try harness {
            $0.algorithm = .consistentHash
            $0.hash = key
        }
        var seen: Set<Int> = []
        for user in 0..<8 {
            let backends = try (0..<3).map { _ in
                try ask(harness, "/?a=b&user=\(user)", "X-User: \(user)\r\n").0
            }
            #expect(Set(backends).count == 1, "user \(user): \(backends)")
            seen.formUnion(backends)
        }
        #expect(seen.count > 1)
    }

    @Test("By source address all requests of one client go to one endpoint")
    func sourceIP() throws {
        let harness = try harness {
            $0.algorithm = .consistentHash
            $0.hash = HashKeyPlan(.sourceIP)
        }
        #expect(Set(try (0..<8).map { _ in try ask(harness).0 }).count == 1)
    }

    @Test("Without the cookie one is made, by which the client comes back to the endpoint")
    func cookie() throws {
        let harness = try harness {
            $0.algorithm = .consistentHash
            $0.hash = HashKeyPlan(.cookie, names: ["lb"], cookieAttributes: "; Max-Age=60; Path=/")
        }
        for _ in 0..<4 {
            let (first, response) = try ask(harness)
            let line = try #require(response.split(separator: "\r\n").first { $0.hasPrefix("set-cookie: lb=") })
            #expect(line.hasSuffix("; Max-Age=60; Path=/"))
            let value = line.dropFirst("set-cookie: ".count).prefix { $0 != ";" }
            for _ in 0..<3 {
                let (again, response) = try ask(harness, "/", "Cookie: other=1; \(value)\r\n")
                #expect(again == first)
                #expect(!response.contains("set-cookie"), "who has it needs no other")
            }
        }
    }

    @Test("endpointOverride: the first endpoint that a header names and that there is; else as ever")
    func override() throws {
        let harness = try harness { $0.overrideHeaders = ["x-endpoint"] }
        for index in 0..<3 {
            let address = "127.0.0.1:\(harness.backendPorts[index])"
            for value in [address, "10.0.0.1:80, \(address)", "nonsense,\(address),127.0.0.1:1"] {
                for _ in 0..<3 { #expect(try ask(harness, "/", "X-Endpoint: \(value)\r\n").0 == index) }
            }
        }
        for value in ["", "127.0.0.1", "127.0.0.1:0", "[::1]:80", "10.0.0.1:80"] {
            #expect((0..<3).contains(try ask(harness, "/", "X-Endpoint: \(value)\r\n").0))
        }
    }

    @Test(arguments: ["127.0.0.1:80", "[::1]:8080", "[2600:4040:5204::1574:24ae]:80"])
    func endpointsAreRead(text: String) {
        #expect(text.withView { SocketAddress(ofEndpoint: $0) } == SocketAddress(text))
    }

    @Test(arguments: [
        "", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "::1:80", "[::1]", "[]:80", "[:80",
    ])
    func noEndpoints(text: String) {
        #expect(text.withView { SocketAddress(ofEndpoint: $0) } == nil)
    }

    @Test("fallback serves when the others have no usable endpoint, and not before", arguments: [false, true])
    func fallback(isDown: Bool) throws {
        let clusters = [isDown ? [] : [0], [1]]
        let rule = RulePlan(
            matches: [MatchPlan(path: .prefix("/"))],
            backends: [
                BackendPlan(target: .cluster(0), weight: 1, name: "default/first"),
                BackendPlan(target: .cluster(1), weight: 1, name: "default/fallback"),
            ])
        let harness = try WorkerHarness(backends: 3, rules: [rule], clusters: clusters)
        try harness.publish(rules: [rule], clusters: clusters) { $0.clusters[1].isFallback = true }
        for _ in 0..<8 { #expect(try ask(harness).0 == (isDown ? 1 : 0)) }
    }

    @Test("An endpoint that is not usable gets nothing: with no other, 503")
    func unusable() throws {
        let harness = try WorkerHarness()
        let cell = harness.worker.liveState.endpoint(WorkerHarness.slot)
        cell.faults.value = EndpointCell.Faults.failedChecks.rawValue
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(harness.total(.upstreamConnections) == 0)
    }

    @Test("PeakEWMA learns from answers, and from those that never come")
    func latency() throws {
        let harness = try harness { $0.algorithm = .peakEWMA }
        _ = try ask(harness)
        let cell = harness.worker.liveState.endpoint(WorkerHarness.slot)
        #expect(cell.latency.value > 0)
        #expect(cell.latency.value < 1_000_000_000)
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        harness.until("a backend") {
            (0..<3).contains { (try? harness.tryAcceptBackend($0)).flatMap { $0 } != nil }
        }
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        #expect(cell.latency.value >= 1_000_000_000)
    }
}
