import Config
import Core
import Routing
import TLS

/// From the records of a snapshot to the settings that the TLS room understands.
extension Snapshot {
    /// The context for connections to a cluster that is secured so; everything it needs is copied out of the snapshot.
    func clientContext(
        _ config: UpstreamTLSConfig, _ patterns: PatternCache
    ) throws(TLSSettingsError) -> TLSContext {
        let trust: ClientTLSSettings.Trust =
            switch config.trust {
            case .bundle: .authorities(text(config.authorities).string)
            case .system: .system
            case .none: .anything
            }
        var settings = ClientTLSSettings(trust: trust, hostname: text(config.hostname).string)
        settings.subjectAltNames = matchers(config.subjectAltNames, patterns)
        settings.trustDomain = text(config.trustDomain).string
        if !config.clientCertificate.isEmpty {
            settings.certificate = keyPair(self[config.clientCertificate, 0].pointee)
        }
        settings.parameters = parameters(config.parameters)
        return try TLSContext(client: settings)
    }

    func keyPair(_ config: CertificateConfig) -> KeyPairSettings {
        KeyPairSettings(
            name: text(config.name).string, chain: text(config.chain).string,
            key: text(config.key).string, ocspResponse: text(config.ocspResponse).array)
    }

    func parameters(_ config: TLSParametersConfig) -> ProtocolSettings {
        var settings = ProtocolSettings()
        settings.minimumVersion = ProtocolVersion(rawValue: config.minimumVersion.rawValue)
        settings.maximumVersion = ProtocolVersion(rawValue: config.maximumVersion.rawValue)
        settings.cipherSuites = texts(config.ciphers)
        settings.groups = texts(config.groups)
        settings.signatureAlgorithms = texts(config.signatureAlgorithms)
        settings.alpn = texts(config.alpn)
        return settings
    }

    func validation(_ config: ClientValidationConfig, _ patterns: PatternCache) -> ClientValidation {
        let mode: ClientValidation.Mode =
            switch config.mode {
            case .require: .require
            case .optional: .optional
            case .unverified: .unverified
            case .requireUnverified: .requireUnverified
            }
        var validation = ClientValidation(mode: mode, authorities: text(config.authorities).string)
        validation.revocationLists = text(config.revocationLists).string
        validation.checksOnlyLeafRevocation = config.checksOnlyLeafRevocation
        validation.allowsExpired = config.allowsExpired
        validation.spkiHashes = texts(config.spkiHashes)
        validation.certificateHashes = texts(config.certificateHashes)
        validation.subjectAltNames = matchers(config.subjectAltNames, patterns)
        validation.trustDomain = text(config.trustDomain).string
        return validation
    }

    private func matchers(
        _ table: Table<SubjectAltNameMatchConfig>, _ patterns: PatternCache
    ) -> [SubjectNameMatcher] {
        (0..<Int(table.count)).map { index in
            let config = self[table, index].pointee
            let value = text(config.value).string
            let kind: SubjectNameMatcher.Kind =
                switch config.nameType {
                case .dns: .dns
                case .email: .email
                case .ipAddress: .ipAddress
                case .uri: .uri
                case .otherName: .otherName
                }
            let pattern: SubjectNameMatcher.Pattern =
                switch config.matchType {
                case .exact: .exact(value)
                case .prefix: .prefix(value)
                case .suffix: .suffix(value)
                case .regularExpression: Self.expression(value, patterns)
                }
            return SubjectNameMatcher(kind, pattern, oid: text(config.oid).string)
        }
    }

    private static func expression(_ text: String, _ patterns: PatternCache) -> SubjectNameMatcher.Pattern {
        let compiled = text.withView { patterns.pattern($0) }
        return .custom(text: text) { compiled.matches($0) }
    }

    private func texts(_ table: Table<TextRef>) -> [String] {
        (0..<Int(table.count)).map { text(self[table, $0].pointee).string }
    }
}
