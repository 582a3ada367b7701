import Config
import Connection
import Core
import HTTP
import TLS

/// `X-Forwarded-Client-Cert`: what the endpoint is told of the client's certificate (ClientTrafficPolicy
/// `headers.xForwardedClientCert`; the form is Envoy's). Whoever is not told to forward it drops what the client claims.
extension Exchange {
    /// Whether a field that the client sent goes on.
    var keepsClientCertField: Bool {
        switch listener.pointee.forwardedClientCert.mode {
        case .sanitize, .sanitizeSet: false
        case .alwaysForwardOnly: true
        case .forwardOnly, .appendForward: clientCertificate != nil
        }
    }

    /// One that was shown and verified; an unverified one proves nothing.
    private var clientCertificate: PeerCertificate? {
        guard let certificate = downstream?.tls?.peerCertificate, certificate.problem == nil else { return nil }
        return certificate
    }

    /// Appends the line that this listener adds, if it adds one. With `appendForward` the client's own is before it: a list
    /// in several lines is the same as one in one (RFC 9110, section 5.3).
    func writeClientCertificate(to out: inout ByteBuffer) {
        let config = listener.pointee.forwardedClientCert
        guard config.mode == .appendForward || config.mode == .sanitizeSet, let certificate = clientCertificate else {
            return
        }
        out.append("X-Forwarded-Client-Cert: Hash=")
        out.append(string: certificate.hash)
        if config.details.contains(.cert) { write("Cert", certificate.encodedPEM, to: &out) }
        if config.details.contains(.chain) { write("Chain", certificate.encodedChain, to: &out) }
        if config.details.contains(.subject) { write("Subject", certificate.subject, to: &out) }
        if config.details.contains(.uri) {
            for uri in certificate.uris { writePlain(";URI=", uri, to: &out) }
        }
        if config.details.contains(.dns) {
            for name in certificate.dnsNames { writePlain(";DNS=", name, to: &out) }
        }
        out.append("\r\n")
    }

    /// In quotes: the value can hold commas, semicolons and equals signs.
    private func write(_ key: StaticString, _ value: String, to out: inout ByteBuffer) {
        out.append(byte: ASCII.semicolon)
        out.append(key)
        out.append("=\"")
        for octet in value.utf8 {
            if octet == UInt8(ascii: "\"") || octet == UInt8(ascii: "\\") { out.append(byte: UInt8(ascii: "\\")) }
            // A name in a certificate may hold anything; a field's value may not (RFC 9110, section 5.5).
            out.append(byte: octet < 0x20 || octet == 0x7F ? ASCII.space : octet)
        }
        out.append("\"")
    }

    /// Names and URIs, where they are of a form that needs no quotes; others are left out.
    private func writePlain(_ key: StaticString, _ value: String, to out: inout ByteBuffer) {
        let isPlain = value.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: ",")
        }
        guard isPlain else { return }
        out.append(key)
        out.append(string: value)
    }
}
