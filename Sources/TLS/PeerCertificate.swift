import COpenSSL
import Core

/// What a peer's certificate says, in the terms of Envoy's `X-Forwarded-Client-Cert`.
public struct PeerCertificate: Equatable, Sendable {
    /// SHA-256 of its DER, lower-case hexadecimal (`Hash`).
    public var hash: String
    /// As RFC 2253 writes names (`Subject`).
    public var subject: String
    /// Subject alternative names (`URI`, `DNS`).
    public var uris: [String]
    public var dnsNames: [String]
    /// Its PEM, percent-encoded (`Cert`).
    public var encodedPEM: String
    /// The PEM of what the peer sent, the leaf first, percent-encoded (`Chain`). A resumed session has the leaf only.
    public var encodedChain: String
    /// Seconds since 1970.
    public var notAfter: Int64
    /// The workload that it is for, by the rules of X.509-SVIDs; nil: it is no workload's.
    public var identity: SPIFFEID?
    /// Why it is not to be believed; nil when it was verified.
    public var problem: String?

    /// - Parameter ssl: of a server, where the chain that OpenSSL keeps lacks the leaf, or of a client, where it does not.
    init?(of ssl: OpaquePointer, isServer: Bool, problem: String?) {
        guard let leaf = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(leaf) }
        hash = CertificateHash.hexadecimal(CertificateHash.ofCertificate(leaf))
        subject = SubjectNames.text(X509_get_subject_name(leaf))
        uris = SubjectNames.all(.uri, of: leaf)
        dnsNames = SubjectNames.all(.dns, of: leaf)
        notAfter = CertificateTime.seconds(X509_get0_notAfter(leaf)) ?? 0
        identity = WorkloadCertificate.identity(of: leaf)
        self.problem = problem
        encodedPEM = Self.encoded(Self.pem(leaf))
        encodedChain = encodedPEM
        let chain = SSL_get_peer_cert_chain(ssl)
        for index in (isServer ? 0 : 1)..<max(isServer ? 0 : 1, sluice_chain_count(chain)) {
            guard let certificate = sluice_chain_at(chain, index) else { continue }
            encodedChain += Self.encoded(Self.pem(certificate))
        }
    }

    private static func pem(_ certificate: OpaquePointer) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(memory) }
        PEM_write_bio_X509(memory, certificate)
        return SubjectNames.text(of: memory)
    }

    /// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
    private static func encoded(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count * 5 / 4)
        for octet in text.utf8 {
            if ASCII.isAlpha(octet) || ASCII.isDigit(octet) || octet == 0x2D || octet == ASCII.dot || octet == 0x5F
                || octet == 0x7E
            {
                result.append(octet)
            } else {
                result += [
                    ASCII.percent, ASCII.upper(ASCII.hexDigit(octet >> 4)), ASCII.upper(ASCII.hexDigit(octet & 15)),
                ]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
