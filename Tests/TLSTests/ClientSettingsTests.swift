import Core
import Support
import Testing

@testable import TLS

/// Upstream: what an endpoint's certificate must be.
@Suite struct ClientSettings {
    static let verifications: [(names: [String], hostname: String, problem: String?)] = [
        (["shop.example.com"], "shop.example.com", nil), (["shop.example.com"], "SHOP.example.com", nil),
        (["shop.example.com"], "other.example.com", "hostname mismatch"),
        (["*.example.com"], "shop.example.com", nil), (["*.example.com"], "a.shop.example.com", "hostname mismatch"),
        (["*.example.com"], "example.com", "hostname mismatch"),
        (["s*.example.com"], "shop.example.com", "hostname mismatch"),
        (["IP:10.1.2.3"], "10.1.2.3", nil), (["IP:10.1.2.3"], "10.1.2.4", "hostname mismatch"),
        (["10.1.2.3"], "10.1.2.3", "hostname mismatch"), (["IP:2001:db8::7"], "2001:db8::7", nil),
        (["anything.example"], "", nil),
    ]

    @Test(arguments: verifications, [ProtocolVersion.tls12, .tls13])
    func theNameMustFit(_ row: (names: [String], hostname: String, problem: String?), _ version: ProtocolVersion) throws
    {
        let server = try Made.server([Made.pair(row.names)]) { $0.parameters.maximumVersion = version }
        let wire = Wire(server, try Made.client(hostname: row.hostname), name: row.hostname)
        let step = wire.handshake().client
        #expect(step == (row.problem.map { .failed(TLSFailure(.peerCertificate, $0)) } ?? .done))
    }

    nonisolated(unsafe) static let alternatives: [(names: [SubjectNameMatcher], fits: Bool)] = [
        ([SubjectNameMatcher(.dns, .exact("shop.example.com"))], true),
        ([SubjectNameMatcher(.dns, .exact("a.wild.example"))], true),
        ([SubjectNameMatcher(.dns, .exact("a.b.wild.example"))], false),
        ([SubjectNameMatcher(.dns, .exact("*.wild.example"))], true),
        ([SubjectNameMatcher(.dns, .exact("wild.example"))], false),
        ([SubjectNameMatcher(.uri, .exact("spiffe://cluster/ns/shop"))], true),
        ([SubjectNameMatcher(.uri, .exact("shop.example.com"))], false),
        (
            [
                SubjectNameMatcher(.dns, .exact("no.example")),
                SubjectNameMatcher(.uri, .exact("spiffe://cluster/ns/shop")),
            ], true
        ),
    ]

    /// BackendTLSPolicy, `validation.subjectAltNames`: these decide, and the hostname no longer does.
    @Test(arguments: alternatives.indices) func anyOfTheNamesDecides(_ index: Int) throws {
        let (names, fits) = Self.alternatives[index]
        let server = try Made.server([
            Made.pair(["shop.example.com", "*.wild.example", "URI:spiffe://cluster/ns/shop"])
        ])
        let client = try Made.client(hostname: "unrelated.example") { $0.subjectAltNames = names }
        #expect((Wire(server, client).handshake().client == .done) == fits)
    }

    @Test func anUntrustedOrExpiredOneIsRefused() throws {
        let stranger = try TestCertificates.authority(name: "strangers").issue(names: ["shop.example.com"])
        let untrusted = Wire(
            try Made.server([KeyPairSettings(chain: stranger.chain, key: stranger.key)]), try Made.client())
        #expect(
            untrusted.handshake().client
                == .failed(TLSFailure(.peerCertificate, "unable to get local issuer certificate")))
        guard case .alert(48) = untrusted.server.failure?.kind else {
            Issue.record("\(String(describing: untrusted.server.failure))")
            return
        }
        let expired = Wire(try Made.server([Made.pair(expired: true)]), try Made.client())
        #expect(expired.handshake().client == .failed(TLSFailure(.peerCertificate, "certificate has expired")))
        let system = Wire(try Made.server(), try Made.client(trust: .system))
        #expect(system.handshake().client != .done)
    }

    @Test func verificationCanBeOff() throws {
        let wire = Wire(try Made.server([Made.pair(["x.example"], expired: true)]), try Made.client(trust: .anything))
        #expect(wire.handshake().client == .done)
    }

    @Test func whatIsListedIsTrusted() throws {
        let root = try TestCertificates.authority(name: "a root")
        let below = try root.intermediate(name: "an intermediate")
        let pair = try below.issue(names: ["shop.example.com"])
        let server = try Made.server([KeyPairSettings(chain: pair.chain, key: pair.key)])
        let strangers = try TestCertificates.authority(name: "strangers").certificate
        for bundle in [root.certificate, below.certificate, pair.leaf, strangers + root.certificate] {
            #expect(Wire(server, try Made.client(trust: .authorities(bundle))).handshake().client == .done)
        }
        #expect(Wire(server, try Made.client(trust: .authorities(strangers))).handshake().client != .done)
        #expect(throws: TLSSettingsError("the certificate authorities: there is no PEM certificate in it")) {
            try Made.client(trust: .authorities(""))
        }
    }

    @Test(arguments: [
        (String?.some("shop.example.com"), "shop.example.com"), (nil, ""), ("", ""), ("10.1.2.3", ""), ("::1", ""),
    ]) func theNameIsSentUnlessItIsAnAddress(_ name: String?, _ seen: String) throws {
        let wire = Wire(try Made.server(), try Made.client(), name: name)
        wire.handshake()
        #expect(String(decoding: wire.server.serverName, as: UTF8.self) == seen)
    }
}
