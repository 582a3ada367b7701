import Core
import Support
import Testing

/// TLS that ends here in front of backends that are no HTTP to the gateway, and TLS to them: octets inside of both.
@Suite("Relays inside of TLS")
struct TLSRelayTests {
    /// A TLS listener that decrypts, a TCP listener that does not, and a backend that is reached by TLS or in clear text.
    private static func site(tls: UInt16, tcp: UInt16, pair: TestCertificates.Pair, backend: UInt16) -> String {
        func route(_ kind: String, _ listener: String, _ hostnames: String) -> String {
            """
            ---
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: \(kind)
            metadata: {name: \(listener)}
            spec:
              parentRefs: [{name: front, sectionName: \(listener)}]
            \(hostnames)
              rules:
              - backendRefs: [{name: shop, port: 80}]

            """
        }
        return """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners:
              - name: inside
                protocol: TLS
                port: \(tls)
                hostname: shop.example.com
                tls: {mode: Terminate, certificateRefs: [{name: site}]}
              - {name: octets, protocol: TCP, port: \(tcp)}

            """ + SecureSite.secret("site", pair) + route("TLSRoute", "inside", "  hostnames: [shop.example.com]")
                + route("TCPRoute", "octets", "") + Site.service("shop", port: backend)
    }

    private static func curl(_ words: [String]) throws -> String {
        try Clients.tool("curl", ["--silent", "--show-error", "--max-time", "20"] + words).output
    }

    @Test(arguments: [false, true]) func octetsWithinTLSReachTheBackend(isBackendSecure: Bool) throws {
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let backend = try EchoBackend(
            tls: isBackendSecure ? try TestCertificates.issue(names: ["backend.example.com"]) : nil)
        let (tls, tcp) = (try Ports.free(), try Ports.free())
        var site = Self.site(tls: tls, tcp: tcp, pair: pair, backend: backend.port)
        if isBackendSecure {
            site += SecureSite.authorities("trusted", try TestCertificates.authority().certificate)
            site += SecureSite.backendTLS("shop", authorities: "trusted", hostname: "backend.example.com")
        }
        let gateway = try Gateway(site)
        let trust = try TrustFolder()
        // The gateway chooses no protocol for octets that it does not understand: curl falls back to HTTP/1.1.
        let inside = try Self.curl([
            "--cacert", trust.ca, "--resolve", "shop.example.com:\(tls):127.0.0.1", "--data-binary",
            "@" + (try trust.folder.write("body", String(repeating: "octets ", count: 20_000))),
            "https://shop.example.com:\(tls)/inside",
        ])
        #expect(inside.contains(#""path":"/inside""#) && inside.contains("HTTP/1.1"), "\(inside) \(gateway.output)")
        let octets = try Self.curl(["http://127.0.0.1:\(tcp)/octets"])
        #expect(octets.contains(#""path":"/octets""#), "\(octets) \(gateway.output)")
        for answer in [inside, octets] {
            #expect(answer.contains(#""serverName":"backend.example.com""#) == isBackendSecure, "\(answer)")
        }
    }

    /// Whom the policy does not trust is not spoken to, in clear text least of all.
    @Test func aStrangerGetsNothing() throws {
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let backend = try EchoBackend(tls: try TestCertificates.issue(names: ["backend.example.com"]))
        let (tls, tcp) = (try Ports.free(), try Ports.free())
        let strangers = try TestCertificates.authority(name: "Strangers")
        let gateway = try Gateway(
            Self.site(tls: tls, tcp: tcp, pair: pair, backend: backend.port)
                + SecureSite.authorities("trusted", strangers.certificate)
                + SecureSite.backendTLS("shop", authorities: "trusted", hostname: "backend.example.com"))
        let outcome = try Clients.tool("curl", ["--silent", "--max-time", "20", "http://127.0.0.1:\(tcp)/"])
        #expect(outcome.code != 0 && outcome.output.isEmpty, "\(outcome.output) \(gateway.output)")
    }
}
