/// What listeners and clusters need to know of TLS, as plain values: everything has been read and checked, so that a
/// worker can build its context from it without asking anybody.

/// One certificate with its chain and key.
public struct CertificatePlan: Equatable, Sendable {
    /// `namespace/name` of the Secret, for logs and metrics.
    public var name: String
    /// PEM, the leaf first.
    public var chain: String
    /// PEM.
    public var key: String
    /// A DER OCSP response to staple; empty: none.
    public var ocspResponse: [UInt8] = []
    /// Seconds since 1970.
    public var notAfter: Int64

    public init(name: String, chain: String, key: String, notAfter: Int64 = 0) {
        self.name = name
        self.chain = chain
        self.key = key
        self.notAfter = notAfter
    }
}

/// TLS versions by their number on the wire; `automatic` leaves the bound to the library.
public enum TLSVersion: UInt16, BitwiseCopyable, Sendable {
    case automatic = 0
    case tls10 = 0x0301
    case tls11 = 0x0302
    case tls12 = 0x0303
    case tls13 = 0x0304
}

/// What both sides may restrict. Names are OpenSSL's, translated from the manifest's; empty lists: the defaults.
public struct TLSParameters: Equatable, Sendable {
    public var minimumVersion = TLSVersion.tls12
    public var maximumVersion = TLSVersion.automatic
    public var ciphers: [String] = []
    /// Curves and groups (`ecdhCurves`).
    public var groups: [String] = []
    public var signatureAlgorithms: [String] = []
    /// In order of preference.
    public var alpn: [String] = []

    public init() {}
}

/// How a listener that terminates TLS greets (Gateway `listeners[].tls`, ClientTrafficPolicy.tls).
public struct ServerTLSPlan: Equatable, Sendable {
    /// Never empty. The first serves where no name fits better.
    public var certificates: [CertificatePlan]
    public var parameters = TLSParameters()
    public var clientValidation: ClientValidationPlan?

    public init(certificates: [CertificatePlan]) {
        self.certificates = certificates
        parameters.alpn = ["h2", "http/1.1"]
    }
}

/// Client certificates (Gateway `tls.frontend`, ClientTrafficPolicy `tls.clientValidation`).
public struct ClientValidationPlan: Equatable, Sendable {
    public enum Mode: UInt8, BitwiseCopyable, Sendable {
        /// No connection without a valid one (`AllowValidOnly`, `Require`).
        case require
        /// May be missing; one that is shown must be valid (`optional: true`).
        case optional
        /// Asked for, missing and invalid ones are let through (`AllowInsecureFallback`, `Request`).
        case unverified
        /// Must be there, need not be valid (`RequireAny`).
        case requireUnverified
    }
    public var mode: Mode
    /// PEM, several certificates. Empty: only the hashes decide.
    public var authorities: String
    /// PEM, several lists; empty: none are checked.
    public var revocationLists = ""
    /// Only the leaf's revocation is looked up.
    public var checksOnlyLeafRevocation = false
    /// One that has expired counts as valid if all else is well (`allowExpiredCertificate`).
    public var allowsExpired = false
    /// Base64 of SHA-256 over SubjectPublicKeyInfo; any may fit.
    public var spkiHashes: [String] = []
    /// Hexadecimal SHA-256 of the certificate; any may fit.
    public var certificateHashes: [String] = []
    /// Any may fit; empty: not looked at.
    public var subjectAltNames: [SubjectAltNameMatchPlan] = []
    /// It must be a workload's of this trust domain (SPIFFE); empty: not looked at.
    public var trustDomain = ""

    public init(mode: Mode, authorities: String) {
        self.mode = mode
        self.authorities = authorities
    }
}

public struct SubjectAltNameMatchPlan: Equatable, Sendable {
    public enum NameType: UInt8, BitwiseCopyable, Sendable { case dns, email, ipAddress, uri, otherName }
    public enum MatchType: UInt8, BitwiseCopyable, Sendable { case exact, prefix, suffix, regularExpression }
    public var nameType: NameType
    public var matchType: MatchType
    public var value: String
    /// Of `otherName`; else empty.
    public var oid = ""

    public init(nameType: NameType, matchType: MatchType, value: String) {
        self.nameType = nameType
        self.matchType = matchType
        self.value = value
    }
}

/// How a cluster's connections are secured (BackendTLSPolicy, Backend.tls). Verification is on unless written otherwise.
public struct UpstreamTLSPlan: Equatable, Sendable {
    public enum Trust: Equatable, Sendable {
        /// PEM, several certificates.
        case bundle(String)
        /// What the host trusts (`wellKnownCACertificates: System`).
        case system
        /// `insecureSkipVerify`.
        case none
    }
    public var trust: Trust
    /// The Server Name Indication; empty: none is sent.
    public var serverName: String
    /// The name that the certificate must bear, when no `subjectAltNames` are given; empty: any.
    public var hostname: String
    /// The certificate must be for the name that is sent, which each endpoint, or each request's host, has for itself; then
    /// `serverName` and `hostname` are empty.
    public var verifiesServerName = false
    /// Instead of `hostname`: any of these (exact DNS names and URIs).
    public var subjectAltNames: [SubjectAltNameMatchPlan] = []
    /// The certificate must be a workload's of this trust domain (SPIFFE); empty: not looked at.
    public var trustDomain = ""
    public var clientCertificate: CertificatePlan?
    public var parameters = TLSParameters()

    public init(trust: Trust, serverName: String, hostname: String) {
        self.trust = trust
        self.serverName = serverName
        self.hostname = hostname
    }
}

/// The PROXY protocol on accepted connections (ClientTrafficPolicy `proxyProtocol`).
public enum ProxyProtocolAcceptance: UInt8, BitwiseCopyable, Sendable { case off, optional, required }

/// The PROXY protocol on connections that are opened (BackendTrafficPolicy `proxyProtocol.version`).
public enum ProxyProtocolVersion: UInt8, BitwiseCopyable, Sendable { case none, v1, v2 }

/// What becomes of `X-Forwarded-Client-Cert` (ClientTrafficPolicy `headers.xForwardedClientCert`). The default for a
/// listener: the client's field is dropped.
public struct ForwardedClientCertPlan: Equatable, BitwiseCopyable, Sendable {
    public enum Mode: UInt8, BitwiseCopyable, Sendable {
        case sanitize, forwardOnly, appendForward, sanitizeSet, alwaysForwardOnly
    }
    public struct Details: OptionSet, BitwiseCopyable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let subject = Details(rawValue: 1)
        public static let cert = Details(rawValue: 2)
        public static let chain = Details(rawValue: 4)
        public static let dns = Details(rawValue: 8)
        public static let uri = Details(rawValue: 16)
    }
    public var mode = Mode.sanitize
    public var details: Details = []

    public init() {}
}
