import Core
import Support
import Testing

/// An ordinary Gateway hands requests on with its own right to call; their Host is the client's, and leads nowhere else by it.
@Suite("Hosts of what is handed on") struct FallbackHostTests {
    private let mesh: MeshFolder
    private let port: UInt16
    private let place: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("front")
        try mesh.workload("waypoint")
        port = try Ports.free()
        place = try Ports.free()
    }

    /// Everything goes to Service `web`, of which nothing is there.
    private func edge(_ central: String, more: String = "") throws -> Gateway {
        try Gateway(
            mesh.front(port, to: "web").replacing(
                "annotations: {", with: "annotations: {sluice.dev/fallback-gateway: '\(central)', ")
                + MeshFolder.service("web", port: try Ports.free()) + more)
    }

    /// A policy that lets the edge call a Service.
    private static func policy(_ name: String) -> String {
        """
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: shop}
        spec:
          targetRefs: [{kind: Service, name: \(name)}]
          rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/front]}}]}]

        """
    }

    /// The certificate opens the way to the Service that the route leads to, whatever the client names.
    @Test func aTunnelIsForTheBackendsService() throws {
        let (web, cart) = (try Backend("web"), try Backend("cart"))
        let labels = "istio.io/use-waypoint: waypoint"
        let central = try Gateway(
            mesh.waypoint(place) + MeshFolder.service("web", port: web.port, labels: labels)
                + MeshFolder.service("cart", port: cart.port, labels: labels) + Self.policy("cart")
                + Self.policy("web"))
        let edge = try edge("hbone://127.0.0.1:\(place)")
        let client = try Client(port: port)
        for host in ["cart.shop:80", "cart.shop.svc", "cart", "shop.example", "web.shop", "web"] {
            let answer = try client.request("GET", "/admin", host: host)
            #expect(answer.text == "web", "\(host) \(edge.output)\n\(central.output)")
        }
        #expect(cart.requests.isEmpty)
    }

    @Test func withoutAServiceNothingGoesThroughATunnel() throws {
        let gate = try Clients.backend("hbone_server", try mesh.workload("gate"))
        let backend = """
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: there, namespace: shop}
            spec: {endpoints: [{ip: {address: 127.0.0.1, port: \(try Ports.free())}}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: there, namespace: shop}
            spec:
              parentRefs: [{name: front}]
              hostnames: [there.example]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: there}]}]

            """
        let edge = try edge("hbone://127.0.0.1:\(gate.port)", more: backend)
        #expect(try Client(port: port).request("GET", "/", host: "there.example").status == 503, "\(edge.output)")
        #expect(gate.running.values("connect").isEmpty)
    }

    /// In clear text the Host is all that the group's gateway goes by.
    @Test func inClearTextAHostThatIsAnotherServicesStaysHere() throws {
        let central = try Backend("central")
        let edge = try edge(
            central.address, more: MeshFolder.service("known", port: try Ports.free()))
        let client = try Client(port: port)
        for host in ["cart", "cart.shop.svc.cluster.local", "known.shop:80", "localhost"] {
            #expect(try client.request("GET", "/", host: host).status == 503, "\(host) \(edge.output)")
        }
        #expect(central.requests.isEmpty)
        for (host, told) in [
            ("shop.example", "shop.example"), ("web.shop", "web.shop"), ("web", "web.shop:80"),
            ("web.shop:81", "web.shop:80"),
        ] {
            #expect(try client.request("GET", "/", host: host).text == "central", "\(host) \(edge.output)")
            #expect(central.requests.last?["host"] == told)
        }
    }

    /// Whom a group's caller may reach outside is a matter of this gateway's routes.
    @Test func connectionsToHostsOutsideOfAGroupStayHere() throws {
        let central = try Backend("central") { _, connection, _ in
            _ = try connection.read(1)
            try connection.send("central\n")
        }
        let manifest = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: group
              namespace: shop
              annotations: {sluice.dev/group: by-name, sluice.dev/fallback-gateway: '\(central.address)'}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: hello, protocol: TLS, port: \(port), tls: {mode: Passthrough}}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: out, namespace: shop}
            spec:
              parentRefs: [{name: group}]
              hostnames: [out.example]
              rules: [{backendRefs: [{name: out, port: 80}]}]

            """
        let gateway = try Gateway(
            manifest + MeshFolder.service("out", port: try Ports.free())
                + MeshFolder.service("own", port: try Ports.free(), labels: "sluice.dev/gateway: group"))
        let client = try Client(port: port)
        try client.send(HelloOctets.hello("out.example"))
        #expect((try? client.readLine()) == nil, "\(gateway.output)")
        let lines = try gateway.admin("/metrics").text.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("sluice_fallback_connections_total") && $0.hasSuffix(" 0") })
    }
}
