import COpenSSL
import Core
import Support
import Testing

@testable import TLS

@Suite struct ServerSettings {
    /// The leaf that a client was shown, by its names.
    static func shown(_ wire: Wire) -> [String] {
        wire.handshake()
        return wire.client.peerCertificate()?.dnsNames ?? []
    }

    static let choices: [(name: String?, shown: String)] = [
        ("www.example.com", "www.example.com"), ("other.example.com", "*.example.com"),
        ("deep.other.example.com", "first.example"), ("first.example", "first.example"), (nil, "first.example"),
        ("nobody.example", "first.example"), ("WWW.Example.com", "www.example.com"),
    ]

    @Test(arguments: choices) func theBestNameIsShown(_ row: (name: String?, shown: String)) throws {
        let server = try Made.server(
            ["first.example", "*.example.com", "www.example.com"].map { try Made.pair([$0]) })
        let client = try Made.client(trust: .anything)
        #expect(Self.shown(Wire(server, client, name: row.name)) == [row.shown])
        #expect(Self.shown(Wire(server, client, name: row.name)) == [row.shown])
    }

    /// ECDSA beside RSA under one name: what the client lists first.
    @Test(arguments: [
        (ProtocolVersion.tls13, ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"], [String](), true),
        (.tls13, ["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"], [], false),
        (.tls12, [], ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"], true),
        (.tls12, [], ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"], false),
        (.tls12, [], ["ECDHE-RSA-AES256-GCM-SHA384"], false),
    ]) func theClientChoosesTheKeyType(
        _ version: ProtocolVersion, _ signatures: [String], _ suites: [String], _ isECDSA: Bool
    ) throws {
        let server = try Made.server([
            Made.pair(["other.example.com"]), Made.pair(kind: .rsa), Made.pair(kind: .ecdsa),
        ]) { $0.parameters.maximumVersion = version }
        let client = try Made.client {
            $0.parameters.signatureAlgorithms = signatures
            $0.parameters.cipherSuites = suites
        }
        let wire = Wire(server, client)
        #expect(wire.handshake().client == .done)
        let key = try #require(SSL_get0_peer_certificate(try #require(wire.client.ssl)))
        #expect((EVP_PKEY_get_base_id(X509_get0_pubkey(key)) == EVP_PKEY_EC) == isECDSA)
    }

    @Test func theFrontChoosesBeforeTheLibraryBegins() throws {
        let one = try Made.server([Made.pair(["one.example"])]) {
            $0.parameters.maximumVersion = .tls12
            $0.parameters.alpn = ["http/1.1"]
        }
        let two = try Made.server([Made.pair(["two.example"])]) {
            $0.parameters.minimumVersion = .tls13
            $0.parameters.alpn = ["h2"]
            $0.parameters.cipherSuites = ["TLS_AES_256_GCM_SHA384"]
            $0.parameters.groups = ["P-384"]
            $0.clientValidation = ClientValidation(
                mode: .require, authorities: try TestCertificates.authority().certificate)
        }
        let front = TLSFront { name in
            guard let name else { return nil }
            return name.equals("one.example") ? one : name.equals("two.example") ? two : nil
        }
        let pair = try TestCertificates.issue(names: ["me.example"])
        let client = try Made.client(hostname: "") {
            $0.parameters.alpn = ["h2", "http/1.1"]
            $0.certificate = KeyPairSettings(chain: pair.chain, key: pair.key)
        }
        func wire(_ name: String?) -> Wire {
            Wire(server: TLSSession(server: front), client: TLSSession(client: client, serverName: name), piece: 50)
        }
        let first = wire("one.example")
        #expect(first.handshake().server == .done)
        #expect(first.server.context === one)
        #expect(first.server.protocolVersion == .tls12)
        #expect(first.server.applicationProtocol.string == "http/1.1")
        #expect(first.server.peerCertificate() == nil)
        let second = wire("TWO.example")
        #expect(second.handshake().server == .done)
        #expect(second.server.protocolVersion == .tls13)
        #expect(second.server.applicationProtocol.string == "h2")
        #expect(second.client.applicationProtocol.string == "h2")
        #expect(second.server.cipherName.string == "TLS_AES_256_GCM_SHA384")
        #expect(second.server.peerCertificate()?.dnsNames == ["me.example"])
        for name in ["three.example", nil] {
            let refused = wire(name)
            let steps = refused.handshake()
            guard case .failed(let failure) = steps.server else {
                Issue.record("\(name ?? "no name") was served")
                continue
            }
            #expect(failure.kind == .unrecognizedName)
            #expect(
                steps.client
                    == .failed(TLSFailure(.alert(112), "the peer sent the alert 'unrecognized name'")))
        }
    }

    static let protocols: [(server: [String], client: [String], chosen: String?)] = [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "h2"), (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], [], ""), ([], ["h2"], ""), (["h2"], ["http/1.1"], nil),
    ]

