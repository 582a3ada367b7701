import COpenSSL
import Core

/// Reading of PEM text, all of it or nothing.
enum PEMBlocks {
    /// Every certificate of `text`, in order. The caller frees them (`X509_free`).
    static func certificates(_ text: ByteView) throws(CertificateError) -> [OpaquePointer] {
        OpenSSLQueue.clear()
        defer { OpenSSLQueue.clear() }
        guard text.count > 0, let bio = BIO_new_mem_buf(text.base, CInt(clamping: text.count)) else {
            throw .noCertificate
        }
        defer { BIO_free(bio) }
        var result: [OpaquePointer] = []
        while let next = PEM_read_bio_X509(bio, nil, nil, nil) { result.append(next) }
        guard isAtEnd() else {
            for certificate in result { X509_free(certificate) }
            throw .malformedCertificate(result.count)
        }
        guard !result.isEmpty else { throw .noCertificate }
        return result
    }

    /// Every revocation list of `text`. The caller frees them (`X509_CRL_free`).
    static func revocationLists(_ text: ByteView) throws(CertificateError) -> [OpaquePointer] {
        OpenSSLQueue.clear()
        defer { OpenSSLQueue.clear() }
        guard text.count > 0, let bio = BIO_new_mem_buf(text.base, CInt(clamping: text.count)) else {
            throw .noRevocationList
        }
        defer { BIO_free(bio) }
        var result: [OpaquePointer] = []
        while let next = PEM_read_bio_X509_CRL(bio, nil, nil, nil) { result.append(next) }
        guard isAtEnd() else {
            for list in result { X509_CRL_free(list) }
            throw .malformedRevocationList(result.count)
        }
        guard !result.isEmpty else { throw .noRevocationList }
        return result
    }

    /// The private key of `text`. The caller frees it (`EVP_PKEY_free`).
    static func key(_ text: ByteView) throws(CertificateError) -> OpaquePointer {
        OpenSSLQueue.clear()
        defer { OpenSSLQueue.clear() }
        // OpenSSL's error does not tell a key that is missing from one that cannot be read.
        guard text.string.contains("PRIVATE KEY-----"),
            let bio = BIO_new_mem_buf(text.base, CInt(clamping: text.count))
        else { throw .noKey }
        defer { BIO_free(bio) }
        // Without this callback OpenSSL would ask the terminal for a passphrase.
        guard let key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) else { throw .malformedKey }
        return key
    }

    // MARK: of text; `withView` passes no typed errors

    static func certificates(_ text: String) throws(CertificateError) -> [OpaquePointer] {
        try text.withView { view in Result { () throws(CertificateError) in try certificates(view) } }.get()
    }

    static func revocationLists(_ text: String) throws(CertificateError) -> [OpaquePointer] {
        try text.withView { view in Result { () throws(CertificateError) in try revocationLists(view) } }.get()
    }

    static func key(_ text: String) throws(CertificateError) -> OpaquePointer {
        try text.withView { view in Result { () throws(CertificateError) in try key(view) } }.get()
    }

    /// Whether the last read failed because there was nothing left, which is no failure.
    private static func isAtEnd() -> Bool {
        let code = UInt(ERR_peek_last_error())
        defer { OpenSSLQueue.clear() }
        return code == 0
            || (sluice_error_library(code) == ERR_LIB_PEM && sluice_error_reason(code) == PEM_R_NO_START_LINE)
    }
}
