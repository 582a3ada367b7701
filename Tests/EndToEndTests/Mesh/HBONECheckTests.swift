import Core
import Support
import Synchronization
import Testing

/// Active health checks of endpoints that are reached through HBONE.
@Suite("Health checks through HBONE") struct HBONECheckTests {
    private let mesh: MeshFolder
    private let port: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("front")
        port = try Ports.free()
    }

    private func gateway(node: UInt16, backend: UInt16, check: String, appProtocol: String = "http") throws -> Gateway {
        try Gateway(
            mesh.front(port, to: "cart")
                + MeshFolder.service(
                    "cart", port: backend, annotations: "sluice.dev/hbone: 'true', sluice.dev/hbone-port: '\(node)'",
                    appProtocol: appProtocol)
                    + """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: BackendTrafficPolicy
                    metadata: {name: checks, namespace: shop}
                    spec:
                      targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: all}]
                      healthCheck: {active: {interval: 50ms, timeout: 5s, unhealthyThreshold: 2, \(check)}}

                    """)
    }

    private static let http = "type: HTTP, http: {path: /healthz}"

    /// The probe goes where requests go: to the workload, through the tunnel, on a connection that probes share.
    @Test(arguments: ["http", "kubernetes.io/h2c"])
    func theWorkloadIsAsked(appProtocol: String) throws {
        let backend = try EchoBackend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let gateway = try gateway(node: node.port, backend: backend.port, check: Self.http, appProtocol: appProtocol)
        try gateway.waitFor(backend.port, toBe: "healthy")
        try node.running.wait(for: "connect", count: 3)
        #expect(node.running.values("connect").allSatisfy { $0 == "127.0.0.1:\(backend.port)" })
        #expect(node.running.values("peer") == ["spiffe://cluster.local/ns/shop/sa/front"])
        let fields = node.running.values("field")
        #expect(!fields.contains { $0.hasPrefix("traceparent") || $0.hasPrefix("forwarded") })
    }

    @Test func anAnswerThatIsWrongTakesTheEndpointOutUntilItIsRight() throws {
        final class Health: Sendable { let isWell = Mutex(true) }
        let health = Health()
        let backend = try Backend("cart") { request in
            .response(
                status: request.target == "/healthz" && !health.isWell.withLock { $0 } ? 503 : 200, body: "cart")
        }
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let gateway = try gateway(node: node.port, backend: backend.port, check: Self.http)
        try gateway.waitFor(backend.port, toBe: "healthy")
        health.isWell.withLock { $0 = false }
        try gateway.waitFor(backend.port, toBe: "unhealthy")
        #expect(try gateway.endpoint(backend.port).contains("status 503"))
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == 503)
        health.isWell.withLock { $0 = true }
        try gateway.waitFor(backend.port, toBe: "healthy")
        #expect(try Client(port: port).request("GET", "/", host: "cart").text == "cart")
    }

    /// A workload that takes no connection is not well, though its node's proxy is there; nor is one whose proxy refuses.
    @Test(arguments: [("200", "type: TCP, tcp: {}"), ("403", "type: TCP, tcp: {}"), ("403", Self.http)])
    func theTunnelsAnswerCounts(answer: String, check: String) throws {
        let node = try Clients.backend("hbone_server", try mesh.workload("cart") + ["--answer", answer])
        let backend = try Ports.free()
        let gateway = try gateway(node: node.port, backend: backend, check: check)
        try gateway.waitFor(backend, toBe: "unhealthy")
        #expect(!node.running.values("connect").isEmpty)
        guard answer == "200" else { return }
        let workload = try Backend("cart", port: backend)
        try gateway.waitFor(backend, toBe: "healthy")
        withExtendedLifetime(workload) {}
    }

    @Test func aPeerThatIsSomebodyElseIsNotWell() throws {
        let backend = try Backend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart", namespace: "far"))
        let gateway = try gateway(node: node.port, backend: backend.port, check: Self.http)
        try gateway.waitFor(backend.port, toBe: "unhealthy")
        #expect(node.running.values("connect").isEmpty && backend.requests.isEmpty)
    }
}
