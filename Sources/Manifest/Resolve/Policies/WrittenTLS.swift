import Config

/// Versions, ciphers, groups, signatures and ALPN as Envoy Gateway writes them (TLSSettings: ClientTrafficPolicy `tls`,
/// Backend `tls`), in OpenSSL's names.
struct WrittenTLS {
    var parameters = TLSParameters()
    /// `alpnProtocols` is written, perhaps as an empty list, which turns ALPN off.
    var hasALPN = false
    /// What cannot be done as it is written.
    var problem: RuleResolution.Problem?
    /// Names that mean nothing here. They are left out, as Envoy Gateway leaves them to the proxy.
    var unknown: [(name: String, what: String, node: WrittenNode)] = []

    init(_ node: WrittenNode) {
        parameters.minimumVersion = Self.version(node[.minVersion].string) ?? .tls12
        parameters.maximumVersion = Self.version(node[.maxVersion].string) ?? .automatic
        if parameters.minimumVersion == .automatic {
            // `Auto` is below every maximum that is written.
            let isOlder =
                parameters.maximumVersion != .automatic
                && parameters.maximumVersion.rawValue < TLSVersion.tls12.rawValue
            parameters.minimumVersion = isOlder ? parameters.maximumVersion : .tls12
        }
        if parameters.maximumVersion != .automatic,
            parameters.minimumVersion.rawValue > parameters.maximumVersion.rawValue
        {
            problem = .init(
                reason: .invalid, message: "no version is left between minVersion and maxVersion", node: node)
        }
        for item in node[.ciphers].items {
            for name in Self.ciphers(item.string ?? "") {
                take(name, where: Self.knownCiphers.contains(name), "cipher suite", item, into: \.ciphers)
            }
        }
        for item in node[.ecdhCurves].items {
            let name = item.string ?? ""
            take(name, where: Self.knownGroups.contains(name), "curve", item, into: \.groups)
        }
        for item in node[.signatureAlgorithms].items {
            let name = (item.string ?? "").lowercased()
            take(
                name, where: Self.knownSignatures.contains(name), "signature algorithm", item,
                into: \.signatureAlgorithms)
        }
        hasALPN = node[.alpnProtocols].exists
        for item in node[.alpnProtocols].items {
            let name = item.string ?? ""
            take(name, where: Self.knownALPN.contains(name), "protocol that can be spoken", item, into: \.alpn)
        }
    }

    private mutating func take(
        _ name: String, where isKnown: Bool, _ what: String, _ node: WrittenNode,
        into list: WritableKeyPath<TLSParameters, [String]>
    ) {
        guard isKnown else { return unknown.append((name, what, node)) }
        if !parameters[keyPath: list].contains(name) { parameters[keyPath: list].append(name) }
    }

    /// Warns of the names that are left out.
    func tell(_ resource: LoadedResource, into findings: inout FindingLog) {
        for (name, what, node) in unknown {
            findings.warning(resource, node, "'\(name)' is no \(what) that is known here; it is left out")
        }
    }

    private static func version(_ text: String?) -> TLSVersion? {
        switch text {
        case "Auto": .automatic
        case "1.0": .tls10
        case "1.1": .tls11
        case "1.2": .tls12
        case "1.3": .tls13
        default: nil
        }
    }

    /// `[A|B]` names suites of equal preference, which OpenSSL does not have: they follow each other.
    private static func ciphers(_ text: String) -> [String] {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return [cipher(text)] }
        return text.dropFirst().dropLast().split(separator: "|").map { cipher(String($0)) }
    }

    /// OpenSSL's name for a suite that is written with IANA's.
    private static func cipher(_ name: String) -> String {
        switch name {
        case "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256"
        case "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256"
        case "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384"
        case "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384"
        case "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305"
        case "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305"
        default: name
        }
    }

    private static let knownCiphers: Set<String> = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
    ]
    private static let knownGroups: Set<String> = ["X25519", "P-256", "P-384", "P-521", "X448"]
    private static let knownSignatures: Set<String> = [
        "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512", "ed25519", "ed448",
        "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pss_pss_sha256",
        "rsa_pss_pss_sha384", "rsa_pss_pss_sha512", "rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512",
    ]
    private static let knownALPN: Set<String> = ["h2", "http/1.1", "http/1.0"]
}
