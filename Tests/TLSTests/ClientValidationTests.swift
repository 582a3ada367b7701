import Core
import Support
import Testing

@testable import TLS

@Suite struct ClientCertificates {
    /// What a client shows.
    enum Shown: String, CaseIterable, Sendable { case nothing, good, expired, stranger, revoked, below }

    static func settings(_ shown: Shown) throws -> KeyPairSettings? {
        let authority = try TestCertificates.authority(name: "clients")
        let pair: TestCertificates.Pair
        switch shown {
        case .nothing: return nil
        case .good:
            pair = try authority.issue(
                names: [
                    "client.example.com", "URI:spiffe://cluster/ns/web", "email:web@example.com", "IP:10.1.2.3",
                    "IP:2001:db8::7", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:web@corp",
                ], subject: "/O=Shop/CN=web")
        case .expired: pair = try authority.issue(names: ["client.example.com"], expired: true)
        case .stranger:
            pair = try TestCertificates.authority(name: "strangers").issue(names: ["client.example.com"])
        case .revoked: pair = try authority.issue(names: ["revoked.example.com"])
        case .below: pair = try Self.below.issue(names: ["below.example.com"])
        }
        return KeyPairSettings(chain: pair.chain, key: pair.key)
    }

    static let below = try! TestCertificates.authority(name: "clients").intermediate(name: "clients below")

    static func wire(
        _ shown: Shown, mode: ClientValidation.Mode = .require, version: ProtocolVersion = .tls13,
        _ change: (inout ClientValidation) throws -> Void = { _ in }
    ) throws -> Wire {
        var validation = ClientValidation(
            mode: mode, authorities: try TestCertificates.authority(name: "clients").certificate)
        try change(&validation)
        let server = try Made.server {
            $0.clientValidation = validation
            $0.parameters.maximumVersion = version
        }
        return Wire(server, try Made.client { $0.certificate = try settings(shown) })
    }

    /// A sentence of OpenSSL for each, or nil: accepted.
    static let required: [(Shown, String?)] = [
        (.nothing, "the peer sent no certificate"), (.good, nil), (.below, nil),
        (.expired, "certificate has expired"), (.stranger, "unable to get local issuer certificate"),
    ]

