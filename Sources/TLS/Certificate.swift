import COpenSSL
import Core

/// Why a certificate and its key cannot be shown to clients.
package enum CertificateError: Error, Equatable, Sendable {
    case noCertificate
    /// The block with this number, from 0, is no certificate.
    case malformedCertificate(Int)
    case noKey
    /// The key is no PEM private key, or is protected by a passphrase.
    case malformedKey
    case keyDoesNotMatch
    case noRevocationList
    /// The block with this number, from 0, is no revocation list.
    case malformedRevocationList(Int)

    package var text: String {
        switch self {
        case .noCertificate: "there is no PEM certificate in it"
        case .malformedCertificate(let number): "certificate number \(number + 1) cannot be read"
        case .noKey: "there is no PEM private key in it"
        case .malformedKey: "the private key cannot be read (one with a passphrase is not supported)"
        case .keyDoesNotMatch: "the private key is not the certificate's"
        case .noRevocationList: "there is no PEM certificate revocation list in it"
        case .malformedRevocationList(let number): "revocation list number \(number + 1) cannot be read"
        }
    }
}

/// A certificate with its chain, and whether the key is its own: what can be said before any handshake.
package struct Certificate: Equatable, Sendable {
    /// The DNS names of subjectAltName, lower case; the subject's common name when there are none (RFC 6125, 6.4.4).
    package var names: [String]
    /// The DNS names of subjectAltName alone, lower case: clients of today look at nothing else (RFC 9110, 4.3.4).
    package var alternativeNames: [String]
    /// The workload that it is for; nil: none.
    package var identity: SPIFFEID?
    /// It may sign others (basicConstraints).
    package var isAuthority: Bool
    /// The trust domain whose authority it is, by its one SPIFFE id; nil: it says nothing of one.
    package var authorityDomain: String?
    /// As RFC 2253 writes names.
    package var issuer: String
    /// Seconds since 1970.
    package var notBefore: Int64
    package var notAfter: Int64
    /// Certificates in the chain, the leaf included.
    package var chainLength: Int
    /// As RFC 2253 writes names.
    package var subject: String
    package var keyType: KeyType
    /// SHA-256 of the DER, and of the SubjectPublicKeyInfo: what pins compare.
    package var hash: [UInt8]
    package var keyHash: [UInt8]

    /// What signs in handshakes; a listener may have one certificate of each type, and the client chooses.
    package enum KeyType: Equatable, Sendable {
        case rsa(bits: Int)
        case ecdsa(bits: Int)
        case other

        init(_ certificate: OpaquePointer) {
            guard let key = X509_get0_pubkey(certificate) else {
                self = .other
                return
            }
            let bits = Int(EVP_PKEY_get_bits(key))
            switch EVP_PKEY_get_base_id(key) {
            case EVP_PKEY_RSA: self = .rsa(bits: bits)
            case EVP_PKEY_EC: self = .ecdsa(bits: bits)
            default: self = .other
            }
        }
    }

    /// - Parameters:
    ///   - chain: PEM, the leaf first.
    ///   - key: PEM; nil when only the certificate matters, as for a CA.
    package init(chain: ByteView, key: ByteView?) throws(CertificateError) {
        let certificates = try PEMBlocks.certificates(chain)
        defer { for certificate in certificates { X509_free(certificate) } }
        let leaf = certificates[0]
        chainLength = certificates.count
        names = SubjectNames.hostnames(of: leaf)
        alternativeNames = SubjectNames.all(.dns, of: leaf).map { $0.lowercased() }
        notBefore = CertificateTime.seconds(X509_get0_notBefore(leaf)) ?? 0
        notAfter = CertificateTime.seconds(X509_get0_notAfter(leaf)) ?? 0
        subject = SubjectNames.text(X509_get_subject_name(leaf))
        identity = WorkloadCertificate.identity(of: leaf)
        isAuthority = X509_check_ca(leaf) > 0
        let ids = SubjectNames.all(.uri, of: leaf).map { SPIFFEID($0) }
        if isAuthority, ids.count == 1, let id = ids[0], id.path.isEmpty { authorityDomain = id.trustDomain }
        issuer = SubjectNames.text(X509_get_issuer_name(leaf))
        keyType = KeyType(leaf)
        hash = CertificateHash.ofCertificate(leaf)
        keyHash = CertificateHash.ofKey(leaf)
        if let key {
            let privateKey = try PEMBlocks.key(key)
            defer { EVP_PKEY_free(privateKey) }
            OpenSSLQueue.clear()
            defer { OpenSSLQueue.clear() }
            guard X509_check_private_key(leaf, privateKey) == 1 else { throw .keyDoesNotMatch }
        }
    }

    package func isExpired(atSecond now: Int64) -> Bool { now > notAfter }
}
