import COpenSSL
import Core

/// From settings to OpenSSL's contexts.
extension TLSContext {
    static func serverVariant(
        _ settings: ServerTLSSettings, _ certificates: [LoadedCertificate], hasALPN: Bool
    ) throws(TLSSettingsError) -> OpaquePointer {
        try finished(SSL_CTX_new(TLS_server_method())) { (context) throws(TLSSettingsError) in
            try apply(settings.parameters, to: context)
            for certificate in certificates { try show(certificate, by: context) }
            if let validation = settings.clientValidation { try apply(validation, to: context) }
            // Sessions live in tickets only: no worker needs to know what another one remembers.
            sluice_ctx_session_cache(context, SSL_SESS_CACHE_OFF)
            SSL_CTX_set_timeout(context, TLSLimits.resumptionSeconds)
            var scope = settings.scope.withView { CertificateHash.of($0) }
            precondition(scope.count <= Int(SSL_MAX_SID_CTX_LENGTH), "a scope is a SHA-256")
            SSL_CTX_set_session_id_context(context, &scope, UInt32(scope.count))
            if settings.ticketKeys == nil {
                sluice_ctx_no_tickets(context)
                SSL_CTX_set_num_tickets(context, 0)
            } else {
                SSL_CTX_set_num_tickets(context, 1)
            }
        }
    }

