import COpenSSL

/// What a client needs to resume a session with an endpoint; kept by whoever owns the connections to it.
public final class TLSResumption {
    let session: OpaquePointer
    /// The settings that the session was verified under: under others it is worth nothing. Held, so that no other
    /// settings can come to lie where these were.
    let context: TLSContext
    let serverName: [UInt8]
    private var isUsed = false

    /// Takes over one reference.
    init(adopting session: OpaquePointer, context: TLSContext, serverName: [UInt8]) {
        self.session = session
        self.context = context
        self.serverName = serverName
    }

    deinit { SSL_SESSION_free(session) }

    /// Whether it may serve one connection only: a TLS 1.3 ticket that is shown twice lets whoever watches link the two
    /// connections (RFC 8446, appendix C.4).
    public var isSingleUse: Bool { sluice_is_tls13(session) == 1 }
    /// False once a single-use one was used, or its time is over on the server's word.
    public var canBeUsed: Bool { !(isUsed && isSingleUse) && SSL_SESSION_is_resumable(session) == 1 }

    func use(by context: TLSContext, serverName: [UInt8]) -> OpaquePointer? {
        guard canBeUsed, self.context === context, self.serverName == serverName else { return nil }
        isUsed = true
        return session
    }
}
