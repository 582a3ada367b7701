import COpenSSL
import Core
import Glibc

/// Makes authorities and the certificates of workloads, for those who have nobody else to issue them (`sluice cert`).
/// Keys are ECDSA on P-256, signatures SHA-256. Asks for chance; everything else is an argument.
package enum CertificateMaker {
    /// A certificate with its key, both PEM.
    package struct Pair: Equatable, Sendable {
        package var certificate: String
        package var key: String
    }

    /// OpenSSL would not; one line.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Seconds that a certificate begins before it is made: clocks differ.
    package static let clockSkew: Int64 = 300

    /// An authority that signs workloads' certificates and nothing below another authority.
    /// - Parameters:
    ///   - now: seconds since 1970; likewise `lifetime` from then on.
    ///   - trustDomain: its name and its own SPIFFE id.
    package static func authority(trustDomain: String, now: Int64, lifetime: Int64) throws(Failure) -> Pair {
        let key = try newKey()
        defer { EVP_PKEY_free(key) }
        let certificate = try blank(
            key, name: "Sluice CA of \(trustDomain)", now: now, end: now + lifetime)
        defer { X509_free(certificate) }
        try name(certificate, asIssuerOf: certificate)
        try add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", to: certificate, by: certificate)
        try add(NID_key_usage, "critical,keyCertSign,cRLSign", to: certificate, by: certificate)
        try add(NID_subject_alt_name, "URI:spiffe://\(trustDomain)", to: certificate, by: certificate)
        try add(NID_subject_key_identifier, "hash", to: certificate, by: certificate)
        try sign(certificate, key)
        return Pair(certificate: try pem(certificate), key: try pem(key: key))
    }

    /// A workload's certificate, for servers and for clients.
    /// - Parameters:
    ///   - dnsNames: each checked by the caller to be a DNS name.
    ///   - bundle: PEM; the authority is the certificate in it whose key `authorityKey` is.
    ///   - lifetime: in seconds; it ends with the authority at the latest.
    package static func workload(
        _ id: SPIFFEID, dnsNames: [String], bundle: String, authorityKey: String, now: Int64, lifetime: Int64
    ) throws(Failure) -> Pair {
        let signingKey: OpaquePointer
        let authorities: [OpaquePointer]
        do {
            signingKey = try PEMBlocks.key(authorityKey)
        } catch { throw Failure(description: "the authority's key: \(error.text)") }
        defer { EVP_PKEY_free(signingKey) }
        do {
            authorities = try PEMBlocks.certificates(bundle)
        } catch { throw Failure(description: "the authority's certificate: \(error.text)") }
        defer { for authority in authorities { X509_free(authority) } }
        OpenSSLQueue.clear()
        defer { OpenSSLQueue.clear() }
        guard let authority = authorities.first(where: { X509_check_private_key($0, signingKey) == 1 }) else {
            throw Failure(description: "none of the authority's certificates is for its key")
        }
        guard X509_check_ca(authority) > 0 else {
            throw Failure(description: "the authority's certificate may not sign others")
        }
        let last = CertificateTime.seconds(X509_get0_notAfter(authority)) ?? 0
        guard last > now else { throw Failure(description: "the authority's certificate has expired") }
        let key = try newKey()
        defer { EVP_PKEY_free(key) }
        let certificate = try blank(
            key, name: id.workload?.serviceAccount ?? "workload", now: now, end: min(now + lifetime, last))
        defer { X509_free(certificate) }
        try name(authority, asIssuerOf: certificate)
        let names = (["URI:\(id)"] + dnsNames.map { "DNS:\($0)" }).joined(separator: ",")
        try add(NID_basic_constraints, "critical,CA:FALSE", to: certificate, by: authority)
        try add(NID_key_usage, "critical,digitalSignature", to: certificate, by: authority)
        try add(NID_ext_key_usage, "serverAuth,clientAuth", to: certificate, by: authority)
        try add(NID_subject_alt_name, names, to: certificate, by: authority)
        try add(NID_subject_key_identifier, "hash", to: certificate, by: authority)
        try add(NID_authority_key_identifier, "keyid", to: certificate, by: authority)
        try sign(certificate, signingKey)
        return Pair(certificate: try pem(certificate), key: try pem(key: key))
    }

    // MARK: pieces

    private static func failed(_ what: String) -> Failure {
        Failure(description: "\(what): \(OpenSSLQueue.reason(OpenSSLQueue.takeFirst()))")
    }

    private static func newKey() throws(Failure) -> OpaquePointer {
        OpenSSLQueue.clear()
        guard let key = sluice_new_key() else { throw failed("no key could be made") }
        return key
    }

    /// A certificate for this key with a name and a time, not signed yet.
    private static func blank(
        _ key: OpaquePointer, name: String, now: Int64, end: Int64
    ) throws(Failure) -> OpaquePointer {
        guard let certificate = X509_new() else { throw failed("no certificate could be made") }
        // A common name has 64 characters at most (RFC 5280, appendix A.1).
        let common = Array(name.utf8.prefix(64))
        guard X509_set_version(certificate, 2) == 1, sluice_random_serial(certificate) == 1,
            ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(now - clockSkew)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(end)) != nil,
            X509_set_pubkey(certificate, key) == 1,
            X509_NAME_add_entry_by_NID(
                X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8, common, CInt(common.count), -1, 0)
                == 1
        else {
            X509_free(certificate)
            throw failed("a certificate could not be filled in")
        }
        return certificate
    }

    private static func name(_ issuer: OpaquePointer, asIssuerOf certificate: OpaquePointer) throws(Failure) {
        guard X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 else {
            throw failed("a certificate's issuer could not be set")
        }
    }

    private static func add(
        _ number: CInt, _ value: String, to certificate: OpaquePointer, by issuer: OpaquePointer
    ) throws(Failure) {
        guard sluice_add_extension(certificate, issuer, number, value) == 1 else {
            throw failed("the extension '\(value)' could not be added")
        }
    }

    private static func sign(_ certificate: OpaquePointer, _ key: OpaquePointer) throws(Failure) {
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else { throw failed("a certificate could not be signed") }
    }

    private static func pem(_ certificate: OpaquePointer) throws(Failure) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { throw failed("a certificate could not be written") }
        defer { BIO_free(memory) }
        guard PEM_write_bio_X509(memory, certificate) == 1 else { throw failed("a certificate could not be written") }
        return SubjectNames.text(of: memory)
    }

    private static func pem(key: OpaquePointer) throws(Failure) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { throw failed("a key could not be written") }
        defer { BIO_free(memory) }
        guard PEM_write_bio_PKCS8PrivateKey(memory, key, nil, nil, 0, nil, nil) == 1 else {
            throw failed("a key could not be written")
        }
        return SubjectNames.text(of: memory)
    }
}
