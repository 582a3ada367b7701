import COpenSSL

/// The cipher suites of manifests in OpenSSL's terms.
struct CipherSuites {
    /// For TLS 1.2 and before; empty: none was named, the default stands.
    var upTo12: [String] = []
    /// For TLS 1.3; empty as above.
    var from13: [String] = []

    /// AEAD with ephemeral keys. Which of them is the client's choice, which knows whether it computes AES in hardware.
    static let default12 = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ]
    static let default13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]

    /// - Parameter names: see ``ProtocolSettings/cipherSuites``.
    init(_ names: [String]) throws(TLSSettingsError) {
        for entry in names {
            var entry = Substring(entry)
            // Envoy's groups of equal preference. Preference is the client's here, so a group is a list.
            if entry.hasPrefix("["), entry.hasSuffix("]") { entry = entry.dropFirst().dropLast() }
            for name in entry.split(separator: "|", omittingEmptySubsequences: false) { try add(String(name)) }
        }
    }

    private mutating func add(_ name: String) throws(TLSSettingsError) {
        if Self.known13.contains(name) {
            from13.append(name)
            return
        }
        var own = name
        // IANA's name, as in the RFCs.
        if name.hasPrefix("TLS_"), let translated = OPENSSL_cipher_name(name) { own = String(cString: translated) }
        guard Self.known12.contains(own) else {
            throw TLSSettingsError(
                "no cipher suite is named '\(name)'; right would be, for example, '\(Self.default12[0])'")
        }
        upTo12.append(own)
    }

    private static let known13: Set<String> = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ]

    /// Everything that OpenSSL can do with a certificate. OpenSSL itself skips unknown names without a word.
    private static let known12: Set<String> = {
        guard let context = SSL_CTX_new(TLS_method()) else { return [] }
        defer { SSL_CTX_free(context) }
        _ = SSL_CTX_set_cipher_list(context, "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0")
        defer { OpenSSLQueue.clear() }
        guard let list = SSL_CTX_get_ciphers(context) else { return [] }
        var result: Set<String> = []
        for index in 0..<max(0, OPENSSL_sk_num(list)) {
            guard let cipher = OPENSSL_sk_value(list, index), let name = SSL_CIPHER_get_name(OpaquePointer(cipher))
            else {
                continue
            }
            result.insert(String(cString: name))
        }
        return result
    }()
}
