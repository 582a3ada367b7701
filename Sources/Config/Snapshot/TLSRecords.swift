import Core

// What workers build their TLS contexts from. `identity` is a digest of everything in the record: a worker keeps a context
// while a record of the same identity exists, so that a reload that changes nothing disturbs nothing.

public struct CertificateConfig: BitwiseCopyable, Sendable {
    public var name: TextRef
    public var chain: TextRef
    public var key: TextRef
    public var ocspResponse: TextRef
    public var notAfter: Int64
}

public struct TLSParametersConfig: BitwiseCopyable, Sendable {
    public var minimumVersion: TLSVersion
    public var maximumVersion: TLSVersion
    public var ciphers: Table<TextRef>
    public var groups: Table<TextRef>
    public var signatureAlgorithms: Table<TextRef>
    public var alpn: Table<TextRef>
}

public struct ServerTLSConfig: BitwiseCopyable, Sendable {
    public var identity: UInt64
    public var certificates: Table<CertificateConfig>
    public var parameters: TLSParametersConfig
    /// None or one.
    public var clientValidation: Table<ClientValidationConfig>
}

public struct ClientValidationConfig: BitwiseCopyable, Sendable {
    public var mode: ClientValidationPlan.Mode
    public var authorities: TextRef
    public var revocationLists: TextRef
    public var checksOnlyLeafRevocation: Bool
    public var allowsExpired: Bool
    public var spkiHashes: Table<TextRef>
    public var certificateHashes: Table<TextRef>
    public var subjectAltNames: Table<SubjectAltNameMatchConfig>
    public var trustDomain: TextRef
}

public struct SubjectAltNameMatchConfig: BitwiseCopyable, Sendable {
    public var nameType: SubjectAltNameMatchPlan.NameType
    public var matchType: SubjectAltNameMatchPlan.MatchType
    public var value: TextRef
    public var oid: TextRef
    /// For regular expressions: index into `SnapshotHeader.patterns`.
    public var pattern: UInt32
}

public struct UpstreamTLSConfig: BitwiseCopyable, Sendable {
    public enum Trust: UInt8, BitwiseCopyable, Sendable { case bundle, system, none }
    public var identity: UInt64
    public var trust: Trust
    public var authorities: TextRef
    public var serverName: TextRef
    public var hostname: TextRef
    /// The certificate must be for the name that is sent, which each endpoint has for itself.
    public var verifiesServerName: Bool
    public var subjectAltNames: Table<SubjectAltNameMatchConfig>
    public var trustDomain: TextRef
    /// None or one.
    public var clientCertificate: Table<CertificateConfig>
    public var parameters: TLSParametersConfig
}

/// A ``TunnelPlan`` as workers read it.
public struct TunnelConfig: BitwiseCopyable, Sendable {
    /// Exactly one.
    public var tls: Table<UpstreamTLSConfig>
    /// 0: the endpoint's own.
    public var port: UInt16
    /// Empty: the endpoint's address.
    public var authority: TextRef
    public var baggage: TextRef
    /// ``TunnelPlan/isPerCall``.
    public var isPerCall: Bool
}