    @Test(arguments: protocols, [ProtocolVersion.tls12, .tls13]) func protocolsAreNegotiated(
        _ row: (server: [String], client: [String], chosen: String?), _ version: ProtocolVersion
    ) throws {
        let server = try Made.server {
            $0.parameters.alpn = row.server
            $0.parameters.maximumVersion = version
        }
        let wire = Wire(server, try Made.client { $0.parameters.alpn = row.client })
        let steps = wire.handshake()
        if let chosen = row.chosen {
            #expect(steps.server == .done)
            #expect(wire.server.applicationProtocol.string == chosen)
            #expect(wire.client.applicationProtocol.string == chosen)
        } else {
            #expect(wire.server.failure?.kind == .noApplicationProtocol)
            #expect(wire.client.failure?.kind == .alert(120))
        }
    }

    /// Versions, suites and groups, on each side.
    static let agreements: [(server: [String: String], client: [String: String], agreed: String?)] = [
        (["max": "1.2"], [:], "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256"),
        ([:], ["max": "1.2"], "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256"),
        (["min": "1.3"], ["max": "1.2"], nil),
        ([:], ["min": "1.0", "max": "1.1", "suites": "ECDHE-ECDSA-AES128-SHA"], nil),
        (
            ["min": "1.0", "suites": "ECDHE-ECDSA-AES128-SHA"],
            ["min": "1.0", "max": "1.0", "suites": "ECDHE-ECDSA-AES128-SHA"],
            "TLSv1 ECDHE-ECDSA-AES128-SHA"
        ),
        ([:], ["max": "1.2", "suites": "ECDHE-ECDSA-AES128-SHA"], nil),
        (
            ["max": "1.2", "suites": "ECDHE-ECDSA-AES128-SHA"], ["max": "1.2", "suites": "ECDHE-ECDSA-AES128-SHA"],
            "TLSv1.2 ECDHE-ECDSA-AES128-SHA"
        ),
        (
            ["max": "1.2", "suites": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], [:],
            "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"
        ),
        (
            ["max": "1.2", "suites": "[ECDHE-ECDSA-AES256-GCM-SHA384|ECDHE-ECDSA-CHACHA20-POLY1305]"], [:],
            "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"
        ),
        (["suites": "TLS_CHACHA20_POLY1305_SHA256"], [:], "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256"),
        (["groups": "P-384"], ["groups": "X25519 P-384"], "TLSv1.3 TLS_AES_128_GCM_SHA256"),
        (["groups": "P-384"], ["groups": "X25519"], nil),
        (["signatures": "rsa_pss_rsae_sha256"], [:], nil),
    ]

