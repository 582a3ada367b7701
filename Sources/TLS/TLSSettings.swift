import Core

/// What is wrong with settings of TLS, and what would be right; one line, without the place they were written at.
public struct TLSSettingsError: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// A certificate to show, with its key.
public struct KeyPairSettings: Equatable, Sendable {
    /// What errors call it, as `namespace/name` of its Secret.
    public var name: String
    /// PEM, the leaf first.
    public var chain: String
    /// PEM, no passphrase.
    public var key: String
    /// A DER OCSP response to staple (RFC 6066, section 8); empty: none.
    public var ocspResponse: [UInt8]

    public init(name: String = "", chain: String, key: String, ocspResponse: [UInt8] = []) {
        self.name = name
        self.chain = chain
        self.key = key
        self.ocspResponse = ocspResponse
    }
}

/// What both sides may restrict (ClientTrafficPolicy.tls, Backend.tls).
public struct ProtocolSettings: Equatable, Sendable {
    /// Nil: 1.2.
    public var minimumVersion: ProtocolVersion?
    /// Nil: the newest.
    public var maximumVersion: ProtocolVersion?
    /// By OpenSSL's or IANA's names; several of equal preference may stand in brackets with `|` between them, as Envoy
    /// writes them. TLS 1.3 suites among them restrict TLS 1.3, the others what came before it. Empty: AEAD suites with
    /// ephemeral keys.
    public var cipherSuites: [String] = []
    /// `X25519`, `P-256`…; empty: the usual ones, in that order.
    public var groups: [String] = []
    /// `ecdsa_secp256r1_sha256`, `rsa_pss_rsae_sha256`…; empty: OpenSSL's choice.
    public var signatureAlgorithms: [String] = []
    /// Application protocols in order of preference; empty: ALPN is neither offered nor answered.
    public var alpn: [String] = []

    public init() {}
}

/// How a listener that terminates TLS greets.
public struct ServerTLSSettings {
    /// At least one. For each key type the one whose name fits best is shown; the first, where none fits.
    public var certificates: [KeyPairSettings]
    public var parameters = ProtocolSettings()
    /// Nil: clients are not asked for certificates.
    public var clientValidation: ClientValidation?
    /// Whatever must be equal for a session to be resumed, such as the listener's identity. What clients must prove
    /// (``clientValidation``) and the name they asked for are added to it.
    public var ticketScope = ""
    /// The keys of the moment, asked for at each ticket. Nil: there are no tickets, and no resumption.
    public var ticketKeys: (() -> TicketKeys)?
    /// Seconds since 1970, asked when an OCSP response is about to be stapled: a stale one is left out. Nil: none is
    /// ever stale.
    public var now: (() -> Int64)?

    public init(certificates: [KeyPairSettings]) { self.certificates = certificates }
}

/// Certificates of clients (Gateway `tls.frontend`, ClientTrafficPolicy `tls.clientValidation`).
public struct ClientValidation {
    public enum Mode: UInt8, Sendable {
        /// No connection without a valid one (`AllowValidOnly`; `RequireAndVerify`).
        case require
        /// May be missing; one that is shown must be valid (`VerifyIfGiven`).
        case optional
        /// Asked for; the connection goes on without, or with an invalid one, and the outcome is remembered
        /// (`AllowInsecureFallback`; `Request`).
        case unverified
        /// Must be there, need not be valid; the outcome is remembered (`RequireAny`).
        case requireUnverified
    }
    public var mode: Mode
    /// PEM, several certificates; whatever is in it is trusted, intermediate authorities too. Empty: only hashes decide.
    public var authorities: String
    /// PEM, several lists; empty: revocation is not looked at. Otherwise each authority in a chain must have its list.
    public var revocationLists = ""
    /// Only the leaf's revocation is looked up (`crl.onlyVerifyLeafCertificate`).
    public var checksOnlyLeafRevocation = false
    /// A leaf may be past its end (`allowExpiredCertificate`).
    public var allowsExpired = false
    /// Base64 of SHA-256 over the leaf's SubjectPublicKeyInfo. The leaf must fit one of these or of ``certificateHashes``.
    public var spkiHashes: [String] = []
    /// Hexadecimal SHA-256 of the leaf, with or without colons.
    public var certificateHashes: [String] = []
    /// One of these must fit one of the leaf's names; empty: not looked at.
    public var subjectAltNames: [SubjectNameMatcher] = []
    /// The leaf must be a workload's (X.509-SVID) of this trust domain; empty: not looked at.
    public var trustDomain = ""

    public init(mode: Mode, authorities: String) {
        self.mode = mode
        self.authorities = authorities
    }
}

/// A rule for a subject alternative name.
public struct SubjectNameMatcher {
    public enum Kind: UInt8, Sendable { case dns, email, uri, ipAddress, otherName }
    public enum Pattern {
        case exact(String)
        case prefix(String)
        case suffix(String)
        /// Anything else, such as a regular expression, whose text tells two of them apart.
        case custom(text: String, matches: (ByteView) -> Bool)
    }
    public var kind: Kind
    public var pattern: Pattern
    /// Of `otherName`, in dotted decimal; else empty.
    public var oid: String

    public init(_ kind: Kind, _ pattern: Pattern, oid: String = "") {
        self.kind = kind
        self.pattern = pattern
        self.oid = oid
    }

    /// DNS names are compared without case (RFC 4343), the rest as they are.
    func matches(_ value: ByteView) -> Bool {
        switch pattern {
        case .exact(let text):
            return text.withView { kind == .dns ? $0.equalsIgnoringCase(value) : $0.equals(value) }
        case .prefix(let text):
            return text.withView { text in
                guard value.count >= text.count else { return false }
                let part = value.upTo(text.count)
                return kind == .dns ? text.equalsIgnoringCase(part) : text.equals(part)
            }
        case .suffix(let text):
            return text.withView { text in
                guard value.count >= text.count else { return false }
                let part = value.from(value.count - text.count)
                return kind == .dns ? text.equalsIgnoringCase(part) : text.equals(part)
            }
        case .custom(_, let matches): return matches(value)
        }
    }

    /// Tells different rules apart, for the scope of tickets.
    var identity: String {
        switch pattern {
        case .exact(let text): "\(kind) \(oid) exact \(text)"
        case .prefix(let text): "\(kind) \(oid) prefix \(text)"
        case .suffix(let text): "\(kind) \(oid) suffix \(text)"
        case .custom(let text, _): "\(kind) \(oid) custom \(text)"
        }
    }
}

/// How connections to endpoints are secured (BackendTLSPolicy, Backend.tls).
public struct ClientTLSSettings {
    public enum Trust: Equatable, Sendable {
        /// PEM, several certificates; whatever is in it is trusted.
        case authorities(String)
        /// What OpenSSL finds on the host; read once for the process.
        case system
        /// Nothing is verified (`insecureSkipVerify`).
        case anything
    }
    public var trust: Trust
    /// The name or IP address that the certificate must be for (RFC 6125, section 6); empty: any.
    public var hostname: String
    /// Instead of ``hostname``: the certificate must have one of these names. A DNS name here is covered by a
    /// certificate's wildcard; it may be a wildcard itself, and then only that very name fits.
    public var subjectAltNames: [SubjectNameMatcher] = []
    /// The certificate must be a workload's (X.509-SVID) of this trust domain; empty: not looked at.
    public var trustDomain = ""
    /// What we show when asked.
    public var certificate: KeyPairSettings?
    public var parameters = ProtocolSettings()

    public init(trust: Trust, hostname: String) {
        self.trust = trust
        self.hostname = hostname
    }
}