    static func clientVariant(
        _ settings: ClientTLSSettings, _ certificate: LoadedCertificate?, alpn: [UInt8]
    ) throws(TLSSettingsError) -> OpaquePointer {
        try finished(SSL_CTX_new(TLS_client_method())) { (context) throws(TLSSettingsError) in
            try apply(settings.parameters, to: context)
            if let certificate { try show(certificate, by: context) }
            if !alpn.isEmpty { SSL_CTX_set_alpn_protos(context, alpn, UInt32(alpn.count)) }
            sluice_ctx_session_cache(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
            switch settings.trust {
            case .anything: SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
            case .system:
                SSL_CTX_set1_cert_store(context, SystemTrust.store)
                SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            case .authorities(let text):
                try trust(text, in: context, what: "the certificate authorities", tellingPeers: false)
                SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            }
        }
    }

    /// A context with what all have; freed again when `adding` to it fails.
    private static func finished(
        _ made: OpaquePointer?, adding: (OpaquePointer) throws(TLSSettingsError) -> Void
    ) throws(TLSSettingsError) -> OpaquePointer {
        guard let context = made else {
            throw TLSSettingsError("OpenSSL makes no context: \(OpenSSLQueue.reason(OpenSSLQueue.takeFirst()))")
        }
        sluice_ctx_base_options(context)
        // No chain is built from what is trusted: the user's chain is sent as it is.
        SSL_CTX_ctrl(
            context, SSL_CTRL_MODE, Int(SSL_MODE_NO_AUTO_CHAIN) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
        SSL_CTX_set_verify_depth(context, CInt(TLSLimits.chainDepth))
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_CERT_LIST, TLSLimits.peerCertificates, nil)
        do {
            try adding(context)
        } catch {
            SSL_CTX_free(context)
            OpenSSLQueue.clear()
            throw error
        }
        OpenSSLQueue.clear()
        return context
    }

    private static func apply(_ settings: ProtocolSettings, to context: OpaquePointer) throws(TLSSettingsError) {
        let minimum = settings.minimumVersion ?? min(.tls12, settings.maximumVersion ?? .tls12)
        if let maximum = settings.maximumVersion, maximum < minimum {
            throw TLSSettingsError("the greatest version, \(maximum.text), is below the least, \(minimum.text)")
        }
        guard sluice_ctx_min_version(context, CInt(minimum.rawValue)) == 1,
            sluice_ctx_max_version(context, CInt(settings.maximumVersion?.rawValue ?? 0)) == 1
        else { throw TLSSettingsError("this OpenSSL does not have the versions \(minimum.text) and greater") }
        let suites = try CipherSuites(settings.cipherSuites)
        // OpenSSL takes the digests of the versions before 1.2 for insecure, at every level but the lowest.
        var list = (suites.upTo12.isEmpty ? CipherSuites.default12 : suites.upTo12).joined(separator: ":")
        if minimum < .tls12 { list += ":@SECLEVEL=0" }
        guard SSL_CTX_set_cipher_list(context, list) == 1 else {
            throw TLSSettingsError(
                "none of the cipher suites \(suites.upTo12.joined(separator: ", ")) can be used; right would be, for"
                    + " example, '\(CipherSuites.default12[0])'")
        }
        let list13 = (suites.from13.isEmpty ? CipherSuites.default13 : suites.from13).joined(separator: ":")
        guard SSL_CTX_set_ciphersuites(context, list13) == 1 else {
            throw TLSSettingsError("the TLS 1.3 cipher suites \(list13) cannot be used")
        }
        let groups = settings.groups.isEmpty ? ["X25519", "P-256", "P-384", "P-521"] : settings.groups
        for group in groups where sluice_ctx_groups(context, group) != 1 {
            throw TLSSettingsError("no curve or group is named '\(group)'; right would be 'X25519' or 'P-256'")
        }
        _ = sluice_ctx_groups(context, groups.joined(separator: ":"))
        guard !settings.signatureAlgorithms.isEmpty else { return }
        for algorithm in settings.signatureAlgorithms where sluice_ctx_signatures(context, algorithm) != 1 {
            throw TLSSettingsError(
                "no signature algorithm is named '\(algorithm)'; right would be 'ecdsa_secp256r1_sha256' or"
                    + " 'rsa_pss_rsae_sha256'")
        }
        _ = sluice_ctx_signatures(context, settings.signatureAlgorithms.joined(separator: ":"))
    }

    private static func show(
        _ certificate: LoadedCertificate, by context: OpaquePointer
    ) throws(TLSSettingsError) {
        OpenSSLQueue.clear()
        guard sluice_ctx_certificate(context, certificate.leaf, certificate.key, certificate.chain) == 1 else {
            let name = certificate.names.first.map { String(decoding: $0, as: UTF8.self) } ?? "without a name"
            throw TLSSettingsError(
                "the certificate '\(name)' cannot be used: \(OpenSSLQueue.reason(OpenSSLQueue.takeFirst()))")
        }
    }

    private static func apply(_ validation: ClientValidation, to context: OpaquePointer) throws(TLSSettingsError) {
        if !validation.authorities.isEmpty {
            try trust(
                validation.authorities, in: context, what: "the certificate authorities for clients", tellingPeers: true
            )
        }
        let store = SSL_CTX_get_cert_store(context)
        if !validation.revocationLists.isEmpty {
            let lists: [OpaquePointer]
            do {
                lists = try PEMBlocks.revocationLists(validation.revocationLists)
            } catch {
                throw TLSSettingsError("the revocation lists: \(error.text)")
            }
            for list in lists {
                X509_STORE_add_crl(store, list)
                X509_CRL_free(list)
            }
            let everywhere = validation.checksOnlyLeafRevocation ? 0 : X509_V_FLAG_CRL_CHECK_ALL
            X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | everywhere))
        }
        let required =
            switch validation.mode {
            case .require, .requireUnverified: SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            case .optional, .unverified: CInt(0)
            }
        SSL_CTX_set_verify(
            context, SSL_VERIFY_PEER | required, validation.allowsExpired ? TLSCallbacks.forgiveExpiry : nil)
    }

    private static func trust(
        _ text: String, in context: OpaquePointer, what: String, tellingPeers: Bool
    ) throws(TLSSettingsError) {
        let certificates: [OpaquePointer]
        do {
            certificates = try PEMBlocks.certificates(text)
        } catch {
            throw TLSSettingsError("\(what): \(error.text)")
        }
        let store = SSL_CTX_get_cert_store(context)
        // What the user lists is trusted, an intermediate authority or a leaf as much as a root.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        for certificate in certificates {
            X509_STORE_add_cert(store, certificate)
            // A large bundle would not fit the handshake; clients then choose by themselves.
            if tellingPeers, certificates.count <= Self.mostAuthoritiesTold {
                SSL_CTX_add_client_CA(context, certificate)
            }
            X509_free(certificate)
        }
    }

    /// Certificate authorities named to clients in a CertificateRequest.
    private static let mostAuthoritiesTold = 64
}