    /// What our own checks refuse is told with who came and who was expected.
    @Test func whoCameAndWhoWasExpectedIsTold() throws {
        func problem(_ change: (inout ClientValidation) -> Void) throws -> String? {
            let wire = try Self.wire(.good, change)
            guard case .failed(let failure) = wire.handshake().server, failure.kind == .peerCertificate else {
                return nil
            }
            return failure.text
        }
        let shown = try #require(try problem { $0.trustDomain = "mesh.example" })
        #expect(shown.hasPrefix("the certificate of 'spiffe://"), "\(shown)")
        #expect(shown.hasSuffix("is no workload's of trust domain 'mesh.example'"), "\(shown)")
        let names = try #require(
            try problem {
                $0.subjectAltNames = ["a", "b", "c", "d"].map { SubjectNameMatcher(.uri, .exact("spiffe://\($0)/x")) }
            })
        #expect(
            names.hasSuffix(
                "has none of the names that are accepted: 'spiffe://a/x', 'spiffe://b/x', 'spiffe://c/x' and 1 more"),
            "\(names)")
        let prefix = try #require(
            try problem { $0.subjectAltNames = [SubjectNameMatcher(.uri, .prefix("spiffe://a/ns/b/sa/"))] })
        #expect(prefix.hasSuffix("are accepted: 'spiffe://a/ns/b/sa/…'"), "\(prefix)")
        let hashes = try #require(
            try problem { $0.certificateHashes = [String(repeating: "00", count: 32)] })
        #expect(hashes.hasSuffix("has none of the hashes that are accepted"), "\(hashes)")
    }

    @Test(arguments: required, [ProtocolVersion.tls12, .tls13])
    func aValidOneIsRequired(_ row: (shown: Shown, problem: String?), _ version: ProtocolVersion) throws {
        let wire = try Self.wire(row.shown, version: version)
        let step = wire.handshake().server
        if let problem = row.problem {
            #expect(step == .failed(TLSFailure(.peerCertificate, problem)))
            // The client hears of it by an alert, in TLS 1.3 after it had believed to be done.
            var buffer = ByteBuffer(capacity: 1_000)
            let heard: TLSFailure? =
                if case .failed(let failure) = wire.client.read(into: &buffer) { failure } else { wire.client.failure }
            guard case .alert = heard?.kind else {
                Issue.record("the client heard \(String(describing: heard))")
                return
            }
        } else {
            #expect(step == .done)
            #expect(try #require(wire.server.peerCertificate()).problem == nil)
        }
    }

    @Test(arguments: [
        (ClientValidation.Mode.optional, Shown.nothing, true), (.optional, .good, true), (.optional, .stranger, false),
        (.optional, .expired, false), (.unverified, .nothing, true), (.unverified, .good, true),
        (.unverified, .stranger, true), (.unverified, .expired, true), (.requireUnverified, .nothing, false),
        (.requireUnverified, .stranger, true), (.requireUnverified, .good, true),
    ])
    func modesLetThrough(_ mode: ClientValidation.Mode, _ shown: Shown, _ accepted: Bool) throws {
        let wire = try Self.wire(shown, mode: mode)
        #expect((wire.handshake().server == .done) == accepted)
        guard accepted else { return }
        let facts = wire.server.peerCertificate()
        #expect((facts == nil) == (shown == .nothing))
        switch shown {
        case .stranger: #expect(facts?.problem == "unable to get local issuer certificate")
        case .expired: #expect(facts?.problem == "certificate has expired")
        default: #expect(facts?.problem == nil)
        }
    }

    @Test func withoutValidationNobodyIsAsked() throws {
        let wire = Wire(try Made.server(), try Made.client { $0.certificate = try Self.settings(.good) })
        #expect(wire.handshake().server == .done)
        #expect(wire.server.peerCertificate() == nil)
    }

    @Test func withNothingToVerifyByAnythingIsUnverified() throws {
        let wire = try Self.wire(.good, mode: .requireUnverified) { $0.authorities = "" }
        #expect(wire.handshake().server == .done)
        #expect(wire.server.peerCertificate()?.problem != nil)
        #expect(throws: TLSSettingsError.self) { try Self.wire(.good) { $0.authorities = "" } }
    }

    @Test func anExpiredOneMayBeAllowed() throws {
        #expect(try Self.wire(.expired) { $0.allowsExpired = true }.handshake().server == .done)
        #expect(try Self.wire(.stranger) { $0.allowsExpired = true }.handshake().server != .done)
    }

    @Test func revocationIsLookedUp() throws {
        let root = try TestCertificates.authority(name: "clients")
        let revoked = try root.issue(names: ["revoked.example.com"])
        let list = try root.revocationList(of: [revoked])
        let step = try Self.wire(.revoked) { $0.revocationLists = list }.handshake().server
        #expect(step == .failed(TLSFailure(.peerCertificate, "certificate revoked")))
        #expect(try Self.wire(.good) { $0.revocationLists = list }.handshake().server == .done)
        // The intermediate authority has no list; with the leaf alone in question it needs one, too.
        let missing = try Self.wire(.below) { $0.revocationLists = list }.handshake().server
        #expect(missing == .failed(TLSFailure(.peerCertificate, "unable to get certificate CRL")))
        let both = list + (try Self.below.revocationList())
        #expect(try Self.wire(.below) { $0.revocationLists = both }.handshake().server == .done)
        let leafOnly = try Self.wire(.below) {
            $0.revocationLists = try Self.below.revocationList()
            $0.checksOnlyLeafRevocation = true
        }
        #expect(leafOnly.handshake().server == .done)
    }

    @Test func hashesPin() throws {
        let shown = try #require(try Self.settings(.good))
        let read = try shown.chain.withView { try Certificate(chain: $0, key: nil) }
        let other = [UInt8](repeating: 5, count: 32)
        let (spki, whole) = (Self.base64(read.keyHash), CertificateHash.hexadecimal(read.hash))
        func accepts(authority: Bool = true, spki: [String] = [], whole: [String] = []) throws -> Bool {
            try Self.wire(.good) {
                if !authority { $0.authorities = "" }
                $0.spkiHashes = spki
                $0.certificateHashes = whole
            }.handshake().server == .done
        }
        #expect(try accepts(spki: [Self.base64(other), spki]))
        #expect(try !accepts(spki: [Self.base64(other)]))
        #expect(try accepts(whole: [whole.uppercased()]))
        #expect(try !accepts(whole: [CertificateHash.hexadecimal(other)]))
        #expect(try accepts(spki: [Self.base64(other)], whole: [whole]))
        #expect(try accepts(authority: false, spki: [spki]))
        #expect(try !accepts(authority: false, spki: [Self.base64(other)]))
        #expect(throws: TLSSettingsError.self) { try accepts(spki: ["abc"]) }
        #expect(throws: TLSSettingsError.self) { try accepts(whole: [spki]) }
    }

    static func base64(_ octets: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for at in stride(from: 0, to: octets.count, by: 3) {
            let group = (0..<3).map { at + $0 < octets.count ? Int(octets[at + $0]) : 0 }
            let number = group[0] << 16 | group[1] << 8 | group[2]
            for index in 0..<4 {
                text += at + index > octets.count ? "=" : String(digits[number >> (18 - 6 * index) & 63])
            }
        }
        return text
    }

    nonisolated(unsafe) static let names: [(SubjectNameMatcher.Kind, SubjectNameMatcher.Pattern, String, Bool)] = [
        (.dns, .exact("client.example.com"), "", true), (.dns, .exact("CLIENT.example.com"), "", true),
        (.dns, .exact("other.example.com"), "", false), (.dns, .prefix("client."), "", true),
        (.dns, .suffix(".example.com"), "", true), (.dns, .suffix(".example.org"), "", false),
        (.uri, .exact("spiffe://cluster/ns/web"), "", true), (.uri, .exact("spiffe://cluster/ns/WEB"), "", false),
        (.uri, .prefix("spiffe://cluster/"), "", true), (.dns, .prefix("spiffe://"), "", false),
        (.email, .exact("web@example.com"), "", true), (.ipAddress, .exact("10.1.2.3"), "", true),
        (.ipAddress, .exact("2001:db8::7"), "", true), (.ipAddress, .prefix("10.2."), "", false),
        (.otherName, .exact("web@corp"), "1.3.6.1.4.1.311.20.2.3", true),
        (.otherName, .exact("web@corp"), "1.3.6.1.4.1.311.20.2.4", false),
    ]

    @Test(arguments: names.indices) func aNameMustFit(_ index: Int) throws {
        let row: (kind: SubjectNameMatcher.Kind, pattern: SubjectNameMatcher.Pattern, oid: String, fits: Bool) =
            Self.names[index]
        let wire = try Self.wire(.good) {
            $0.subjectAltNames = [SubjectNameMatcher(row.kind, row.pattern, oid: row.oid)]
        }
        #expect((wire.handshake().server == .done) == row.fits)
        // Any of several.
        let several = try Self.wire(.good) {
            $0.subjectAltNames = [
                SubjectNameMatcher(.dns, .exact("nobody")), SubjectNameMatcher(row.kind, row.pattern, oid: row.oid),
            ]
        }
        #expect((several.handshake().server == .done) == row.fits)
    }

    @Test func theCallerMayMatchItself() throws {
        func accepts(_ count: Int) throws -> Bool {
            try Self.wire(.good) {
                $0.subjectAltNames = [
                    SubjectNameMatcher(.uri, .custom(text: "\(count) octets", matches: { $0.count == count }))
                ]
            }.handshake().server == .done
        }
        #expect(try accepts("spiffe://cluster/ns/web".utf8.count))
        #expect(try !accepts(3))
    }

    @Test func factsAreToldAsEnvoyTellsThem() throws {
        let wire = try Self.wire(.good)
        wire.handshake()
        let facts = try #require(wire.server.peerCertificate())
        #expect(facts.subject == "CN=web,O=Shop")
        #expect(facts.uris == ["spiffe://cluster/ns/web"])
        #expect(facts.dnsNames == ["client.example.com"])
        let shown = try #require(try Self.settings(.good))
        #expect(
            facts.hash
                == CertificateHash.hexadecimal(try shown.chain.withView { try Certificate(chain: $0, key: nil).hash }))
        #expect(facts.encodedPEM.hasPrefix("-----BEGIN%20CERTIFICATE-----%0AMII"))
        #expect(!facts.encodedPEM.contains { " \n+/=".contains($0) })
        #expect(facts.encodedChain == facts.encodedPEM)
        let below = try Self.wire(.below)
        below.handshake()
        let chain = try #require(below.server.peerCertificate()).encodedChain
        #expect(chain.split(separator: "BEGIN").count == 3)
    }
}
