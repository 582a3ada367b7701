import Core
import Support
import Testing

/// A central gateway that is called by HBONE (`sluice.dev/fallback-gateway: hbone://…`).
@Suite("The way out by HBONE") struct FallbackHBONETests {
    private let mesh: MeshFolder
    private let port: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("front")
        try mesh.workload("waypoint")
        port = try Ports.free()
    }

    /// A group's gateway with one member, `cart`, of which nothing is there.
    private func local(_ central: String, appProtocol: String = "http", more: String = "", backend: UInt16? = nil)
        throws
        -> Gateway
    {
        try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: front
              namespace: shop
              annotations: {\(mesh.annotations("front")), sluice.dev/group: by-name, \(more)sluice.dev/fallback-gateway: '\(central)'}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: http, port: \(port), protocol: HTTP}]

            """
                + MeshFolder.service(
                    "cart", port: try backend ?? Ports.free(), labels: "sluice.dev/gateway: front",
                    appProtocol: appProtocol))
    }

    private func central(_ port: UInt16, backend: UInt16, appProtocol: String = "http", more: String = "") throws
        -> Gateway
    {
        try Gateway(
            mesh.waypoint(port)
                + MeshFolder.service(
                    "cart", port: backend, annotations: more, labels: "istio.io/use-waypoint: waypoint",
                    appProtocol: appProtocol))
    }

    private func metric(_ name: String, _ gateway: Gateway) throws -> Int {
        let lines = try gateway.admin("/metrics").text.split(separator: "\n")
        return lines.filter { $0.hasPrefix(name) }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            .reduce(0, +)
    }

    /// The one that refuses is left for the one that answers, and was told what the request is and who hands it on.
    @Test func aRequestIsToldWholeAndGoesOnToTheNextWhenOneRefuses() throws {
        let backend = try Backend("cart")
        let refusing = try Clients.backend("hbone_server", try mesh.workload("gate") + ["--answer", "503"])
        let place = try Ports.free()
        let central = try central(place, backend: backend.port)
        let local = try local("hbone://127.0.0.1:\(refusing.port),hbone://127.0.0.1:\(place)")
        let client = try Client(port: port)
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        try Wait.until("the one that refuses to be asked") {
            let answer = try client.request(
                "GET", "/a?b", host: "cart",
                fields: [("traceparent", trace), ("tracestate", "a=b"), ("baggage", "c=d")])
            #expect(answer.text == "cart", "\(local.output)\n\(central.output)")
            return !refusing.running.values("connect").isEmpty
        }
        #expect(refusing.running.values("connect").allSatisfy { $0 == "cart.shop:80" })
        #expect(refusing.running.values("peer").first == "spiffe://cluster.local/ns/shop/sa/front")
        let fields = refusing.running.values("field")
        #expect(fields.contains("traceparent \(trace)") && fields.contains("tracestate a=b"))
        #expect(fields.contains("baggage k8s.namespace.name=shop,service.name=front"))
        #expect(fields.contains("forwarded for=127.0.0.1") && fields.contains("x-sluice-hop 1"))
        let request = try #require(backend.requests.last)
        #expect(request.target == "/a?b" && request["baggage"] == "c=d" && request["x-sluice-hop"] == nil)
        #expect(request["x-forwarded-for"]?.hasPrefix("127.0.0.1") == true)
        #expect(try metric("sluice_fallback_requests_total", local) > 0)
        #expect(try client.request("POST", "/", host: "cart", body: Array("a body".utf8)).text == "cart")
        #expect(backend.requests.last?.text == "a body")
    }

    /// The central gateway's policies see the local one by its certificate.
    @Test func theCentralGatewayKnowsWhoHandsOn() throws {
        let backend = try Backend("cart")
        let place = try Ports.free()
        let policy = { (account: String) in
            """
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: cart, namespace: shop}
            spec:
              targetRefs: [{kind: Service, name: cart}]
              rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/\(account)]}}]}]

            """
        }
        for (account, status) in [("front", 200), ("till", 403)] {
            let central = try Gateway(
                mesh.waypoint(place)
                    + MeshFolder.service("cart", port: backend.port, labels: "istio.io/use-waypoint: waypoint")
                    + policy(account))
            let local = try local("hbone://127.0.0.1:\(place)")
            #expect(try Client(port: port).request("GET", "/", host: "cart.shop").status == status, "\(central.output)")
            try local.stop()
            try central.stop()
        }
    }

    @Test(arguments: ["", "sluice.dev/fallback-principal: cluster.local/ns/shop/sa/other, "])
    func whoIsSomebodyElseGetsNothing(_ principal: String) throws {
        // Without a principal it is the namespace that counts.
        let account = try mesh.workload("stranger", namespace: principal.isEmpty ? "far" : "shop")
        let stranger = try Clients.backend("hbone_server", account)
        let gateway = try local("hbone://127.0.0.1:\(stranger.port)", more: principal)
        #expect(try Client(port: port).request("GET", "/", host: "cart").status == 503)
        #expect(stranger.running.values("connect").isEmpty)
        #expect(gateway.output.contains("a tunnel cannot be opened"))
        // The check is the handshake: who is somebody else is not well.
        try gateway.waitFor(stranger.port, toBe: "unhealthy")
        #expect(try gateway.endpoint(stranger.port).contains("TLS"))
    }

    @Test func aCentralGatewayIsCheckedByItsHandshake() throws {
        let place = try Ports.free()
        let gateway = try local("hbone://127.0.0.1:\(place)")
        try gateway.waitFor(place, toBe: "unhealthy")
        let node = try central(place, backend: try Ports.free())
        try gateway.waitFor(place, toBe: "healthy")
        withExtendedLifetime(node) {}
    }

    /// In TLS 1.3 our side of the handshake is over before the other one has looked at our certificate.
    @Test func aCentralGatewayThatDoesNotBelieveUsIsNotWell() throws {
        let other = try MeshFolder()
        let place = try Ports.free()
        let central = try Gateway(
            mesh.waypoint(place).replacing(
                "sluice.dev/ca-file: \(mesh.path)/waypoint/ca.crt", with: "sluice.dev/ca-file: \(other.path)/ca/ca.crt")
                + MeshFolder.service(
                    "cart", port: try Ports.free(), labels: "istio.io/use-waypoint: waypoint"))
        let gateway = try local("hbone://127.0.0.1:\(place)")
        try gateway.waitFor(place, toBe: "unhealthy")
        let told = try gateway.endpoint(place)
        #expect(told.contains("it may not believe our certificate"), "\(told)\n\(central.output)")
    }

    /// A CONNECT in clear text that was handed on keeps its mark, too.
    @Test func theMarkOfACONNECTInClearTextCounts() throws {
        let gate = try Clients.backend("hbone_server", try mesh.workload("gate"))
        let local = try local("hbone://127.0.0.1:\(gate.port)", appProtocol: "tcp")
        let client = try Client(port: port)
        try client.send("CONNECT cart.shop:80 HTTP/1.1\r\nHost: cart.shop:80\r\nX-Sluice-Hop: 1\r\n\r\n")
        #expect(try client.readHead().status == 200)
        #expect((try? client.readLine()) == nil)
        #expect(gate.running.values("connect").isEmpty, "\(local.output)")
    }

    /// The CONNECT says whose octets they are, and that they were handed on.
    @Test func connectionsBelowHTTPAreHandedOnOnce() throws {
        let backend = try Backend("cart") { _, connection, _ in
            let line = try connection.readLine()
            try connection.send("cart heard \(line)\n")
        }
        let place = try Ports.free()
        let central = try central(place, backend: backend.port, appProtocol: "tcp")
        let local = try local("hbone://127.0.0.1:\(place)", appProtocol: "tcp")
        let client = try Client(port: port)
        try client.send("CONNECT cart.shop:80 HTTP/1.1\r\nHost: cart.shop:80\r\n\r\n")
        #expect(try client.readHead().status == 200)
        try client.send("octets\r\n")
        #expect(try client.readLine() == "cart heard octets", "\(local.output)\n\(central.output)")
        #expect(try metric("sluice_fallback_connections_total", local) == 1)
    }

    @Test(arguments: ["tcp", "http"])
    func whatWasHandedOnIsNotHandedOnAgain(_ appProtocol: String) throws {
        let place = try Ports.free()
        let third = try Clients.backend("hbone_server", try mesh.workload("gate"))
        let central = try central(
            place, backend: try Ports.free(), appProtocol: appProtocol,
            more: "sluice.dev/fallback-gateway: 'hbone://127.0.0.1:\(third.port)'")
        let local = try local("hbone://127.0.0.1:\(place)", appProtocol: appProtocol)
        let client = try Client(port: port)
        if appProtocol == "tcp" {
            try client.send("CONNECT cart.shop:80 HTTP/1.1\r\nHost: cart.shop:80\r\n\r\n")
            #expect(try client.readHead().status == 200)
            #expect((try? client.readLine()) == nil)
        } else {
            #expect(try client.request("GET", "/", host: "cart").status == 503)
        }
        #expect(third.running.values("connect").isEmpty, "\(central.output)")
        #expect(try metric("sluice_fallback_", local) > 0)
    }
}
