import Config
import Testing

@testable import Manifest

/// `sluice.dev/fallback-gateway`.
@Suite struct FallbackGatewayTests {
    private static func set(gateway: String = "", service: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: g
          annotations: {a: b\(gateway.isEmpty ? "" : ", sluice.dev/fallback-gateway: '\(gateway)'")}
        spec:
          gatewayClassName: sluice
          addresses: [{value: 127.0.0.1}]
          listeners:
          - {name: web, protocol: HTTP, port: 8080}
          - {name: octets, protocol: TCP, port: 8081}
          - {name: datagrams, protocol: UDP, port: 8081}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: r}
        spec:
          parentRefs: [{name: g}]
          rules: [{backendRefs: [{name: s, port: 80}, {name: other, port: 80}]}]
        ---
        apiVersion: v1
        kind: Service
        metadata:
          name: s
          annotations: {a: b\(service.isEmpty ? "" : ", sluice.dev/fallback-gateway: '\(service)'")}
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: other}
        spec: {ports: [{port: 80}]}

        """
    }

    private func resolve(_ text: String) -> Resolution {
        let set = ManifestReader.read(files: [(path: "set.yaml", bytes: Array(text.utf8))])
        #expect(!set.isMalformed, "\(set.findings)")
        return Resolver.resolve(set, now: "2026-01-01T00:00:00Z") { _ in nil }
    }

    @Test func ofAGateway() throws {
        let plan = resolve(Self.set(gateway: "10.0.0.5, [fd00::1]:90")).plan
        let web = try #require(plan.sockets.first { $0.address.port == 8080 })
        #expect(web.central.map(\.description) == ["10.0.0.5:8080", "[fd00::1]:90"])
        let fallback = try #require(web.listeners[0].fallback)
        for (number, backendProtocol) in [
            (fallback.http1, BackendProtocol.http1), (fallback.http2, .http2), (fallback.opaque, .opaque),
        ] {
            let cluster = plan.clusters[number]
            #expect(cluster.backendProtocol == backendProtocol)
            #expect(cluster.endpoints.map { CentralPlan.address($0.address) } == web.central)
            #expect(cluster.isCentral && cluster.tunnel == nil)
            #expect(cluster.traffic.healthCheck.active?.interval == .seconds(1))
            #expect(cluster.traffic.healthCheck.panicThreshold == 1)
        }
        let octets = try #require(plan.sockets.first { $0.address.port == 8081 && $0.transport == .tcp })
        #expect(octets.central.map(\.description) == ["10.0.0.5:8081", "[fd00::1]:90"])
        #expect(octets.listeners[0].fallback != nil && octets.listeners[0].fallback != fallback)
        let datagrams = try #require(plan.sockets.first { $0.transport == .udp })
        #expect(datagrams.central.isEmpty && datagrams.listeners[0].fallback == nil)
        #expect(plan.clusters.allSatisfy { $0.fallback == nil })
    }

    @Test func ofAService() throws {
        let plan = resolve(Self.set(service: "10.0.0.5:8080")).plan
        let own = try #require(plan.clusters.first { $0.backend == "default/s:80" })
        let fallback = try #require(own.fallback)
        #expect(plan.clusters[fallback.http1].name == "fallback/10.0.0.5:8080")
        #expect(plan.clusters.first { $0.backend == "default/other:80" }?.fallback == nil)
        #expect(plan.sockets.allSatisfy { $0.central.isEmpty && $0.listeners[0].fallback == nil })
    }

    @Test func oneAddressListIsOneCluster() {
        let plan = resolve(Self.set(gateway: "10.0.0.5:90", service: "10.0.0.5:90")).plan
        #expect(plan.clusters.filter { $0.name.hasPrefix("fallback/") }.count == 3)
    }

    @Test(arguments: [
        ("10.0.0.5,", "'' is no address of a gateway: nothing is written there; write"),
        ("10.0.0.5:0", "'10.0.0.5:0' is no address of a gateway: its port is none from 1 to 65535; write"),
        ("central.example:99999", "is no address of a gateway: its port is none from 1 to 65535"),
        ("central.example:", "its port is none from 1 to 65535"),
        (":8080", "':8080' is no address of a gateway: there is no host in it; write"),
        ("10.0.0.256:80", "is no address of a gateway: it is neither an IP address nor a name"),
        ("*.example:80", "'*.example:80' is no address of a gateway: names are made of letters"),
        ("-a:80", "is no address of a gateway: names are made of letters"),
        ("central_gw:15080", "'central_gw:15080' is no address of a gateway: names have no underscores; write"),
        ("10.0.0.5:80 10.0.0.6:80", "is no address of a gateway: addresses are separated by commas; write"),
        ("a.example:80;b.example:80", "is no address of a gateway: addresses are separated by commas; write"),
        ("central.example/a:80", "is no address of a gateway: it has a path"),
        ("http://central.example:80", "is no address of a gateway: 'hbone://' is the only scheme there is"),
        ("hbone://", "'hbone://' is no address"), ("hbone://http://a", "'hbone://' is the only scheme"),
        (
            "10.0.0.5:80,hbone://10.0.0.6",
            "'hbone://10.0.0.6' is called by HBONE, and others in clear text; write hbone:// before each of them, or before none"
        ),
        ("hbone://10.0.0.5,central", "'central' is called in clear text, and others by HBONE"),
        ("hbone://10.0.0.5", "hbone:// needs the Gateway's own certificate: the annotations sluice.dev/cert-file"),
        (Array(repeating: "10.0.0.5", count: 17).joined(separator: ","), "17 addresses are more than the 16"),
    ])
    func whatIsNoAddressIsTold(text: String, message: String) {
        let resolution = resolve(Self.set(gateway: text))
        #expect(resolution.findings.contains { $0.message.contains(message) && $0.location.line == 5 })
        #expect(resolution.plan.sockets.allSatisfy { $0.central.isEmpty })
    }

    @Test(arguments: ["10.0.0.5", "central.example"])
    func aServicesAddressNeedsAPort(_ text: String) {
        let resolution = resolve(Self.set(service: text))
        #expect(resolution.findings.contains { $0.message.contains("'\(text)' has no port") && $0.location.line == 25 })
    }

    @Test func namesAreLookedUp() throws {
        let plan = resolve(Self.set(gateway: "Central.Example, 10.0.0.5:90,other.example.:91", service: "one:92")).plan
        let web = try #require(plan.sockets.first { $0.address.port == 8080 })
        #expect(web.central.map(\.description) == ["central.example:8080", "10.0.0.5:90", "other.example:91"])
        let cluster = plan.clusters[try #require(web.listeners[0].fallback).http2]
        #expect(cluster.endpoints.map(\.address.description) == ["10.0.0.5:90"])
        #expect(
            cluster.dnsNames.map { "\($0.name) \($0.port) \($0.hostname)" } == [
                "central.example 8080 ", "other.example 91 ",
            ])
        #expect(cluster.name == "fallback/central.example:8080,10.0.0.5:90,other.example:91 (h2)")
        let own = try #require(plan.clusters.first { $0.backend == "default/s:80" }?.fallback)
        #expect(plan.clusters[own.http1].dnsNames == [DNSNamePlan(name: "one", port: 92)])
    }

    @Test func whoMustAnswerIsAMatterOfTunnels() {
        let text = Self.set(gateway: "10.0.0.5").replacing(
            "{a: b,", with: "{a: b, sluice.dev/fallback-principal: cluster.local/ns/a/sa/b,")
        #expect(
            resolve(text).findings.contains {
                $0.message.contains("says nothing where sluice.dev/fallback-gateway has no hbone://")
            })
    }

    @Test func whoMustAnswerNeedsAPlace() {
        let text = Self.set().replacing("{a: b}", with: "{sluice.dev/fallback-principal: cluster.local/ns/a/sa/b}")
        let told = resolve(text).findings.filter {
            $0.message.contains("it says nothing without sluice.dev/fallback-gateway beside it")
        }
        #expect(told.map(\.location.line) == [5, 25] && told.allSatisfy { !$0.isError })
    }

    /// Hosts that a central gateway may take for members; by HBONE it goes by none.
    @Test func servicesAreKnownWhereAHostIsAllThatIsTold() {
        #expect(resolve(Self.set()).plan.services == [])
        #expect(resolve(Self.set(gateway: "10.0.0.5")).plan.services == ["s.default", "other.default"])
        #expect(resolve(Self.set(service: "10.0.0.5:80")).plan.services == ["s.default", "other.default"])
        #expect(resolve(Self.set(gateway: "hbone://10.0.0.5")).plan.services == [])
    }

    /// Calls would come back for ever.
    @Test(arguments: ["127.0.0.1", "127.0.0.1:8080"])
    func isNeverTheGatewayItself(_ address: String) {
        let resolution = resolve(Self.set(gateway: address))
        #expect(resolution.plan.sockets.allSatisfy { $0.central.isEmpty })
        let told = resolution.findings.filter { $0.isError }.map(\.message)
        #expect(told == ["'\(address)' is where this Gateway itself listens; write the address of another one"])
        #expect(!resolve(Self.set(gateway: "127.0.0.1:9999")).plan.sockets[0].central.isEmpty)
    }
}
