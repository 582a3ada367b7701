import Core
import Glibc
import IO
import Support
import Testing

/// ClientTrafficPolicy through the program.
@Suite(.serialized) struct ClientTrafficTests {
    private static func policy(_ fields: String) -> String {
        """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: ClientTrafficPolicy
        metadata: {name: clients, namespace: default}
        spec:
          targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gateway}]
          \(fields)

        """
    }

    private func gateway(
        _ port: UInt16, _ backend: Backend, workers: Int = 1, options: [String] = [], _ fields: String
    ) throws -> Gateway {
        try Gateway(
            [
                "gateway.yaml": Manifests.simple(ports: [port], backend: backend.port),
                "policy.yaml": Self.policy(fields),
            ], workers: workers, options: options)
    }

    /// The limit holds for all workers together, and what a worker had goes with it.
    @Test func connectionsAreCountedInAllWorkers() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try gateway(port, backend, workers: 2, "connection: {connectionLimit: {value: 6}}")
        var kept: [Client] = []
        var refused = 0
        for _ in 0..<20 {
            guard let client = try? Client(port: port), (try? client.request().status) == 200 else {
                refused += 1
                continue
            }
            kept.append(client)
        }
        #expect(kept.count == 6 && refused == 14)
        #expect(try gateway.admin("/metrics").text.contains("sluice_downstream_connection_limit_refusals_total 14"))
        kept.removeLast(2)
        try Wait.until("two places") {
            guard kept.count < 6, let client = try? Client(port: port), (try? client.request().status) == 200 else {
                return kept.count == 6
            }
            kept.append(client)
            return kept.count == 6
        }
        for index in 0..<2 {
            let worker = try #require(gateway.worker(index))
            kill(worker, SIGKILL)
            try Wait.until("a new worker") { gateway.worker(index).map { $0 != worker } ?? false }
        }
        kept = []
        try Wait.until("six again") {
            guard let client = try? Client(port: port), (try? client.request().status) == 200 else { return false }
            kept.append(client)
            return kept.count == 6
        }
    }

    @Test func aRequestThatDoesNotComeIsToldWhichFieldSaysSo() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try gateway(port, backend, "timeout: {http: {requestReceivedTimeout: 200ms}}")
        let client = try Client(port: port)
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        let response = try client.readResponse()
        #expect(response.status == 408)
        #expect(response.text.contains("requestReceivedTimeout"))
        #expect(response.text.contains("policy.yaml:6"))
        try Wait.until("the record") { gateway.output.contains("DT") }
    }

    @Test func whoseRequestItIs() throws {
        let backend = try Backend { request in .response(body: request.all("x-forwarded-for").joined()) }
        let port = try Ports.free()
        let gateway = try gateway(
            port, backend, options: ["--access-log", "json"],
            "clientIPDetection: {xForwardedFor: {trustedCIDRs: [127.0.0.0/8]}}")
        let client = try Client(port: port)
        let response = try client.request(fields: [("X-Forwarded-For", "6.6.6.6, 203.0.113.7, 127.0.0.5")])
        #expect(response.text == "6.6.6.6, 203.0.113.7, 127.0.0.5, 127.0.0.1")
        try Wait.until("the record") { gateway.output.contains("\"peer\":\"203.0.113.7") }
    }

    @Test func whatIsNotSupportedIsNamed() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try gateway(
            port, backend, "healthCheck: {path: /healthz}\n  tls: {fingerprints: [JA3]}\n  http3: {}")
        #expect(gateway.output.contains("fingerprints") && gateway.output.contains("http3"))
        #expect(try Client(port: port).request("GET", "/healthz").status == 200)
        #expect(backend.requests.isEmpty)
    }
}
