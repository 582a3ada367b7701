import COpenSSL
import Core

/// Settings of TLS, made ready: what many sessions share. Built once from settings, then never changed; a change of
/// settings is a new context, and sessions that began under the old one stay with it.
///
/// Belongs to one thread.
public final class TLSContext {
    enum Side {
        case server(ServerTLSSettings)
        case client(ClientTLSSettings)
    }

    let side: Side
    let certificates: [LoadedCertificate]
    let check: PeerCheck
    /// The server's protocols in its order, as on the wire; empty: ALPN is not answered.
    let alpn: [UInt8]
    /// OpenSSL's contexts: one for each choice of certificates that a name has led to. Which certificate a name leads
    /// to is decided before OpenSSL begins, so that everything else in a context is in force from its first octet.
    private var variants: [[Int]: OpaquePointer] = [:]
    /// The certificates where no name decides.
    private let defaultChoice: [Int]
    private var defaultVariant: OpaquePointer
    /// Room for small writes that are to be one record.
    var scratch = ByteBuffer()

    /// - Throws: ``TLSSettingsError`` for the first thing that is wrong.
    public init(server settings: ServerTLSSettings) throws(TLSSettingsError) {
        OpenSSLQueue.clear()
        guard !settings.certificates.isEmpty else {
            throw TLSSettingsError("no certificate is given; a server needs at least one")
        }
        var certificates: [LoadedCertificate] = []
        for pair in settings.certificates { certificates.append(try LoadedCertificate(pair)) }
        self.certificates = certificates
        side = .server(settings)
        alpn = try Self.wireFormat(settings.parameters.alpn)
        check = try settings.clientValidation?.check() ?? PeerCheck()
        defaultChoice = Self.choice(among: certificates, for: nil)
        defaultVariant = try Self.serverVariant(
            settings, defaultChoice.map { certificates[$0] }, hasALPN: !alpn.isEmpty)
        variants[defaultChoice] = defaultVariant
        lend(defaultVariant)
        // Each certificate is tried at once: what OpenSSL refuses (a key that is too small) is said now.
        for index in certificates.indices where !defaultChoice.contains(index) {
            variants[[index]] = try Self.serverVariant(settings, [certificates[index]], hasALPN: !alpn.isEmpty)
            lend(variants[[index]]!)
        }
    }

    /// - Throws: ``TLSSettingsError`` for the first thing that is wrong.
    public init(client settings: ClientTLSSettings) throws(TLSSettingsError) {
        OpenSSLQueue.clear()
        certificates =
            try settings.certificate.map { pair throws(TLSSettingsError) in [try LoadedCertificate(pair)] } ?? []
        side = .client(settings)
        alpn = try Self.wireFormat(settings.parameters.alpn)
        check = settings.check()
        defaultChoice = certificates.isEmpty ? [] : [0]
        defaultVariant = try Self.clientVariant(settings, certificates.first, alpn: alpn)
        variants[defaultChoice] = defaultVariant
        lend(defaultVariant)
    }

    deinit { for variant in variants.values { SSL_CTX_free(variant) } }

    // MARK: which certificates

    /// OpenSSL's context for a session that asked for this name.
    func variant(for serverName: ByteView?) -> OpaquePointer {
        guard certificates.count > 1, let serverName, case .server(let settings) = side else { return defaultVariant }
        let choice = Self.choice(among: certificates, for: serverName)
        if let known = variants[choice] { return known }
        // The certificates were each accepted before; together they fail only without memory.
        guard
            let made = try? Self.serverVariant(settings, choice.map { certificates[$0] }, hasALPN: !alpn.isEmpty)
        else { return defaultVariant }
        // As many as there are names at most: a choice depends on which of the certificates' names fit.
        variants[choice] = made
        lend(made)
        return made
    }

    /// One certificate of each key type: the one that fits the name best, the first among equals. When any fits, those
    /// that do not are left out; when none does, the first of each type stand.
    private static func choice(among certificates: [LoadedCertificate], for serverName: ByteView?) -> [Int] {
        let fits = certificates.map { certificate in serverName.map { certificate.fit($0) } ?? 0 }
        let someFit = fits.contains { $0 > 0 }
        var chosen: [CInt: Int] = [:]
        for (index, certificate) in certificates.enumerated() where fits[index] > 0 || !someFit {
            if let other = chosen[certificate.keyType], fits[other] >= fits[index] { continue }
            chosen[certificate.keyType] = index
        }
        return chosen.values.sorted()
    }

    /// Callbacks find this object again; it outlives every session, which hold it.
    private func lend(_ variant: OpaquePointer) {
        let own = Unmanaged.passUnretained(self).toOpaque()
        SSL_CTX_set_cert_verify_callback(variant, TLSCallbacks.verify, own)
        guard case .server(let settings) = side else {
            SSL_CTX_sess_set_new_cb(variant, TLSCallbacks.newSession)
            return
        }
        SSL_CTX_set_msg_callback(variant, TLSCallbacks.message)
        if !alpn.isEmpty { SSL_CTX_set_alpn_select_cb(variant, TLSCallbacks.selectProtocol, own) }
        if certificates.contains(where: { !$0.ocspResponse.isEmpty }) {
            sluice_ctx_status(variant, TLSCallbacks.staple, own)
        }
        if settings.ticketKeys != nil {
            _ = sluice_ctx_ticket_keys(variant, TLSCallbacks.ticketKey)
            _ = SSL_CTX_set_session_ticket_cb(variant, TLSCallbacks.makeTicket, TLSCallbacks.openTicket, own)
        }
    }

    // MARK: what callbacks ask

    var ticketKeys: TicketKeys? {
        guard case .server(let settings) = side else { return nil }
        return settings.ticketKeys?()
    }

    /// The response to staple to a handshake that shows `leaf`; nil when there is none or it is stale.
    func ocspResponse(for leaf: OpaquePointer) -> [UInt8]? {
        guard case .server(let settings) = side,
            let certificate = certificates.first(where: { $0.leaf == leaf }), !certificate.ocspResponse.isEmpty
        else { return nil }
        if let now = settings.now, now() > certificate.ocspEnd { return nil }
        return certificate.ocspResponse
    }

    /// The list of ALPN: an octet of length before each name.
    private static func wireFormat(_ protocols: [String]) throws(TLSSettingsError) -> [UInt8] {
        var result: [UInt8] = []
        for name in protocols {
            guard 1...255 ~= name.utf8.count else {
                throw TLSSettingsError("'\(name)' is no application protocol; right would be 'h2' or 'http/1.1'")
            }
            result.append(UInt8(name.utf8.count))
            result += Array(name.utf8)
        }
        return result
    }
}
