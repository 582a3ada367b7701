import COpenSSL
import Core
import Glibc

/// Certificate authorities or revocation lists of a manifest: what can be said about them before any handshake.
package struct CertificateBundle: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        /// As RFC 2253 writes names.
        package var subject: String
        /// Seconds since 1970.
        package var notAfter: Int64
        /// Whether it may sign others (basicConstraints); a leaf may be trusted all the same, for itself.
        package var isAuthority: Bool
    }
    package var entries: [Entry]

    /// - Parameter text: PEM, one or more certificates (`ca.crt` of a ConfigMap or Secret).
    package init(authorities text: ByteView) throws(CertificateError) {
        let certificates = try PEMBlocks.certificates(text)
        entries = certificates.map { certificate in
            Entry(
                subject: SubjectNames.text(X509_get_subject_name(certificate)),
                notAfter: CertificateTime.seconds(X509_get0_notAfter(certificate)) ?? 0,
                isAuthority: X509_check_ca(certificate) > 0)
        }
        for certificate in certificates { X509_free(certificate) }
    }

    /// - Parameter text: PEM, one or more lists (`ca.crl`). An entry's `notAfter` is the list's nextUpdate, its subject
    ///   the issuer.
    package init(revocationLists text: ByteView) throws(CertificateError) {
        let lists = try PEMBlocks.revocationLists(text)
        entries = lists.map { list in
            Entry(
                subject: SubjectNames.text(X509_CRL_get_issuer(list)),
                notAfter: CertificateTime.seconds(X509_CRL_get0_nextUpdate(list)) ?? .max, isAuthority: true)
        }
        for list in lists { X509_CRL_free(list) }
    }
}

enum CertificateTime {
    /// Seconds since 1970.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts))
    }
}

/// SHA-256 over what certificates are pinned by.
enum CertificateHash {
    /// Of the whole certificate, DER.
    static func ofCertificate(_ certificate: OpaquePointer) -> [UInt8] {
        digest { X509_digest(certificate, EVP_sha256(), $0, $1) }
    }

    /// Of its SubjectPublicKeyInfo, DER (RFC 7469, section 2.4).
    static func ofKey(_ certificate: OpaquePointer) -> [UInt8] {
        var der: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der)
        guard count > 0, let der else { return [] }
        defer { sluice_free(der) }
        return of(ByteView(der, count: Int(count)))
    }

    static func of(_ octets: ByteView) -> [UInt8] {
        digest { EVP_Digest(octets.base, octets.count, $0, $1, EVP_sha256(), nil) }
    }

    static func hexadecimal(_ octets: [UInt8]) -> String {
        var digits: [UInt8] = []
        for octet in octets { digits += [ASCII.hexDigit(octet >> 4), ASCII.hexDigit(octet & 15)] }
        return String(decoding: digits, as: UTF8.self)
    }

    private static func digest(_ compute: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt32>) -> CInt)
        -> [UInt8]
    {
        [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { room, count in
            var length: UInt32 = 0
            count = compute(room.baseAddress!, &length) == 1 ? Int(length) : 0
        }
    }
}
