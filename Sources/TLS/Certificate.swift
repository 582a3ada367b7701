import COpenSSL
import Core
import Glibc

/// Why a certificate and its key cannot be shown to clients.
package enum CertificateError: Error, Equatable, Sendable {
    case noCertificate
    /// The block with this number, from 0, is no certificate.
    case malformedCertificate(Int)
    case noKey
    /// The key is no PEM private key, or is protected by a passphrase.
    case malformedKey
    case keyDoesNotMatch

    package var text: String {
        switch self {
        case .noCertificate: "there is no PEM certificate in it"
        case .malformedCertificate(let number): "certificate number \(number + 1) cannot be read"
        case .noKey: "there is no PEM private key in it"
        case .malformedKey: "the private key cannot be read (one with a passphrase is not supported)"
        case .keyDoesNotMatch: "the private key is not the certificate's"
        }
    }
}

/// A certificate with its chain, and whether the key is its own: what can be said before any handshake.
package struct Certificate: Equatable, Sendable {
    /// The DNS names of subjectAltName, lower case; the subject's common name when there are none (RFC 6125, 6.4.4).
    package var names: [String]
    /// Seconds since 1970.
    package var notBefore: Int64
    package var notAfter: Int64
    /// Certificates in the chain, the leaf included.
    package var chainLength: Int

    /// - Parameters:
    ///   - chain: PEM, the leaf first.
    ///   - key: PEM; nil when only the certificate matters, as for a CA.
    package init(chain: ByteView, key: ByteView?) throws(CertificateError) {
        // What earlier calls left in the thread's queue must not be taken for ours.
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let bio = BIO_new_mem_buf(chain.base, CInt(clamping: chain.count)), chain.count > 0 else {
            throw .noCertificate
        }
        defer { BIO_free(bio) }
        guard let leaf = PEM_read_bio_X509(bio, nil, nil, nil) else {
            throw Self.isAtEnd() ? .noCertificate : .malformedCertificate(0)
        }
        defer { X509_free(leaf) }
        chainLength = 1
        while let next = PEM_read_bio_X509(bio, nil, nil, nil) {
            X509_free(next)
            chainLength += 1
        }
        guard Self.isAtEnd() else { throw .malformedCertificate(chainLength) }
        names = Self.names(of: leaf)
        notBefore = Self.seconds(X509_get0_notBefore(leaf))
        notAfter = Self.seconds(X509_get0_notAfter(leaf))
        if let key { try Self.check(key, belongsTo: leaf) }
    }

    package func isExpired(atSecond now: Int64) -> Bool { now > notAfter }

    // MARK: OpenSSL

    /// Whether the last read failed because there was nothing left, which is no failure.
    private static func isAtEnd() -> Bool {
        let code = ERR_peek_last_error()
        defer { ERR_clear_error() }
        return code == 0 || (code >> 23 & 0xFF == UInt(ERR_LIB_PEM) && code & 0x7F_FFFF == UInt(PEM_R_NO_START_LINE))
    }

    private static func check(_ key: ByteView, belongsTo leaf: OpaquePointer) throws(CertificateError) {
        // OpenSSL's error does not tell a key that is missing from one that cannot be read.
        guard key.string.contains("PRIVATE KEY-----"),
            let bio = BIO_new_mem_buf(key.base, CInt(clamping: key.count))
        else { throw .noKey }
        defer { BIO_free(bio) }
        // Without this callback OpenSSL would ask the terminal for a passphrase.
        guard let privateKey = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) else {
            throw .malformedKey
        }
        defer { EVP_PKEY_free(privateKey) }
        guard X509_check_private_key(leaf, privateKey) == 1 else { throw .keyDoesNotMatch }
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }

    private static func names(of leaf: OpaquePointer) -> [String] {
        var names: [String] = []
        if let raw = X509_get_ext_d2i(leaf, NID_subject_alt_name, nil, nil) {
            let stack = OpaquePointer(raw)
            for index in 0..<max(0, OPENSSL_sk_num(stack)) {
                guard let entry = OPENSSL_sk_value(stack, index)?.assumingMemoryBound(to: GENERAL_NAME.self) else {
                    continue
                }
                var type: CInt = 0
                guard let value = GENERAL_NAME_get0_value(entry, &type), type == GEN_DNS else { continue }
                names.append(text(UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self))))
            }
            GENERAL_NAMES_free(stack)
            if !names.isEmpty { return names }
        }
        guard let subject = X509_get_subject_name(leaf) else { return [] }
        let position = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard position >= 0, let entry = X509_NAME_get_entry(subject, position),
            let data = X509_NAME_ENTRY_get_data(entry)
        else { return [] }
        return [text(UnsafePointer(data))]
    }

    private static func text(_ value: UnsafePointer<ASN1_STRING>) -> String {
        ByteView(ASN1_STRING_get0_data(value), count: Int(max(0, ASN1_STRING_length(value)))).string.lowercased()
    }
}