/// What the host trusts, read at the first use and shared: a store of some 150 certificates weighs about a MiB.
private enum SystemTrust {
    nonisolated(unsafe) static let store: OpaquePointer = {
        guard let store = X509_STORE_new() else { fatalError("out of memory") }
        X509_STORE_set_default_paths(store)
        OpenSSLQueue.clear()
        return store
    }()
}

extension ServerTLSSettings {
    /// Everything that must be equal for a session to go on, apart from the name asked for.
    var scope: [UInt8] {
        var text = ticketScope
        if let validation = clientValidation {
            text += "\u{0}\(validation.mode)\u{0}\(validation.authorities)\u{0}\(validation.revocationLists)\u{0}"
            text += "\(validation.checksOnlyLeafRevocation) \(validation.allowsExpired)\u{0}"
            text += validation.spkiHashes.joined(separator: " ") + "\u{0}"
            text += validation.certificateHashes.joined(separator: " ") + "\u{0}"
            text += validation.subjectAltNames.map(\.identity).joined(separator: "\u{0}")
            if !validation.trustDomain.isEmpty { text += "\u{0}\u{0}" + validation.trustDomain }
        }
        return Array(text.utf8)
    }
}

extension ClientValidation {
    func check() throws(TLSSettingsError) -> PeerCheck {
        var check = PeerCheck()
        check.verifiesChain = !authorities.isEmpty
        check.acceptsAnything = mode == .unverified || mode == .requireUnverified
        check.subjectAltNames = subjectAltNames
        check.trustDomain = trustDomain
        for text in spkiHashes {
            guard let hash = Base64.decode(text), hash.count == 32 else {
                throw TLSSettingsError("'\(text)' is no SHA-256 of a key; right would be 32 octets in base64")
            }
            check.keyHashes.append(hash)
        }
        for text in certificateHashes {
            guard let hash = Self.hexadecimal(text), hash.count == 32 else {
                throw TLSSettingsError(
                    "'\(text)' is no SHA-256 of a certificate; right would be 64 hexadecimal digits")
            }
            check.certificateHashes.append(hash)
        }
        check.hasNoRule = !check.verifiesChain && check.keyHashes.isEmpty && check.certificateHashes.isEmpty
        if check.hasNoRule, !check.acceptsAnything {
            throw TLSSettingsError(
                "clients' certificates are to be verified, but nothing says by what; right would be a CA certificate or"
                    + " hashes")
        }
        return check
    }

    private static func hexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.utf8.filter { $0 != ASCII.colon }
        guard digits.count % 2 == 0 else { return nil }
        var result: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard let high = ASCII.hexValue(digits[at]), let low = ASCII.hexValue(digits[at + 1]) else { return nil }
            result.append(high << 4 | low)
        }
        return result
    }
}

extension ClientTLSSettings {
    func check() -> PeerCheck {
        var check = PeerCheck()
        switch trust {
        case .anything: check.acceptsAnything = true
        case .authorities, .system:
            check.verifiesChain = true
            check.subjectAltNames = subjectAltNames
            check.trustDomain = trustDomain
            check.hostname = hostname
            check.hostnameIsAddress = IPAddress(hostname) != nil
            check.acceptsWildcards = true
        }
        return check
    }
}

/// The base64 of RFC 4648, section 4, with padding and nothing else in it.
private enum Base64 {
    static func decode(_ text: String) -> [UInt8]? {
        let octets = Array(text.utf8)
        guard !octets.isEmpty, octets.count % 4 == 0 else { return nil }
        var result = [UInt8](repeating: 0, count: octets.count / 4 * 3)
        let count = EVP_DecodeBlock(&result, octets, CInt(clamping: octets.count))
        guard count == result.count else { return nil }
        // EVP_DecodeBlock counts the padding as zeros.
        return Array(result.dropLast(octets.suffix(2).count { $0 == ASCII.equals }))
    }
}
