import COpenSSL
import Core

/// Why a TLS connection cannot go on. What is in ``TLSSession/pending`` (an alert, as a rule) is still to be sent.
public struct TLSFailure: Error, Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// What came first is no TLS record.
        case notTLS
        /// The ClientHello breaks the rules, or is larger than ``TLSLimits/clientHello``.
        case malformedClientHello
        /// Nobody serves the name that was asked for, or none was given and nobody serves those.
        case unrecognizedName
        /// The transport ended before a close_notify: what was read may not be all (RFC 8446, section 6.1).
        case truncated
        /// The peer's certificate is missing or not accepted; ``TLSFailure/text`` says why.
        case peerCertificate
        /// No protocol of ALPN is common (RFC 7301, section 3.2).
        case noApplicationProtocol
        /// No version, cipher suite, group or signature algorithm is common.
        case nothingInCommon
        /// The peer said that it cannot go on; the alert's number (RFC 8446, section 6).
        case alert(UInt8)
        /// The peer does not read what it makes us say (``TLSLimits/pendingAtMost``).
        case overflow
        /// Anything else that breaks the protocol.
        case protocolError
        /// Our own library would not: out of memory, a key that cannot sign.
        case local
    }

    public var kind: Kind
    /// For logs: one line, OpenSSL's reason or the verification's.
    public var text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// What OpenSSL's queue says happened; the queue is empty afterwards.
    /// - Parameter verification: the outcome of the peer certificate's verification, if there was one.
    /// - Parameter peerRefusal: what our own checks said of it.
    static func fromQueue(verification: CLong, peerRefusal: String?) -> TLSFailure {
        let code = OpenSSLQueue.takeFirst()
        guard code != 0 else { return TLSFailure(.protocolError, "the library gave no reason") }
        let reason = sluice_error_reason(code)
        let text = OpenSSLQueue.reason(code)
        guard sluice_error_library(code) == ERR_LIB_SSL else { return TLSFailure(.local, text) }
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return TLSFailure(.peerCertificate, peerRefusal ?? VerificationText.of(verification))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSFailure(.peerCertificate, "the peer sent no certificate")
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return TLSFailure(.truncated, "the peer closed without a close_notify")
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return TLSFailure(.noApplicationProtocol, "no application protocol is common")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SHARED_GROUPS,
            SSL_R_VERSION_TOO_LOW, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_WRONG_SSL_VERSION:
            return TLSFailure(.nothingInCommon, text)
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return TLSFailure(.notTLS, "plain HTTP instead of TLS")
        case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255):
            let alert = UInt8(truncatingIfNeeded: reason - SSL_AD_REASON_OFFSET)
            return TLSFailure(.alert(alert), "the peer sent the alert '\(alertName(alert))'")
        default: return TLSFailure(.protocolError, text)
        }
    }

    static func alertName(_ alert: UInt8) -> String {
        String(cString: SSL_alert_desc_string_long(CInt(alert)))
    }
}

/// The thread's queue of OpenSSL errors. Emptied before every call whose outcome is asked for, since a leftover would
/// be taken for that call's own.
enum OpenSSLQueue {
    static func clear() { ERR_clear_error() }

    /// The oldest entry, which names the cause; later ones tell where it surfaced. 0 when there is none.
    static func takeFirst() -> UInt {
        defer { ERR_clear_error() }
        return UInt(ERR_get_error())
    }

    static func reason(_ code: UInt) -> String {
        guard code != 0 else { return "no reason was given" }
        guard let text = ERR_reason_error_string(code) else { return "OpenSSL error \(code)" }
        return String(cString: text)
    }
}

/// The outcome of a verification in words, our own checks included.
enum VerificationText {
    static func of(_ outcome: CLong) -> String {
        // Ours: set by ``PeerCheck``, which has no other channel through OpenSSL.
        if outcome == CLong(X509_V_ERR_APPLICATION_VERIFICATION) {
            return "the certificate is none of those that are accepted (hashes, subject alternative names)"
        }
        return String(cString: X509_verify_cert_error_string(outcome))
    }
}
