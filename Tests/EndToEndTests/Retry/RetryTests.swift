import Core
import Glibc
import Support
import Synchronization
import Testing

/// Retries, timeouts and kept connections of BackendTrafficPolicy, through the program.
@Suite struct RetryTests {
    private static func policy(_ fields: String, annotations: String = "") -> String {
        """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: BackendTrafficPolicy
        metadata: {name: traffic, namespace: default\(annotations)}
        spec:
          targetRefs:
          - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}
        \(fields)
        ---

        """
    }

    /// However many workers there are, a backend that fails is asked a fifth more often than its clients ask.
    @Test(arguments: [1, 4]) func aFailingBackendIsSpared(workers: Int) throws {
        let backend = try Backend { _ in .response(status: 503, body: "busy") }
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port)
                + Self.policy(
                    """
                      retry:
                        numRetries: 3
                        retryOn: {triggers: [5xx, reset, connect-failure]}
                        perRetry: {backOff: {baseInterval: 1ms, maxInterval: 2ms}}
                    """),
            workers: workers)
        let clients = 8
        let asked = 125
        let done = Mutex(0)
        let failures = Mutex(0)
        for _ in 0..<clients {
            Threads.start {
                do {
                    let client = try Client(port: port)
                    for _ in 0..<asked where try client.request().status != 503 { failures.withLock { $0 += 1 } }
                } catch {
                    failures.withLock { $0 += 1 }
                }
                done.withLock { $0 += 1 }
            }
        }
        try Wait.until("all answers", within: .seconds(60)) { done.withLock { $0 } == clients }
        #expect(failures.withLock { $0 } == 0)
        let attempts = backend.requests.count
        #expect(attempts <= 1200 + 3)
        #expect(attempts > 1003, "nothing was tried again")
        let counts = try backend.requests.map { try #require($0["x-envoy-attempt-count"].flatMap { Int($0) }) }
        #expect(counts.filter { $0 == 1 }.count == 1000)
        #expect(try gateway.stop() == .exited(code: 0))
    }

    @Test func theAnswerAndTheLogNameTheTimeout() throws {
        let backend = try Backend { _ in .silence }
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port)
                + Self.policy("  timeout:\n    http:\n      requestTimeout: 300ms"), options: ["--access-log", "json"])
        let answer = try Client(port: port).request()
        #expect(answer.status == 504)
        #expect(
            answer.text.hasPrefix(
                "upstream timed out: spec.timeout.http.requestTimeout of BackendTrafficPolicy 'default/traffic' ("))
        #expect(answer.text.contains("gateway.yaml:"))
        #expect(answer.text.hasSuffix(" after 300ms\n"))
        try Wait.until("the log's line") {
            gateway.output.contains(
                "\"detail\":\"upstream timed out: spec.timeout.http.requestTimeout of BackendTrafficPolicy 'default/traffic'"
            )
        }
    }

    @Test func aSlowBackendIsHedged() throws {
        let slow = try Backend("slow") { _ in .silence }
        let fast = try Backend("fast")
        let port = try Ports.free()
        let service =
            Manifests.service("backend", port: slow.port)
                + """
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: backend-2, namespace: default, labels: {kubernetes.io/service-name: backend}}
                addressType: IPv4
                ports: [{name: http, port: \(fast.port)}]
                endpoints: [{addresses: [127.0.0.1]}]
                ---

                """
        let gateway = try Gateway(
            Manifests.gateway(ports: [port]) + Manifests.route(to: "backend") + service
                + Self.policy("  timeout: {}", annotations: ", annotations: {sluice.dev/hedge: 50ms}"))
        // Whose turn it is, is chance: sooner or later the slow one's.
        try Wait.until("a hedge to win") {
            #expect(try Client(port: port).request().text == "fast")
            return try !gateway.admin("/metrics").text.contains("sluice_upstream_hedges_won_total 0\n")
        }
    }

    @Test func aHedgeThatIsNoneIsSaid() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "gateway.yaml",
            Manifests.simple(ports: [8080], backend: 9)
                + Self.policy("  timeout: {}", annotations: ", annotations: {sluice.dev/hedge: p95}"))
        let check = try Program(
            Program.built("sluice"), ["check", folder.path + "/gateway.yaml"], output: folder.path + "/output")
        #expect(try check.waitForEnd() == .exited(code: 1))
        #expect(check.output.contains("'p95' is no delay for a hedge; write a duration from 1ms to 60s"))
    }

    /// Every request meets a backend that closes its connections at about the moment when it comes.
    @Test func aBackendThatClosesIdleConnectionsFailsNobody() throws {
        let backend = try Backend("impatient") { backend, connection, number in
            connection.patience = .milliseconds(1000)
            while let request = try backend.readRequest(connection, number) {
                _ = request
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            }
        }
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port))
        let client = try Client(port: port)
        var statuses: [Int] = []
        for request in 0..<20 {
            statuses.append(
                try client.request(request % 2 == 0 ? "POST" : "GET", body: request % 2 == 0 ? [1] : nil).status)
            // On and around the second.
            usleep(UInt32(980_000 + request % 5 * 10_000))
        }
        #expect(statuses.allSatisfy { $0 == 200 }, "\(statuses)")
        #expect(try gateway.stop() == .exited(code: 0))
    }
}