    @Test(arguments: agreements) func versionsSuitesAndGroups(
        _ row: (server: [String: String], client: [String: String], agreed: String?)
    ) throws {
        func parameters(_ written: [String: String]) -> ProtocolSettings {
            let versions: [String: ProtocolVersion] = ["1.0": .tls10, "1.1": .tls11, "1.2": .tls12, "1.3": .tls13]
            var result = ProtocolSettings()
            result.minimumVersion = written["min"].flatMap { versions[$0] }
            result.maximumVersion = written["max"].flatMap { versions[$0] }
            result.cipherSuites = written["suites"].map { [$0] } ?? []
            result.groups = written["groups"]?.split(separator: " ").map(String.init) ?? []
            result.signatureAlgorithms = written["signatures"].map { [$0] } ?? []
            return result
        }
        let wire = Wire(
            try Made.server { $0.parameters = parameters(row.server) },
            try Made.client { $0.parameters = parameters(row.client) })
        let step = wire.handshake().server
        if let agreed = row.agreed {
            #expect(step == .done, "\(step)")
            #expect("\(wire.server.protocolVersion?.text ?? "") \(wire.server.cipherName.string)" == agreed)
        } else {
            #expect(wire.server.failure?.kind == .nothingInCommon, "\(step)")
        }
    }

    static let wrong: [(@Sendable (inout ServerTLSSettings) -> Void, String)] = [
        ({ $0.certificates = [] }, "no certificate is given; a server needs at least one"),
        ({ $0.certificates[0].key = "" }, "certificate 'shop.example.com': there is no PEM private key in it"),
        ({ $0.certificates[0].chain = "x" }, "certificate 'shop.example.com': there is no PEM certificate in it"),
        (
            { $0.certificates[0].key = FixedCertificates.otherKey },
            "certificate 'shop.example.com': the private key is not the certificate's"
        ),
        (
            { $0.parameters.cipherSuites = ["ECDHE-NOTHING"] },
            "no cipher suite is named 'ECDHE-NOTHING'; right would be, for example, 'ECDHE-ECDSA-AES128-GCM-SHA256'"
        ),
        (
            { $0.parameters.groups = ["X25519", "P-257"] },
            "no curve or group is named 'P-257'; right would be 'X25519' or 'P-256'"
        ),
        (
            { $0.parameters.signatureAlgorithms = ["rsa_md5"] },
            "no signature algorithm is named 'rsa_md5'; right would be 'ecdsa_secp256r1_sha256' or 'rsa_pss_rsae_sha256'"
        ),
        (
            {
                $0.parameters.minimumVersion = .tls13
                $0.parameters.maximumVersion = .tls12
            },
            "the greatest version, TLSv1.2, is below the least, TLSv1.3"
        ),
        ({ $0.parameters.alpn = [""] }, "'' is no application protocol; right would be 'h2' or 'http/1.1'"),
        (
            { $0.clientValidation = ClientValidation(mode: .require, authorities: "none") },
            "the certificate authorities for clients: there is no PEM certificate in it"
        ),
        (
            {
                $0.clientValidation = ClientValidation(mode: .require, authorities: FixedCertificates.shop)
                $0.clientValidation?.revocationLists = FixedCertificates.shop
            }, "the revocation lists: there is no PEM certificate revocation list in it"
        ),
    ]

    @Test(arguments: wrong) func whatIsWrongIsSaid(
        _ row: (change: @Sendable (inout ServerTLSSettings) -> Void, text: String)
    ) throws {
        #expect(throws: TLSSettingsError(row.text)) { try Made.server { row.change(&$0) } }
    }

    @Test func renegotiationIsRefused() throws {
        let wire = Wire(try Made.server { $0.parameters.maximumVersion = .tls12 }, try Made.client())
        wire.handshake()
        let ssl = try #require(wire.client.ssl)
        // Our client would not either; another's asks.
        sluice_allow_renegotiation(ssl)
        #expect(SSL_renegotiate(ssl) == 1)
        _ = SSL_do_handshake(ssl)
        #expect(wire.client.pending.count > 0)
        let before = wire.server.pending.count
        let (octets, last) = wire.read(from: wire.client, to: wire.server)
        #expect(octets.isEmpty)
        #expect(last == .wantsInput)
        // A warning that says so, and the connection is as it was.
        #expect(1...64 ~= wire.server.pending.count - before)
        #expect(SSL_is_init_finished(try #require(wire.server.ssl)) == 1)
    }

