import Core
import Support
import Testing

/// A listener of protocol HBONE, called by a client that others' libraries make.
@Suite("HBONE listeners") struct HBONEServerTests {
    private let mesh: MeshFolder
    private let port: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("waypoint")
        port = try Ports.free()
    }

    private static let member = "istio.io/use-waypoint: waypoint"

    private func gateway(backend: UInt16, appProtocol: String = "http") throws -> Gateway {
        try Gateway(
            mesh.waypoint(port)
                + MeshFolder.service("cart", port: backend, labels: Self.member, appProtocol: appProtocol))
    }

    private func client(_ what: String, _ workload: [String], _ words: [String] = []) throws -> Clients.Outcome {
        try Clients.run("hbone_client", [what, "--target", "127.0.0.1:\(port)"] + workload + words)
    }

    // MARK: who may call what

    @Test func membersAreCalledByNameAndByAddress() throws {
        let backend = try Backend("cart")
        let gateway = try gateway(backend: backend.port)
        let shop = try mesh.workload("till")
        let authorities = [
            "cart.shop:80", "cart.shop.svc:80", "cart.shop.svc.cluster.local:80", "127.0.0.1:\(backend.port)",
        ]
        for authority in authorities {
            let outcome = try client("call", shop, ["--authority", authority, "--host", "cart.shop"])
            #expect(outcome.value("peer") == "spiffe://cluster.local/ns/shop/sa/waypoint")
            #expect(outcome.value("connect") == "200", "\(authority): \(outcome.output)")
            #expect(outcome.values("line").contains("HTTP/1.1 200 Status"), "\(authority): \(outcome.output)")
            #expect(outcome.values("line").last == "cart")
        }
        withExtendedLifetime(gateway) {}
    }

    @Test(arguments: [("cart.shop:81", "404"), ("elsewhere.example:80", "403"), ("10.9.8.7:443", "403")])
    func whatIsNoMemberIsNotReached(authority: String, status: String) throws {
        let gateway = try gateway(backend: try Ports.free())
        let outcome = try client("call", try mesh.workload("till"), ["--authority", authority])
        #expect(outcome.value("connect") == status, "\(outcome.output)")
        withExtendedLifetime(gateway) {}
    }

    @Test func aRequestThatIsNoCONNECTIsRefused() throws {
        let gateway = try gateway(backend: try Ports.free())
        #expect(try client("plain", try mesh.workload("till"), ["--host", "cart.shop"]).value("answer") == "400")
        withExtendedLifetime(gateway) {}
    }

    @Test func whoShowsNoCertificateOfTheTrustDomainIsNotLetIn() throws {
        let gateway = try gateway(backend: try Ports.free())
        let ca = ["--ca", mesh.path + "/ca/ca.crt"]
        // Nothing shown.
        #expect(try client("call", ca, ["--authority", "cart.shop:80"]).value("refused") != nil)
        // Another trust domain, by an authority that is believed.
        try MeshFolder.cert(["ca", "--out", mesh.path + "/far", "--trust-domain", "far.example"])
        let far = try mesh.workload("till", ca: "far", in: "far-till")
        let both = mesh.folder.read("ca/ca.crt") + mesh.folder.read("far/ca.crt")
        try mesh.folder.write("waypoint/ca.crt", both)
        try gateway.reload()
        let stranger = Array(far.dropLast(2)) + ca
        #expect(try client("call", stranger, ["--authority", "cart.shop:80"]).value("refused") != nil)
        // A certificate of the right authority that is no workload's.
        let plain = try TestCertificates.issue(names: ["till.shop"])
        try mesh.folder.write("waypoint/ca.crt", both + (try TestCertificates.authority().certificate))
        try gateway.reload()
        let words = [
            "--cert", try mesh.folder.write("plain.crt", plain.chain), "--key",
            try mesh.folder.write("plain.key", plain.key),
        ]
        #expect(try client("call", words + ca, ["--authority", "cart.shop:80"]).value("refused") != nil)
        // And one that is.
        #expect(
            try client("call", try mesh.workload("till"), ["--authority", "cart.shop:81"]).value("connect") == "404")
    }

    /// On this side nobody would know of a wrong authority or trust domain otherwise. Of many a line is enough.
    @Test func whoIsRefusedIsTold() throws {
        let gateway = try gateway(backend: try Ports.free())
        try MeshFolder.cert(["ca", "--out", mesh.path + "/far", "--trust-domain", "far.example"])
        let far = try mesh.workload("till", ca: "far", in: "far-till")
        try mesh.folder.write("waypoint/ca.crt", mesh.folder.read("ca/ca.crt") + mesh.folder.read("far/ca.crt"))
        try gateway.reload()
        let stranger = Array(far.dropLast(2)) + ["--ca", mesh.path + "/ca/ca.crt"]
        let told = "a TLS handshake with a client failed listener=shop/waypoint/mesh peer="
        for _ in 0..<3 {
            #expect(try client("call", stranger, ["--authority", "cart.shop:80"]).value("refused") != nil)
        }
        try Wait.until("it to be told") { gateway.output.contains(told) }
        let lines = gateway.output.split(separator: "\n").filter { $0.contains(told) }
        #expect(lines.first?.contains("127.0.0.1:") == true, "\(lines)")
        #expect(
            lines.first?.contains(
                "error=\"the certificate of 'spiffe://far.example/ns/shop/sa/till' is no workload's of trust domain "
                    + "'cluster.local'\"") == true, "\(lines)")
        // Fewer lines than refusals, though a slow machine may have begun a second.
        #expect(lines.count < 3, "\(lines)")
    }

    @Test func octetsOfOtherProtocolsPassAsTheyAre() throws {
        let backend = try Backend("raw") { _, connection, _ in
            let octets = try connection.read(5)
            try connection.send(Array("got ".utf8) + octets)
            _ = try? connection.read(1)
        }
        let gateway = try gateway(backend: backend.port, appProtocol: "tcp")
        let words = ["--authority", "cart.shop:80", "--raw", "hello"]
        #expect(try client("call", try mesh.workload("till"), words).value("line") == "got hello")
        withExtendedLifetime(gateway) {}
    }

    /// The client's address is the caller's own, unless the caller is one that is believed.
    @Test(arguments: [
        ("till", "for=192.0.2.7", "127.0.0.1"), ("node", "for=192.0.2.6, for=192.0.2.7", "192.0.2.7"),
        ("node", "for=unknown", "127.0.0.1"),
    ]) func aNodesProxyTellsForWhomItCalls(account: String, forwarded: String, address: String) throws {
        let backend = try Backend("cart") { .response(body: $0["x-forwarded-for"] ?? "-") }
        let trusted = "metadata: {name: waypoint, namespace: shop, annotations: {sluice.dev/trusted-forwarders: "
        let gateway = try Gateway(
            mesh.waypoint(port).replacing(
                "metadata: {name: waypoint, namespace: shop, annotations: {",
                with: trusted + "cluster.local/ns/shop/sa/node, ")
                + MeshFolder.service("cart", port: backend.port, labels: Self.member))
        let words = ["--authority", "cart.shop:80", "--field", "forwarded=\(forwarded)"]
        #expect(try client("call", try mesh.workload(account), words).values("line").last == address)
        withExtendedLifetime(gateway) {}
    }

    /// Policies of calls that leave the group see for whom a node's proxy calls, too.
    @Test(arguments: [("192.0.2.7", "HTTP/1.1 403 Forbidden"), ("192.0.2.8", "HTTP/1.1 200 Status")])
    func aNodesProxyTellsForWhomItCallsOutside(client address: String, answer: String) throws {
        let outside = try Backend("out")
        let trusted = "metadata: {name: waypoint, namespace: shop, annotations: {sluice.dev/trusted-forwarders: "
        let gateway = try Gateway(
            mesh.waypoint(port).replacing(
                "metadata: {name: waypoint, namespace: shop, annotations: {",
                with: trusted + "cluster.local/ns/shop/sa/node, ")
                + MeshFolder.service("cart", port: try Ports.free(), labels: Self.member)
                    + """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: Backend
                    metadata: {name: out, namespace: shop}
                    spec: {endpoints: [{ip: {address: 127.0.0.1, port: \(outside.port)}}]}
                    ---
                    apiVersion: gateway.networking.k8s.io/v1
                    kind: HTTPRoute
                    metadata: {name: out, namespace: shop}
                    spec:
                      parentRefs: [{name: waypoint}]
                      hostnames: [out.example]
                      rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: out}]}]
                    ---
                    apiVersion: security.istio.io/v1
                    kind: AuthorizationPolicy
                    metadata: {name: deny, namespace: shop}
                    spec:
                      targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
                      action: DENY
                      rules: [{from: [{source: {remoteIpBlocks: [192.0.2.7]}}]}]

                    """)
        let words = ["--authority", "out.example:80", "--host", "out.example", "--field", "forwarded=for=\(address)"]
        let outcome = try client("call", try mesh.workload("node"), words)
        #expect(outcome.values("line").first == answer, "\(outcome.output)\n\(gateway.output)")
    }

    /// From one tunnel into the next: the trace of the one connection inside, and from whom it is if that is believed.
    @Test(arguments: [("till", "k8s.namespace.name=shop,service.name=waypoint"), ("node", "service.name=till")])
    func whatACONNECTTellsOfAConnectionIsToldAgain(account: String, baggage: String) throws {
        let backend = try Backend("cart") { _, connection, _ in
            let octets = try connection.read(5)
            try connection.send(Array("got ".utf8) + octets)
            _ = try? connection.read(1)
        }
        let node = try Clients.backend("hbone_server", try mesh.workload("cart"))
        let trusted = "metadata: {name: waypoint, namespace: shop, annotations: {sluice.dev/trusted-forwarders: "
        let gateway = try Gateway(
            mesh.waypoint(port).replacing(
                "metadata: {name: waypoint, namespace: shop, annotations: {",
                with: trusted + "cluster.local/ns/shop/sa/node, ")
                + MeshFolder.service(
                    "cart", port: backend.port,
                    annotations: "sluice.dev/hbone: 'true', sluice.dev/hbone-port: '\(node.port)'",
                    labels: Self.member, appProtocol: "tcp"))
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let words = [
            "--authority", "cart.shop:80", "--raw", "hello", "--field", "traceparent=\(trace)",
            "--field", "baggage=service.name=till",
        ]
        #expect(
            try client("call", try mesh.workload(account), words).value("line") == "got hello",
            "\(gateway.output)")
        let fields = node.running.values("field")
        #expect(fields.contains("traceparent \(trace)") && fields.contains("forwarded for=127.0.0.1"), "\(fields)")
        #expect(fields.filter { $0.hasPrefix("baggage") } == ["baggage \(baggage)"])
    }

    // MARK: hostile ones

    @Test func aThousandStreamsOnOneConnection() throws {
        let backend = try EchoBackend("cart")
        let gateway = try gateway(backend: backend.port)
        let words = ["--authority", "cart.shop:80", "--count", "1000"]
        let outcome = try client("streams", try mesh.workload("till"), words)
        #expect(outcome.value("opened") == "1000", "\(outcome.output)")
        #expect(outcome.value("answered") == "1000", "\(outcome.output)")
        withExtendedLifetime(gateway) {}
    }

    @Test func streamsThatAreResetLeaveTheOthersAlone() throws {
        let backend = try Backend("cart")
        let gateway = try gateway(backend: backend.port)
        let words = ["--authority", "cart.shop:80", "--count", "500"]
        let outcome = try client("reset", try mesh.workload("till"), words)
        #expect(outcome.value("connect") == "200", "\(outcome.output)")
        #expect(outcome.values("line").last == "cart")
        withExtendedLifetime(gateway) {}
    }

    /// Answers that nobody reads fill what their own streams may hold, and no more.
    @Test func streamsThatStallLeaveTheOthersAlone() throws {
        let large = String(repeating: "x", count: 4_000_000)
        let backend = try Backend("cart") { request in
            .response(body: request.target == "/large" ? large : "cart")
        }
        let gateway = try gateway(backend: backend.port)
        let words = ["--authority", "cart.shop:80", "--path", "/large", "--count", "20"]
        let outcome = try client("stall", try mesh.workload("till"), words)
        #expect(outcome.value("connect") == "200", "\(outcome.output)")
        #expect(outcome.values("line").last == "cart")
        withExtendedLifetime(gateway) {}
    }

    @Test func metadataHasALimit() throws {
        let backend = try Backend("cart")
        let gateway = try gateway(backend: backend.port)
        let till = try mesh.workload("till")
        let words = ["--authority", "cart.shop:80"]
        let some = try client("call", till, words + ["--field", "baggage=" + String(repeating: "b", count: 8000)])
        #expect(some.value("connect") == "200", "\(some.output)")
        let fields = (0..<8).flatMap { ["--field", "x-\($0)=" + String(repeating: "b", count: 15_000)] }
        let huge = try client("call", till, words + fields)
        #expect(huge.value("connect") != "200", "\(huge.output)")
        #expect(try client("call", till, words).value("connect") == "200")
        withExtendedLifetime(gateway) {}
    }

    // MARK: Sluice to Sluice

    @Test func oneSluiceReachesAnothersMembers() throws {
        let backend = try Backend("cart")
        let waypoint = try gateway(backend: backend.port)
        try mesh.workload("front")
        let front = try Ports.free()
        let annotations = "sluice.dev/hbone: 'true', sluice.dev/hbone-port: '\(port)'"
        let local = try Gateway(
            mesh.front(front, to: "cart")
                + MeshFolder.service("cart", port: backend.port, annotations: annotations))
        let client = try Client(port: front)
        for _ in 0..<10 {
            let response = try client.request("GET", "/", host: "cart.shop")
            #expect(response.status == 200 && response.text == "cart")
        }
        withExtendedLifetime((waypoint, local)) {}
    }
}
