import Config
import Support
import Testing

@testable import Manifest

/// Listeners of protocol HBONE, a Gateway's own certificate, and Services whose endpoints are reached through HBONE.
@Suite("HBONE") struct HBONETests {
    private typealias Files = [String: String]

    private static func gateway(
        _ annotations: [String: String], listener: String = "{name: mesh, port: 15008, protocol: HBONE}",
        service: [String: String] = [:]
    ) -> String {
        func list(_ annotations: [String: String]) -> String {
            annotations.sorted { $0.key < $1.key }.map { "\($0.key): '\($0.value)'" }.joined(separator: ", ")
        }
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: waypoint, namespace: shop, annotations: {\(list(annotations))}}
            spec:
              gatewayClassName: istio-waypoint
              listeners: [\(listener)]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: cart, namespace: shop}
            spec:
              parentRefs: [{name: waypoint}]
              rules: [{backendRefs: [{name: cart, port: 80}]}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop, annotations: {\(list(service))}}
            spec: {ports: [{port: 80}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
            addressType: IPv4
            ports: [{port: 8080}]
            endpoints: [{addresses: [10.0.0.7]}]
            """
    }

    private static let own = [
        "sluice.dev/cert-file": "c/tls.crt", "sluice.dev/key-file": "c/tls.key", "sluice.dev/ca-file": "c/ca.crt",
    ]

    private static func files(_ names: [String] = ["URI:spiffe://cluster.local/ns/shop/sa/waypoint"]) throws -> Files {
        let pair = try TestCertificates.issue(names: names, subject: "/CN=workload")
        return [
            "m/c/tls.crt": pair.chain, "m/c/tls.key": pair.key,
            "m/c/ca.crt": try TestCertificates.authority().certificate,
        ]
    }

    private static func resolve(_ text: String, _ files: Files, after: Resolution? = nil) -> Resolution {
        let set = ManifestReader.read(files: [("m/t.yaml", Array(text.utf8))])
        #expect(set.findings == [])
        return Resolver.resolve(
            set, previous: after?.memory ?? ResolveMemory(), now: "2026-11-21T12:00:00Z",
            readFile: { path in files[path].map { Array($0.utf8) } })
    }

    private static func listener(_ resolution: Resolution) -> ListenerPlan? {
        resolution.plan.sockets.flatMap(\.listeners).first
    }

    // MARK: listeners

    @Test func showTheGatewaysOwnCertificateAndAskForOnesOfItsTrustDomain() throws {
        let files = try Self.files()
        let resolution = Self.resolve(Self.gateway(Self.own), files)
        let listener = try #require(Self.listener(resolution))
        #expect(listener.listenerProtocol == .hbone)
        #expect(listener.tls?.certificates.map(\.chain) == [files["m/c/tls.crt"] ?? ""])
        #expect(listener.tls?.parameters.alpn == ["h2"])
        #expect(listener.tls?.clientValidation?.mode == .require)
        #expect(listener.tls?.clientValidation?.trustDomain == "cluster.local")
        #expect(listener.tls?.clientValidation?.authorities.contains("BEGIN CERTIFICATE") == true)
        #expect(resolution.followedFiles.map(\.path) == ["m/c/ca.crt", "m/c/tls.crt", "m/c/tls.key"])
    }

    @Test func haveTheTrustDomainThatIsWritten() throws {
        let annotations = Self.own.merging(["sluice.dev/trust-domain": "mesh.example"]) { a, _ in a }
        let files = try Self.files(["URI:spiffe://mesh.example/ns/shop/sa/waypoint"])
        let listener = Self.listener(Self.resolve(Self.gateway(annotations), files))
        #expect(listener?.tls?.clientValidation?.trustDomain == "mesh.example")
    }

    @Test(
        arguments: [
            ([:], "needs a certificate"),
            (["sluice.dev/cert-file": "c/tls.crt"], "needs all three"),
            (own.merging(["sluice.dev/trust-domain": "Mesh"]) { a, _ in a }, "'Mesh' is no trust domain"),
            (
                own.merging(["sluice.dev/trust-domain": "mesh.example"]) { a, _ in a },
                "not of trust domain 'mesh.example'"
            ),
            (own.merging(["sluice.dev/key-file": "c/none"]) { _, b in b }, "cannot be read"),
            (own.merging(["sluice.dev/ca-file": "c/tls.key"]) { _, b in b }, "there is no PEM certificate"),
        ] as [([String: String], String)])
    func withoutACertificateAreNotServed(annotations: [String: String], problem: String) throws {
        let resolution = Self.resolve(Self.gateway(annotations), try Self.files())
        #expect(Self.listener(resolution) == nil)
        let texts = resolution.findings.map(\.description)
        #expect(texts.contains { $0.contains(problem) && $0.hasPrefix("m/t.yaml:") }, "\(texts)")
    }

    /// Each place that needs the certificate says what is wrong with it, and the first the line where that stands.
    @Test(
        arguments: [
            (["sluice.dev/cert-file": "c/tls.crt"], 7, ["sluice.dev/key-file and sluice.dev/ca-file are missing"]),
            (
                ["sluice.dev/cert-file": "c/tls.crt", "sluice.dev/ca-file": "c/ca.crt"], 7,
                ["and sluice.dev/key-file is missing"]
            ),
            (
                own.merging(["sluice.dev/key-file": "c/none"]) { _, b in b }, 9,
                ["'m/c/none', which sluice.dev/key-file names, cannot be read: it is gone"]
            ),
            (
                own.merging(["sluice.dev/ca-file": "c/none"]) { _, b in b }, 6,
                ["'m/c/none', which sluice.dev/ca-file names, cannot be read: it is gone"]
            ),
        ] as [([String: String], Int, [String])])
    func whatIsMissingIsToldOnceAPlace(annotations: [String: String], line: Int, parts: [String]) throws {
        let written = annotations.sorted { $0.key < $1.key }.map { "    \($0.key): '\($0.value)'" }
        // The lines of the four annotations are the same whichever are written.
        let order = [
            "sluice.dev/ca-file", "sluice.dev/cert-file", "sluice.dev/fallback-gateway", "sluice.dev/key-file",
        ]
        let lines = order.map { name in
            name == order[2] ? "    \(name): 'hbone://10.0.0.5'" : written.first { $0.contains(name) } ?? "    # none"
        }
        let text = Self.gateway([:], service: ["sluice.dev/hbone": "true"]).replacing(
            "metadata: {name: waypoint, namespace: shop, annotations: {}}",
            with: "metadata:\n  name: waypoint\n  annotations:\n" + lines.joined(separator: "\n")
                + "\n  namespace: shop")
        let files = try Self.files()
        let set = ManifestReader.read(files: [("m/t.yaml", Array(text.utf8))])
        let resolution = Resolver.resolve(
            set, now: "2026-11-21T12:00:00Z", readFile: { path in files[path].map { Array($0.utf8) } },
            fileProblem: { files[$0] == nil ? "it is gone" : nil })
        let told = resolution.findings.filter(\.isError)
        // The annotation, the central gateway's, the listener's and the backendRef's.
        #expect(told.count == 4, "\(told)")
        let first = told.first { $0.message.hasPrefix("a Gateway's") || $0.message.hasPrefix("the Gateway's") }
        #expect(first?.location.line == line)
        for part in parts {
            let others = told.filter { !$0.message.contains(part) }
            #expect(others == [])
        }
    }

    @Test func keepThePairBeforeOneThatDoesNotFit() throws {
        let files = try Self.files()
        let first = Self.resolve(Self.gateway(Self.own), files)
        var halfway = files
        halfway["m/c/tls.key"] = try TestCertificates.issue(
            names: ["URI:spiffe://cluster.local/ns/shop/sa/other"], subject: "/CN=other"
        ).key
        let second = Self.resolve(Self.gateway(Self.own), halfway, after: first)
        #expect(Self.listener(second)?.tls?.certificates.map(\.chain) == [files["m/c/tls.crt"] ?? ""])
        #expect(second.findings.contains { $0.description.contains("the pair before it is still used") })
    }

    // MARK: Services

    @Test(arguments: [
        ["sluice.dev/hbone": "true"], ["ambient.istio.io/redirection": "enabled"],
    ]) func areReachedThroughTunnels(annotations: [String: String]) throws {
        let resolution = Self.resolve(Self.gateway(Self.own, service: annotations), try Self.files())
        let tunnels = resolution.plan.clusters.compactMap(\.tunnel)
        let tunnel = try #require(tunnels.first)
        #expect(tunnel.port == 15008 && tunnel.authority.isEmpty)
        #expect(tunnel.tls.trustDomain == "cluster.local")
        #expect(tunnel.tls.clientCertificate != nil)
        #expect(tunnel.tls.subjectAltNames.map(\.value) == ["spiffe://cluster.local/ns/shop/sa/"])
        #expect(tunnel.tls.subjectAltNames.map(\.matchType) == [.prefix])
        #expect(tunnel.baggage == "k8s.namespace.name=shop,service.name=waypoint")
    }

    @Test func mayNameTheAccountAndThePort() throws {
        let annotations = [
            "sluice.dev/hbone": "true", "sluice.dev/hbone-port": "15443", "sluice.dev/service-account": "cart",
        ]
        let resolution = Self.resolve(Self.gateway(Self.own, service: annotations), try Self.files())
        let tunnel = try #require(resolution.plan.clusters.compactMap(\.tunnel).first)
        #expect(tunnel.port == 15443)
        #expect(tunnel.tls.subjectAltNames.map(\.value) == ["spiffe://cluster.local/ns/shop/sa/cart"])
        #expect(tunnel.tls.subjectAltNames.map(\.matchType) == [.exact])
    }

    @Test(arguments: [
        ["sluice.dev/hbone": "false", "ambient.istio.io/redirection": "enabled"],
        ["ambient.istio.io/redirection": "disabled"], [:],
    ]) func areReachedDirectlyOtherwise(annotations: [String: String]) throws {
        let resolution = Self.resolve(Self.gateway(Self.own, service: annotations), try Self.files())
        #expect(!resolution.plan.clusters.isEmpty)
        #expect(resolution.plan.clusters.allSatisfy { $0.tunnel == nil })
    }

    @Test(arguments: [
        ("sluice.dev/trust-domain", "example.org", "write sluice.dev/trust-domain: cluster.local on the Gateway"),
        ("sluice.dev/trusted-forwarders", "ztunnel", "'ztunnel' is no principal; write one such as"),
    ]) func whatToWriteIsTold(_ name: String, _ value: String, _ part: String) throws {
        let annotations = Self.own.merging([name: value]) { _, b in b }
        let resolution = Self.resolve(Self.gateway(annotations), try Self.files())
        #expect(resolution.findings.contains { $0.isError && $0.message.contains(part) }, "\(resolution.findings)")
    }

    /// Of the two readings the one that sends nothing in clear text.
    @Test(arguments: ["yes", "True", ""]) func areReachedThroughTunnelsWhereItIsNotClear(_ value: String) throws {
        let resolution = Self.resolve(Self.gateway(Self.own, service: ["sluice.dev/hbone": value]), try Self.files())
        #expect(resolution.plan.clusters.compactMap(\.tunnel).count == 1)
        let told = resolution.findings.filter(\.isError).map(\.message)
        #expect(told == ["'\(value)' is neither 'true' nor 'false'; taken as 'true'"])
    }

    /// Never in clear text, when it cannot be done as written.
    @Test func areNotReachedAtAllByAGatewayWithoutCertificate() throws {
        let text = Self.gateway(
            [:], listener: "{name: http, port: 80, protocol: HTTP}", service: ["sluice.dev/hbone": "true"])
        let resolution = Self.resolve(text, [:])
        #expect(resolution.plan.clusters.isEmpty)
        #expect(resolution.findings.contains { $0.description.contains("is reached by HBONE") })
    }

    // MARK: central gateways

    private static let web = "{name: web, port: 8080, protocol: HTTP}, {name: mesh, port: 15008, protocol: HBONE}"

    @Test func aCentralGatewayIsCalledAsTheGatewayThatNamesIt() throws {
        let fallback = Self.own.merging([
            "sluice.dev/fallback-gateway": "hbone://10.0.0.5,hbone://central.example:15009"
        ]) { $1 }
        let resolution = Self.resolve(Self.gateway(fallback, listener: Self.web), try Self.files())
        #expect(resolution.findings == [])
        let sockets = resolution.plan.sockets
        let web = try #require(sockets.first { $0.address.port == 8080 })
        let cluster = resolution.plan.clusters[try #require(web.listeners[0].fallback).http1]
        #expect(
            cluster.name
                == "fallback/hbone://10.0.0.5:15008,hbone://central.example:15009 from shop/waypoint to ns/shop")
        #expect(cluster.endpoints.map(\.address.description) == ["10.0.0.5:15008"])
        #expect(cluster.dnsNames == [DNSNamePlan(name: "central.example", port: 15009)])
        let tunnel = try #require(cluster.tunnel)
        #expect(tunnel.isPerCall && tunnel.port == 0 && tunnel.authority == "")
        #expect(tunnel.tls.clientCertificate?.chain.isEmpty == false && tunnel.tls.trustDomain == "cluster.local")
        #expect(tunnel.tls.subjectAltNames.map(\.value) == ["spiffe://cluster.local/ns/shop/sa/"])
        #expect(tunnel.tls.subjectAltNames.map(\.matchType) == [.prefix])
        #expect(cluster.traffic.healthCheck.active?.interval == .seconds(2))
        // Who relays octets while the gateway is gone can relay those of tunnels, and no others.
        #expect(web.central.isEmpty)
        let mesh = try #require(sockets.first { $0.address.port == 15008 })
        #expect(mesh.central.map(\.description) == ["10.0.0.5:15008", "central.example:15009"])
    }

    @Test func aServicesCentralGatewayIsCalledAsWhoeverServesIt() throws {
        let service = [
            "sluice.dev/fallback-gateway": "hbone://10.0.0.5",
            "sluice.dev/fallback-principal": "cluster.local/ns/far/sa/gate",
        ]
        let resolution = Self.resolve(Self.gateway(Self.own, listener: Self.web, service: service), try Self.files())
        #expect(resolution.findings == [])
        let cart = try #require(resolution.plan.clusters.first { $0.backend == "shop/cart:80" })
        #expect(cart.caller == "shop/waypoint" && cart.authority == "cart.shop:80")
        let fallback = try #require(cart.fallback)
        let tunnel = try #require(resolution.plan.clusters[fallback.opaque].tunnel)
        #expect(tunnel.tls.subjectAltNames.map(\.value) == ["spiffe://cluster.local/ns/far/sa/gate"])
        #expect(tunnel.tls.subjectAltNames.map(\.matchType) == [.exact])
        let bare = Self.resolve(
            Self.gateway([:], listener: "{name: web, port: 8080, protocol: HTTP}", service: service), [:])
        #expect(bare.plan.clusters.allSatisfy { $0.fallback == nil })
        #expect(
            bare.findings.contains {
                $0.message.contains("needs a certificate of each Gateway that serves this Service")
            })
    }

    /// Callers are called `shop/central` elsewhere; here that is a trust domain and a path.
    @Test(arguments: [
        (
            "shop/central",
            "'spiffe://shop/central' is of trust domain 'shop', and the Gateway believes nobody but those of "
                + "'cluster.local'; write 'cluster.local/ns/shop/sa/central' if central of namespace shop is meant"
        ),
        (
            "spiffe://mesh.example/ns/shop/sa/central",
            "is of trust domain 'mesh.example', and the Gateway believes nobody"
        ),
    ])
    func aPrincipalOfAnotherTrustDomainHandsNothingOn(_ principal: String, _ message: String) throws {
        let written = ["sluice.dev/fallback-gateway": "hbone://10.0.0.5", "sluice.dev/fallback-principal": principal]
        let gateway = Self.resolve(
            Self.gateway(Self.own.merging(written) { $1 }, listener: Self.web), try Self.files())
        #expect(gateway.plan.sockets.flatMap(\.listeners).allSatisfy { $0.fallback == nil })
        let service = Self.resolve(
            Self.gateway(Self.own, listener: Self.web, service: written), try Self.files())
        #expect(service.plan.clusters.allSatisfy { $0.fallback == nil })
        for resolution in [gateway, service] {
            let told = resolution.findings.filter(\.isError).map(\.message)
            #expect(told.count == 1 && told.first?.contains(message) == true, "\(told)")
        }
    }

    @Test func aPrincipalThatNobodyCanBeHandsNothingOn() throws {
        let fallback = Self.own.merging([
            "sluice.dev/fallback-gateway": "hbone://10.0.0.5", "sluice.dev/fallback-principal": "cluster.local",
        ]) { $1 }
        let resolution = Self.resolve(Self.gateway(fallback, listener: Self.web), try Self.files())
        #expect(resolution.findings.contains { $0.message.contains("'cluster.local' is no principal") })
        #expect(resolution.plan.sockets.flatMap(\.listeners).allSatisfy { $0.fallback == nil })
    }

    /// One place, from which different answerers are expected: what is known of one says nothing of the other.
    @Test func whoIsExpectedMakesAnotherCluster() throws {
        let far = """

            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: other, namespace: far}
            spec:
              parentRefs: [{name: waypoint, namespace: shop}]
              hostnames: [other.example]
              rules: [{backendRefs: [{name: other, port: 80}]}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: other, namespace: far, annotations: {sluice.dev/fallback-gateway: 'hbone://10.0.0.5'}}
            spec: {ports: [{port: 80}]}
            """
        let listener = "{name: web, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}"
        let text =
            Self.gateway(Self.own, listener: listener, service: ["sluice.dev/fallback-gateway": "hbone://10.0.0.5"])
            + far
        let plan = Self.resolve(text, try Self.files()).plan
        let names = try ["shop/cart:80", "far/other:80"].map { backend in
            let own = try #require(plan.clusters.first { $0.backend == backend }?.fallback, "\(backend)")
            return plan.clusters[own.http1].name
        }
        #expect(
            names == ["shop", "far"].map { "fallback/hbone://10.0.0.5:15008 from shop/waypoint to ns/\($0)" })
    }

    @Test func aPrincipalOfAnotherTrustDomainIsTold() throws {
        let written = [
            "sluice.dev/fallback-gateway": "hbone://10.0.0.5",
            "sluice.dev/fallback-principal": "other.example/ns/shop/sa/gate",
        ]
        let onGateway = Self.resolve(
            Self.gateway(Self.own.merging(written) { $1 }, listener: Self.web), try Self.files())
        let onService = Self.resolve(Self.gateway(Self.own, listener: Self.web, service: written), try Self.files())
        for resolution in [onGateway, onService] {
            #expect(
                resolution.findings.map(\.message) == [
                    "'spiffe://other.example/ns/shop/sa/gate' is of trust domain 'other.example', and the Gateway believes "
                        + "nobody but those of 'cluster.local'. Nothing is handed on before"
                ])
            #expect(resolution.plan.clusters.allSatisfy { !$0.isCentral })
        }
    }

    @Test func endpointsBehindTunnelsAreChecked() throws {
        let text =
            Self.gateway(Self.own, service: ["sluice.dev/hbone": "true"]) + """

                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: BackendTrafficPolicy
                metadata: {name: checks, namespace: shop}
                spec:
                  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: cart}]
                  healthCheck: {active: {type: HTTP, http: {path: /healthz}}}
                """
        let cluster = try #require(Self.resolve(text, try Self.files()).plan.clusters.first { $0.tunnel != nil })
        #expect(cluster.traffic.healthCheck.active != nil)
    }
}
