import COpenSSL
import Core

/// Decides whether a peer's certificate is accepted: OpenSSL builds and verifies the chain, the rest is ours.
struct PeerCheck {
    /// Whether the chain is looked at; false where only hashes decide, or nothing does.
    var verifiesChain = false
    /// The connection goes on whatever comes out, which is remembered.
    var acceptsAnything = false
    /// There was nothing to verify by.
    var hasNoRule = false
    /// SHA-256 each; any of the two lists may fit.
    var keyHashes: [[UInt8]] = []
    var certificateHashes: [[UInt8]] = []
    var subjectAltNames: [SubjectNameMatcher] = []
    /// Of endpoints; empty: any.
    var hostname = ""
    var hostnameIsAddress = false
    /// The certificate must be a workload's of this trust domain; empty: any will do.
    var trustDomain = ""

    /// The certificate must be for `name`, unless nothing is verified or other names are asked for. A name that is empty is
    /// nobody's.
    mutating func require(_ name: String) {
        guard !acceptsAnything, subjectAltNames.isEmpty, hostname.isEmpty else { return }
        hostname = name.isEmpty ? "." : name
        hostnameIsAddress = IPAddress(name) != nil
    }

    /// - Parameter store: OpenSSL's verification, before its start; keeps the outcome.
    /// - Parameter refusal: why not, where OpenSSL has no words for it.
    /// - Returns: whether the handshake goes on.
    func accepts(_ store: OpaquePointer, refusal: inout String?) -> Bool {
        guard let leaf = X509_STORE_CTX_get0_cert(store) else { return acceptsAnything }
        if hasNoRule {
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
            return acceptsAnything
        }
        if verifiesChain, X509_verify_cert(store) <= 0 {
            // OpenSSL leaves OK behind when it failed for another reason than the chain.
            if X509_STORE_CTX_get_error(store) == X509_V_OK {
                X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
            }
            return acceptsAnything
        }
        guard fitsHashes(leaf) else {
            refusal = "the certificate \(Self.shown(leaf)) has none of the hashes that are accepted"
            X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            return acceptsAnything
        }
        guard fitsNames(leaf) else {
            if !subjectAltNames.isEmpty {
                let wanted = Self.list(subjectAltNames.map(\.words))
                refusal = "the certificate \(Self.shown(leaf)) has none of the names that are accepted: \(wanted)"
            }
            X509_STORE_CTX_set_error(
                store, hostname.isEmpty ? X509_V_ERR_APPLICATION_VERIFICATION : X509_V_ERR_HOSTNAME_MISMATCH)
            return acceptsAnything
        }
        guard trustDomain.isEmpty || WorkloadCertificate.identity(of: leaf)?.trustDomain == trustDomain else {
            refusal = "the certificate \(Self.shown(leaf)) is no workload's of trust domain '\(trustDomain)'"
            X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            return acceptsAnything
        }
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return true
    }

    /// Names of a certificate, or of those that are accepted, that a message tells; others are counted.
    private static let namesTold = 3

    /// The names that a certificate is for, as a message tells them.
    private static func shown(_ leaf: OpaquePointer) -> String {
        var names: [String] = []
        for kind in [SubjectNameMatcher.Kind.uri, .dns, .ipAddress, .email] where names.isEmpty {
            names = SubjectNames.all(kind, of: leaf).map { "'\($0)'" }
        }
        return names.isEmpty ? "without names" : "of \(list(names))"
    }

    private static func list(_ names: [String]) -> String {
        let told = names.prefix(namesTold).joined(separator: ", ")
        return names.count > namesTold ? "\(told) and \(names.count - namesTold) more" : told
    }

    private func fitsHashes(_ leaf: OpaquePointer) -> Bool {
        if keyHashes.isEmpty, certificateHashes.isEmpty { return true }
        if !certificateHashes.isEmpty, certificateHashes.contains(CertificateHash.ofCertificate(leaf)) { return true }
        return !keyHashes.isEmpty && keyHashes.contains(CertificateHash.ofKey(leaf))
    }

    private func fitsNames(_ leaf: OpaquePointer) -> Bool {
        if !subjectAltNames.isEmpty {
            return SubjectNames.contains(in: leaf) { kind, value, oid in
                subjectAltNames.contains { rule in
                    guard rule.kind == kind, kind != .otherName || rule.oid == oid else { return false }
                    return rule.matches(value) || (acceptsWildcards && rule.isCovered(byWildcard: value))
                }
            }
        }
        guard !hostname.isEmpty else { return true }
        // A wildcard is a whole label (RFC 6125, section 6.4.3, leaves parts of one to the client; nobody issues those).
        return hostnameIsAddress
            ? X509_check_ip_asc(leaf, hostname, 0) == 1
            : X509_check_host(leaf, hostname, 0, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS), nil) == 1
    }

    /// Only where a name is that of an endpoint; rules for clients say what the certificate has in it.
    var acceptsWildcards = false
}

extension SubjectNameMatcher {
    /// As a message tells what is accepted.
    var words: String {
        switch pattern {
        case .exact(let text): "'\(text)'"
        case .prefix(let text): "'\(text)…'"
        case .suffix(let text): "'…\(text)'"
        case .custom(let text, _): "/\(text)/"
        }
    }

    /// Whether a certificate's `*.example.com` covers this exact DNS name: one label, the leftmost.
    func isCovered(byWildcard value: ByteView) -> Bool {
        guard kind == .dns, case .exact(let name) = pattern, value.count > 2, value[0] == 0x2A, value[1] == ASCII.dot
        else { return false }
        return name.withView { name in
            guard let dot = name.firstIndex(of: ASCII.dot), dot > 0 else { return false }
            return name.from(dot).equalsIgnoringCase(value.from(1))
        }
    }
}
