import COpenSSL
import Core

/// What makes a certificate a workload's (the X.509-SVID specification, sections 2 and 4).
enum WorkloadCertificate {
    /// The one id that it is for; nil when it is no workload's: it has none or several URIs, one that is no SPIFFE id, it
    /// may sign others, or its key may not sign handshakes.
    static func identity(of certificate: OpaquePointer) -> SPIFFEID? {
        let uris = SubjectNames.all(.uri, of: certificate)
        guard uris.count == 1, let id = SPIFFEID(uris[0]), !id.path.isEmpty else { return nil }
        guard X509_check_ca(certificate) == 0 else { return nil }
        let usage = X509_get_key_usage(certificate)
        // All bits where the extension is missing.
        if usage != UInt32.max {
            guard usage & UInt32(KU_DIGITAL_SIGNATURE) != 0,
                usage & UInt32(KU_KEY_CERT_SIGN) == 0, usage & UInt32(KU_CRL_SIGN) == 0
            else { return nil }
        }
        return id
    }
}
