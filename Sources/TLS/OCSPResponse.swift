import COpenSSL
import Core

/// Why an OCSP response cannot be stapled.
package enum OCSPError: Error, Equatable, Sendable {
    case malformed
    /// The responder itself said that it has no answer.
    case unsuccessful
    case otherCertificate
    case revoked
    case unknownCertificate
    case wrongSignature
    /// nextUpdate has passed; seconds since 1970.
    case stale(since: Int64)
    case notYetValid

    package var text: String {
        switch self {
        case .malformed: "it is no DER OCSP response"
        case .unsuccessful: "it is an error of the responder, not an answer"
        case .otherCertificate: "it is not about this certificate"
        case .revoked: "it says that the certificate is revoked"
        case .unknownCertificate: "it says that the certificate is unknown"
        case .wrongSignature: "its signature is not the issuer's"
        case .stale: "its time has passed (nextUpdate)"
        case .notYetValid: "its time has not come yet (thisUpdate)"
        }
    }
}

/// An answer about a certificate's revocation (RFC 6960), to be stapled to handshakes.
package struct OCSPResponse: Equatable, Sendable {
    /// Seconds since 1970.
    package var thisUpdate: Int64
    /// Seconds since 1970; `Int64.max` when it names none.
    package var nextUpdate: Int64

    /// Reads a response about one certificate; says nothing of whose it is.
    init(der: ByteView) throws(OCSPError) {
        let answer = try Answer(der)
        guard let single = OCSP_resp_get0(answer.basic, 0) else { throw .malformed }
        let (_, thisUpdate, nextUpdate) = Self.status(of: single)
        self.thisUpdate = thisUpdate
        self.nextUpdate = nextUpdate
    }

    /// Reads a response and checks everything that can be: that it is about this certificate and good, that its issuer
    /// signed it (if the chain has the issuer), and that its time is now.
    /// - Parameters:
    ///   - der: the response.
    ///   - chain: PEM, the leaf first.
    ///   - now: seconds since 1970.
    package init(der: ByteView, chain: ByteView, now: Int64) throws(OCSPError) {
        let answer = try Answer(der)
        let certificates: [OpaquePointer]
        do { certificates = try PEMBlocks.certificates(chain) } catch { throw .otherCertificate }
        defer { for certificate in certificates { X509_free(certificate) } }
        let issuer = certificates.count > 1 ? certificates[1] : nil
        guard let single = answer.single(about: certificates[0], issuer: issuer) else { throw .otherCertificate }
        if let issuer, !answer.isSigned(by: issuer) { throw .wrongSignature }
        let status: CInt
        (status, thisUpdate, nextUpdate) = Self.status(of: single)
        guard status != V_OCSP_CERTSTATUS_REVOKED else { throw .revoked }
        guard status == V_OCSP_CERTSTATUS_GOOD else { throw .unknownCertificate }
        guard now <= nextUpdate else { throw .stale(since: nextUpdate) }
        // Five minutes for clocks that differ, as responders are often ahead.
        guard now >= thisUpdate - 300 else { throw .notYetValid }
    }

    private static func status(of single: OpaquePointer) -> (status: CInt, thisUpdate: Int64, nextUpdate: Int64) {
        var (revoked, this, next): (TimePointer, TimePointer, TimePointer) = (nil, nil, nil)
        let status = OCSP_single_get0_status(single, nil, &revoked, &this, &next)
        return (status, CertificateTime.seconds(this) ?? 0, next == nil ? .max : CertificateTime.seconds(next) ?? 0)
    }

    private typealias TimePointer = UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?

    /// The two layers of a response, freed together.
    private struct Answer: ~Copyable {
        let response: OpaquePointer
        let basic: OpaquePointer

        init(_ der: ByteView) throws(OCSPError) {
            OpenSSLQueue.clear()
            defer { OpenSSLQueue.clear() }
            var octets = der.base
            guard der.count > 0, let response = d2i_OCSP_RESPONSE(nil, &octets, der.count) else { throw .malformed }
            guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL else {
                OCSP_RESPONSE_free(response)
                throw .unsuccessful
            }
            guard let basic = OCSP_response_get1_basic(response) else {
                OCSP_RESPONSE_free(response)
                throw .malformed
            }
            self.response = response
            self.basic = basic
        }

        deinit {
            OCSP_BASICRESP_free(basic)
            OCSP_RESPONSE_free(response)
        }

        func single(about leaf: OpaquePointer, issuer: OpaquePointer?) -> OpaquePointer? {
            for index in 0..<max(0, OCSP_resp_count(basic)) {
                guard let single = OCSP_resp_get0(basic, index) else { continue }
                var algorithm: OpaquePointer?
                var serial: UnsafeMutablePointer<ASN1_INTEGER>?
                guard let id = OCSP_SINGLERESP_get0_id(single) else { continue }
                guard OCSP_id_get0_info(nil, &algorithm, nil, &serial, id) == 1,
                    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0
                else { continue }
                guard let issuer else { return single }
                // The response may name the issuer by another digest than ours; take its own.
                let digest = algorithm.flatMap { sluice_digest(OBJ_obj2nid($0)) }
                guard let own = OCSP_cert_to_id(digest, leaf, issuer) else { continue }
                defer { OCSP_CERTID_free(own) }
                if OCSP_id_cmp(own, id) == 0 { return single }
            }
            return nil
        }

        func isSigned(by issuer: OpaquePointer) -> Bool {
            defer { OpenSSLQueue.clear() }
            guard let store = X509_STORE_new(), let known = sluice_new_chain() else { return false }
            defer {
                X509_STORE_free(store)
                sluice_free_chain(known)
            }
            X509_STORE_add_cert(store, issuer)
            // The issuer is mostly no root; its word is enough here.
            X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
            X509_up_ref(issuer)
            _ = sluice_push(known, issuer)
            return OCSP_basic_verify(basic, known, store, 0) == 1
        }
    }
}