    /// A peer that asks for new keys again and again, and never reads, makes us hold no more and more.
    @Test func keyUpdatesAddNothing() throws {
        let wire = Wire(try Made.server(), try Made.client())
        wire.handshake()
        let ssl = try #require(wire.client.ssl)
        for _ in 0..<2_000 {
            #expect(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            _ = SSL_do_handshake(ssl)
            wire.carry(from: wire.client, to: wire.server)
            var buffer = ByteBuffer(capacity: 100)
            guard case .wantsInput = wire.server.read(into: &buffer) else { break }
        }
        #expect(wire.server.pending.count < 64 * 1024)
    }

    @Test func aStapleIsShownWhileItIsFresh() throws {
        let authority = try TestCertificates.authority()
        let pair = try authority.issue(names: ["shop.example.com"])
        let response = try authority.ocspResponse(for: pair, days: 7)
        nonisolated(unsafe) var now: Int64 = 0
        let end = try response.withView { try OCSPResponse(der: $0) }.nextUpdate
        let server = try Made.server([
            KeyPairSettings(chain: pair.chain, key: pair.key, ocspResponse: response)
        ]) { $0.now = { now } }
        for (second, isShown) in [(end - 1, true), (end + 1, false)] {
            now = second
            let wire = Wire(server, try Made.client())
            wire.client.askForStaple()
            #expect(wire.handshake().client == .done)
            #expect(wire.client.stapledResponse == (isShown ? response : []))
        }
        let malformed = try Made.server([
            KeyPairSettings(chain: pair.chain, key: pair.key, ocspResponse: Array(response.dropLast()))
        ])
        let unstapled = Wire(malformed, try Made.client())
        unstapled.client.askForStaple()
        #expect(unstapled.handshake().client == .done)
        #expect(unstapled.client.stapledResponse.isEmpty)
        let unasked = Wire(server, try Made.client())
        #expect(unasked.handshake().client == .done)
        #expect(unasked.client.stapledResponse.isEmpty)
    }

    @Test func aStapleIsChecked() throws {
        let authority = try TestCertificates.authority()
        let below = try authority.intermediate(name: "stapling")
        let pair = try below.issue(names: ["shop.example.com"])
        let other = try below.issue(names: ["other.example.com"])
        func check(_ response: [UInt8], _ chain: String? = nil, after seconds: Int64 = 60) -> OCSPError? {
            let begin = (try? response.withView { try OCSPResponse(der: $0) }.thisUpdate) ?? 0
            do {
                _ = try response.withView { der in
                    try (chain ?? pair.chain).withView { try OCSPResponse(der: der, chain: $0, now: begin + seconds) }
                }
                return nil
            } catch { return error as? OCSPError }
        }
        let good = try below.ocspResponse(for: pair, days: 2)
        #expect(check(good) == nil)
        #expect(check(good, pair.leaf) == nil)
        #expect(check(good, other.chain) == .otherCertificate)
        #expect(check([1, 2, 3]) == .malformed)
        #expect(check(Array(good.dropLast(9))) == .malformed)
        #expect(check(try below.ocspResponse(for: pair, revoked: true)) == .revoked)
        #expect(check(good, after: -3_600) == .notYetValid)
        if case .stale = check(good, after: 3 * 86_400) {} else { Issue.record("not stale") }
        // The same serial number under an issuer of another key.
        let strangers = try TestCertificates.authority(name: "strangers")
        #expect(check(good, pair.leaf + strangers.certificate) == .otherCertificate)
    }
}
