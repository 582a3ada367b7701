import Core
import Glibc
import Support
import Synchronization
import Testing

/// Balancing and circuit breakers through the program, over several workers.
@Suite("Balancing and circuit breakers", .serialized)
struct BalancingTests {
    /// A Service of several endpoints on 127.0.0.1, each with a port of its own, under a policy.
    private func site(port: UInt16, backends: [Backend], policy: String) -> String {
        let slices = backends.enumerated().map { index, backend in
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: backend-\(index)
              namespace: default
              labels: {kubernetes.io/service-name: backend}
            addressType: IPv4
            ports: [{name: http, port: \(backend.port)}]
            endpoints: [{addresses: [127.0.0.1], zone: zone-\(index)}]
            ---

            """
        }
        return Manifests.gateway(ports: [port]) + Manifests.route(to: "backend") + slices.joined() + """
            apiVersion: v1
            kind: Service
            metadata: {name: backend, namespace: default}
            spec: {ports: [{name: http, port: 80}]}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: policy, namespace: default}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}]
              \(policy)

            """
    }

    private final class Gauge: Sendable {
        private let state = Mutex((now: 0, most: 0, all: 0))
        func enter() {
            state.withLock {
                $0.now += 1
                $0.all += 1
                $0.most = max($0.most, $0.now)
            }
        }
        func leave() { state.withLock { $0.now -= 1 } }
        var most: Int { state.withLock { $0.most } }
        var all: Int { state.withLock { $0.all } }
    }

    @Test("A backend limited to 10 parallel requests never sees more, from 200 clients of 4 workers; none fails")
    func neverMoreThanTheLimit() throws {
        let gauge = Gauge()
        let backend = try Backend { _ in
            gauge.enter()
            usleep(2000)
            gauge.leave()
            return .response(body: "ok")
        }
        let port = try Ports.free()
        let gateway = try Gateway(
            site(port: port, backends: [backend], policy: "circuitBreaker: {maxParallelRequests: 10}"), workers: 4)
        let load = Load(port: port, clients: 200)
        try load.waitForMore(2000)
        let tally = try load.stop()
        #expect(tally.wrong.isEmpty, "\(tally.wrong.prefix(5))")
        #expect(tally.broken + tally.refused == 0)
        #expect(gauge.most <= 10)
        #expect(gauge.most >= 5, "the limit is used: \(gauge.most)")
        let metrics = try gateway.admin("/metrics").text
        #expect(metrics.contains("sluice_circuit_breaker_pending 0"), "\(metrics)")
    }

    @Test("Past maxPendingRequests requests are refused with UO, and the backend still sees no more than its limit")
    func overflow() throws {
        let gauge = Gauge()
        let backend = try Backend { _ in
            gauge.enter()
            usleep(5000)
            gauge.leave()
            return .response(body: "ok")
        }
        let port = try Ports.free()
        let gateway = try Gateway(
            site(
                port: port, backends: [backend],
                policy: "circuitBreaker: {maxParallelRequests: 4, maxPendingRequests: 4}"), workers: 4)
        let load = Load(port: port, clients: 60)
        try Wait.until("requests to be served") { gauge.all > 300 }
        let tally = try load.stop()
        #expect(gauge.most <= 4)
        #expect(!tally.wrong.isEmpty)
        #expect(tally.wrong.allSatisfy { $0 == 503 })
        #expect(gateway.output.contains(" UO "), "the access log tells why")
    }

    @Test("Permits of a worker that is killed are free again")
    func aKilledWorkerHoldsNothing() throws {
        let backend = try Backend { request in request.target == "/hold" ? .silence : .response(body: "ok") }
        let port = try Ports.free()
        let gateway = try Gateway(
            site(port: port, backends: [backend], policy: "circuitBreaker: {maxParallelRequests: 2}"))
        let holders = try (0..<2).map { _ in
            let client = try Client(port: port)
            try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            return client
        }
        try Wait.until("both to be held") { backend.requests.count == 2 }
        let before = try #require(gateway.worker(0))
        kill(before, SIGKILL)
        try Wait.until("another worker") { gateway.worker(0).map { $0 != before } ?? false }
        try Wait.until("an answer") { (try? Client(port: port).request().status) == 200 }
        #expect(holders.count == 2)
    }

    @Test("One of three backends slowed to 200 ms: more than 95 % of the requests go to the other two")
    func aSlowBackendGetsLittle() throws {
        let counts = [Gauge(), Gauge(), Gauge()]
        let backends = try counts.enumerated().map { index, gauge in
            try Backend { _ in
                gauge.enter()
                usleep(index == 0 ? 200_000 : 2000)
                gauge.leave()
                return .response(body: "ok")
            }
        }
        let port = try Ports.free()
        // The default, whatever else the policy says.
        let gateway = try Gateway(
            site(port: port, backends: backends, policy: "circuitBreaker: {}"), workers: 4)
        // Few, so that on a busy machine the fast ones are fast.
        let load = Load(port: port, clients: 6)
        try load.waitForMore(1500)
        let tally = try load.stop()
        #expect(tally.wrong.isEmpty)
        let all = counts.reduce(0) { $0 + $1.all }
        #expect(counts[0].all * 20 < all, "\(counts.map(\.all))")
        #expect(abs(counts[1].all - counts[2].all) < all / 5, "\(counts.map(\.all))")
        _ = gateway
    }

    @Test("A gateway that knows its zone keeps requests there")
    func zone() throws {
        let backends = try (0..<3).map { try Backend("zone-\($0)") }
        let port = try Ports.free()
        let policy = """
            loadBalancer: {type: RoundRobin, zoneAware: {preferLocal: {minEndpointsThreshold: 1, force: {}}}}
            """
        let gateway = try Gateway(
            site(port: port, backends: backends, policy: policy), options: ["--zone", "zone-1"])
        for _ in 0..<10 { #expect(try Client(port: port).request().text == "zone-1") }
        let backendsPage = try gateway.admin("/api/backends").text
        #expect(backendsPage.contains("zone-1"))
        backends[1].stop()
        try gateway.stop()
        let elsewhere = try Gateway(
            site(port: port, backends: backends, policy: policy), environment: ["SLUICE_ZONE": "zone-2"])
        for _ in 0..<5 { #expect(try Client(port: port).request().text == "zone-2") }
        _ = elsewhere
    }

    @Test("TCP connections are held to maxConnections, and wait for one that ends")
    func relays() throws {
        let backend = try Backend { _, connection, _ in
            try connection.send("hello\n")
            _ = try connection.readToEnd()
        }
        let port = try Ports.free()
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: gateway, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: tcp, protocol: TCP, port: \(port)}]
            ---
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: TCPRoute
            metadata: {name: route, namespace: default}
            spec:
              parentRefs: [{name: gateway}]
              rules: [{backendRefs: [{name: backend, port: 80}]}]
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: policy, namespace: default}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: TCPRoute, name: route}]
              circuitBreaker: {maxConnections: 2, maxPendingRequests: 1}
            ---

            """
        let gateway = try Gateway(text + Manifests.service("backend", port: backend.port))
        var clients = try (0..<2).map { _ in try Client(port: port) }
        for client in clients { #expect(try client.readLine() == "hello") }
        let waiting = try Client(port: port)
        try Wait.until("it waits") {
            try gateway.admin("/metrics").text.contains("sluice_circuit_breaker_pending 1")
        }
        // The reset may come before the client has even looked at its connection.
        #expect(throws: (any Error).self) { try Client(port: port).readLine() }
        clients.removeLast().shutdown()
        #expect(try waiting.readLine() == "hello")
        #expect(backend.accepted == 3)
    }
}
