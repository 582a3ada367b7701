import COpenSSL
import Core

/// What the handshake has agreed on, and what a client may resume.
extension TLSSession {
    // MARK: what was agreed

    public var isOpen: Bool { phase == .open }

    /// The protocol of ALPN; empty: none. Valid as long as the session.
    public var applicationProtocol: ByteView {
        if let facts { return facts.view }
        guard let ssl else { return .empty }
        var octets: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &octets, &count)
        return ByteView(octets, count: Int(count))
    }

    public var protocolVersion: ProtocolVersion? {
        if facts != nil { return .tls13 }
        guard let ssl, phase == .open else { return nil }
        return ProtocolVersion(rawValue: UInt16(truncatingIfNeeded: SSL_version(ssl)))
    }

    /// OpenSSL's name of the cipher suite, which lives as long as the process; empty before the handshake's end.
    public var cipherName: ByteView {
        guard phase == .open, let cipher = facts?.cipher ?? ssl.flatMap({ SSL_get_current_cipher($0) }),
            let name = SSL_CIPHER_get_name(cipher)
        else { return .empty }
        var count = 0
        while name[count] != 0 { count += 1 }
        return ByteView(UnsafeRawPointer(name).assumingMemoryBound(to: UInt8.self), count: count)
    }

    /// Whether an earlier session went on, without certificates being shown again.
    public var isResumed: Bool { facts?.isResumed ?? (ssl.map { SSL_session_reused($0) == 1 } ?? false) }

    /// What the peer's certificate says; nil when it showed none. Builds texts: ask once.
    public func peerCertificate() -> PeerCertificate? {
        if let facts { return facts.peer }
        guard let ssl, phase == .open else { return nil }
        let outcome = SSL_get_verify_result(ssl)
        let problem: String? = outcome == X509_V_OK ? nil : VerificationText.of(outcome)
        return PeerCertificate(of: ssl, isServer: SSL_is_server(ssl) == 1, problem: problem)
    }

    // MARK: a client's resumption

    /// The newest session that can be resumed, once. In TLS 1.3 it comes some time after the handshake, with a read.
    public func takeResumption() -> TLSResumption? {
        defer { resumption = nil }
        return resumption
    }

    func resume(_ session: OpaquePointer) { if let ssl { SSL_set_session(ssl, session) } }

    /// A resumption of TLS 1.2 may have brought a new ticket, which OpenSSL does not tell by its callback.
    func keepRenewedTicket() {
        guard let ssl, SSL_is_server(ssl) == 0, SSL_version(ssl) < TLS1_3_VERSION, SSL_session_reused(ssl) == 1,
            let session = SSL_get1_session(ssl)
        else { return }
        if !keep(session) { SSL_SESSION_free(session) }
    }

    /// - Returns: whether the reference was kept.
    func keep(_ session: OpaquePointer) -> Bool {
        guard let context, SSL_SESSION_is_resumable(session) == 1 else { return false }
        resumption = TLSResumption(adopting: session, context: context, serverName: serverName)
        return true
    }

    /// The OCSP response that a server stapled; for tests and `check`.
    var stapledResponse: [UInt8] {
        guard let ssl else { return [] }
        var octets: UnsafePointer<UInt8>?
        let count = sluice_received_staple(ssl, &octets)
        return count > 0 ? ByteView(octets, count: count).array : []
    }

    func askForStaple() { if let ssl { sluice_ask_for_staple(ssl) } }
}
