import Core
import Glibc
import Support
import Testing

/// The way to endpoints that are reached through HBONE, with a node's proxy that others' libraries make.
@Suite("HBONE towards workloads") struct HBONEClientTests {
    private let mesh: MeshFolder
    private let port: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("front")
        port = try Ports.free()
    }

    private func gateway(to node: UInt16, backend: UInt16, annotations: String = "", appProtocol: String = "http")
        throws
        -> Gateway
    {
        try Gateway(
            mesh.front(port, to: "cart")
                + MeshFolder.service(
                    "cart", port: backend,
                    annotations: "sluice.dev/hbone: 'true', sluice.dev/hbone-port: '\(node)'"
                        + (annotations.isEmpty ? "" : ", " + annotations), appProtocol: appProtocol))
    }

    @Test func carriesManyRequestsOnOneConnectionWithMetadata() throws {
        let backend = try Backend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let gateway = try gateway(to: node.port, backend: backend.port)
        let body = [UInt8](repeating: 0x61, count: 300_000)
        try withExtendedLifetime(gateway) {
            for _ in 0..<5 {
                let response = try Client(port: port).request("GET", "/", host: "cart")
                #expect(response.status == 200 && response.text == "cart")
            }
            #expect(try Client(port: port).request("POST", "/", host: "cart", fields: [], body: body).status == 200)
        }
        #expect(node.running.values("peer") == ["spiffe://cluster.local/ns/shop/sa/front"])
        #expect(node.running.values("connect").allSatisfy { $0 == "127.0.0.1:\(backend.port)" })
        #expect(node.running.values("field").contains("baggage k8s.namespace.name=shop,service.name=front"))
    }

    /// Whoever waits for a tunnel where none can be opened is told so, and nobody tries again and again for him.
    @Test func aFullPeerThatTakesNoFurtherConnectionIsNotAskedOn() throws {
        let gate = Gate()
        let backend = try Backend("cart") { _ in
            gate.wait()
            return .response(body: "cart")
        }
        defer { gate.open() }
        let node = try Clients.backend("hbone_server", try mesh.workload("cart") + ["--single"])
        let gateway = try gateway(to: node.port, backend: backend.port)
        let first = try Client(port: port)
        try first.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n")
        try Wait.until("the first request to be there") { backend.requests.count == 1 }
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == 503, "\(gateway.output)")
        #expect(1..<20 ~= node.running.values("turned").count, "\(node.running.values("turned").count)")
        gate.open()
        #expect(try first.readResponse().text == "cart")
    }

    @Test func carriesHTTP2Inside() throws {
        let backend = try EchoBackend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let gateway = try gateway(to: node.port, backend: backend.port, appProtocol: "kubernetes.io/h2c")
        try withExtendedLifetime(gateway) {
            for _ in 0..<3 {
                let response = try Client(port: port).request("GET", "/", host: "cart")
                #expect(response.text.contains("\"proto\":\"HTTP/2"))
            }
        }
        #expect(node.running.values("connect").count == 1)
    }

    /// Whoever answers there must be of the Service's namespace, of the trust domain, and the account that is written.
    @Test(arguments: [
        ("cart", "other", "", 503), ("cart", "shop", "sluice.dev/service-account: till", 503),
        ("till", "shop", "sluice.dev/service-account: till", 200),
    ])
    func believesOnlyWhomItExpects(account: String, namespace: String, annotation: String, status: Int) throws {
        let backend = try Backend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload(account, namespace: namespace))
        let gateway = try gateway(to: node.port, backend: backend.port, annotations: annotation)
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == status)
        if status != 200 {
            #expect(node.running.values("connect").isEmpty)
            #expect(gateway.output.contains("a tunnel cannot be opened"))
        }
    }

    @Test func aRefusalAndAnAbsentPeerAreAnswered503() throws {
        let backend = try Backend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart") + ["--answer", "403"])
        let refused = try gateway(to: node.port, backend: backend.port)
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == 503)
        #expect(!node.running.values("connect").isEmpty)
        try refused.stop()
        let absent = try gateway(to: try Ports.free(), backend: backend.port)
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == 503)
        withExtendedLifetime(absent) {}
    }

    /// Whether requests can be served from here again is asked where they would go: at the gate of the tunnels.
    @Test func aBackendIsLookedForBehindItsGate() throws {
        let backend = try Backend("cart")
        let central = try Backend("central")
        let gatePort = try Ports.free()
        let gateway = try gateway(
            to: gatePort, backend: backend.port, annotations: "sluice.dev/fallback-gateway: '\(central.address)'")
        #expect(try Client(port: port).request("GET", "/", host: "cart").text == "central", "\(gateway.output)")
        let gate = try Backend("gate", port: gatePort) { _, _, _ in }
        try Wait.until("the gate to be asked") { gate.accepted > 0 }
        #expect(backend.accepted == 0)
        try Wait.until("the log to say so") { gateway.output.contains("served from here again") }
    }

    /// The connection to the node's proxy is made only after the drain has begun.
    @Test func aCallThatIsUnderWayWhenADrainBeginsGetsItsTunnel() throws {
        let backend = try Backend("cart")
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let gateway = try Gateway(
            mesh.front(port, to: "cart")
                + MeshFolder.service(
                    "cart", port: backend.port,
                    annotations: "sluice.dev/hbone: 'true', sluice.dev/hbone-port: '\(node.port)'")
                    + """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: BackendTrafficPolicy
                    metadata: {name: slow, namespace: shop}
                    spec:
                      targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: all}]
                      faultInjection: {delay: {fixedDelay: 1s}}

                    """)
        let client = try Client(port: port)
        try client.send("GET / HTTP/1.1\r\nHost: cart\r\n\r\n")
        try Wait.until("the request to be held") {
            try gateway.admin("/metrics").text.contains("sluice_fault_delays_total 1")
        }
        gateway.program.signal(SIGTERM)
        let response = try client.readResponse()
        #expect(response.status == 200 && response.text == "cart")
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
        #expect(node.running.values("peer").count == 1)
    }
}
