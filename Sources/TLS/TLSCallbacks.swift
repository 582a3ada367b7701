import COpenSSL
import Core
import Glibc

/// What OpenSSL calls. Each finds our objects again: the session through its transport, the context through the
/// argument that ``TLSContext`` registered.
enum TLSCallbacks {
    private static func context(_ argument: UnsafeMutableRawPointer?) -> TLSContext {
        Unmanaged<TLSContext>.fromOpaque(argument!).takeUnretainedValue()
    }

    private static func session(of store: OpaquePointer) -> TLSSession? {
        guard let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()) else { return nil }
        return TLSSession.of(OpaquePointer(ssl))
    }

    /// The whole verification of a peer's certificate, instead of OpenSSL's own.
    static let verify: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> CInt = { store, argument in
        guard let store else { return 0 }
        var check = context(argument).check
        let session = session(of: store)
        if let name = session?.verifiedName { check.require(name) }
        if check.acceptsAnything, !check.verifiesChain, !check.hasNoRule, check.keyHashes.isEmpty,
            check.certificateHashes.isEmpty
        {
            return 1
        }
        var refusal: String?
        defer { session?.peerRefusal = refusal }
        return check.accepts(store, refusal: &refusal) ? 1 : 0
    }

    /// Within a verification: a leaf's end is no reason.
    static let forgiveExpiry: @convention(c) (CInt, OpaquePointer?) -> CInt = { accepted, store in
        guard accepted == 0, let store, X509_STORE_CTX_get_error_depth(store) == 0,
            X509_STORE_CTX_get_error(store) == X509_V_ERR_CERT_HAS_EXPIRED
        else { return accepted }
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    }

    /// The server's order decides (RFC 7301, section 3.2); no protocol in common ends the handshake.
    static let selectProtocol:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
            UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
        ) -> CInt = { _, chosen, chosenCount, offered, offeredCount, argument in
            let own = context(argument).alpn
            let offered = ByteView(offered, count: Int(offeredCount))
            var at = 0
            while at < own.count {
                let end = at + 1 + Int(own[at])
                if let found = find(own[at..<end], in: offered) {
                    chosen?.pointee = found.base
                    chosenCount?.pointee = UInt8(found.count)
                    return SSL_TLSEXT_ERR_OK
                }
                at = end
            }
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }

    /// - Parameter entry: with its octet of length before it.
    /// - Returns: the name as it stands in the offer, whose memory outlives the call, as OpenSSL asks.
    private static func find(_ entry: ArraySlice<UInt8>, in offered: ByteView) -> ByteView? {
        var at = 0
        while at < offered.count {
            let end = at + 1 + Int(offered[at])
            guard end <= offered.count else { return nil }
            if end - at == entry.count, zip(entry, at..<end).allSatisfy({ $0 == offered[$1] }) {
                return offered[(at + 1)..<end]
            }
            at = end
        }
        return nil
    }

    static let staple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> CInt = { ssl, argument in
        guard let ssl, let leaf = SSL_get_certificate(ssl), let response = context(argument).ocspResponse(for: leaf),
            sluice_staple(ssl, response, CInt(response.count)) == 1
        else { return SSL_TLSEXT_ERR_NOACK }
        return SSL_TLSEXT_ERR_OK
    }

    // MARK: the end of a server's handshake

    /// The secrets, for ``ApplicationRecords``. They go nowhere else.
    static let keyLog: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?) -> Void = { ssl, line in
        guard let ssl, let line, let tls = TLSSession.of(ssl) else { return }
        let text = ByteView(UnsafeRawPointer(line).assumingMemoryBound(to: UInt8.self), count: strlen(line))
        if tls.logged(text) { SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), nil) }
    }

    /// Each message and each record's header comes by here: how many records there were under a secret, and when secrets
    /// are about to be made.
    static let message:
        @convention(c) (
            CInt, CInt, CInt, UnsafeRawPointer?, Int, OpaquePointer?, UnsafeMutableRawPointer?
        ) -> Void = { isWritten, _, type, octets, count, ssl, _ in
            guard let ssl else { return }
            if type == SSL3_RT_HEADER {
                if isWritten == 1 { TLSSession.of(ssl)?.wroteRecord() }
            } else if type == SSL3_RT_HANDSHAKE, let octets, count > 0,
                octets.load(as: UInt8.self) == SSL3_MT_FINISHED
            {
                // The application's secret follows either Finished at once. The key log is on from here to there only:
                // OpenSSL writes its lines an octet at a time by sprintf, which costs 4 µs a line.
                SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), keyLog)
            }
        }

    // MARK: tickets

    /// Which key seals or opens a ticket (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
    static let ticketKey:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
            CInt
        ) -> CInt = { ssl, name, iv, cipher, mac, sealing in
            guard let ssl, let name, let iv, let session = TLSSession.of(ssl), let keys = session.context?.ticketKeys
            else { return sealing == 1 ? -1 : 0 }
            let index: Int
            if sealing == 1 {
                index = 0
                guard RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 else { return -1 }
                var own = keys.newest.name
                _ = withUnsafeBytes(of: &own) { memcpy(name, $0.baseAddress!, $0.count) }
            } else {
                guard let known = keys.index(named: name) else { return 0 }
                index = known
            }
            var key = keys[index]
            let isReady = withUnsafeMutableBytes(of: &key.cipherKey) { octets in
                let octets = octets.bindMemory(to: UInt8.self).baseAddress!
                return sealing == 1
                    ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, octets, iv)
                    : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, octets, iv)
            }
            let isKeyed = withUnsafeMutableBytes(of: &key.macKey) { octets in
                sluice_ticket_mac(mac, octets.bindMemory(to: UInt8.self).baseAddress!, octets.count)
            }
            guard isReady == 1, isKeyed == 1 else { return -1 }
            // 2: opened by an older key; the client gets a new ticket.
            return index == 0 ? 1 : 2
        }

    /// The name that was asked for goes into the ticket.
    static let makeTicket: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> CInt = { ssl, _ in
        guard let ssl, let tls = TLSSession.of(ssl), let session = SSL_get_session(ssl) else { return 0 }
        return tls.serverName.withView { SSL_SESSION_set1_ticket_appdata(session, $0.base, $0.count) }
    }

    /// A session goes on only under the name that it began with. OpenSSL itself would let TLS 1.3 sessions wander.
    static let openTicket:
        @convention(c) (
            OpaquePointer?, OpaquePointer?, UnsafePointer<UInt8>?, Int, SSL_TICKET_STATUS, UnsafeMutableRawPointer?
        ) -> SSL_TICKET_RETURN = { ssl, session, _, _, status, _ in
            switch status {
            case SSL_TICKET_SUCCESS, SSL_TICKET_SUCCESS_RENEW:
                guard let ssl, let session, let tls = TLSSession.of(ssl) else { return SSL_TICKET_RETURN_IGNORE_RENEW }
                var data: UnsafeMutableRawPointer?
                var count = 0
                guard SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1 else {
                    return SSL_TICKET_RETURN_IGNORE_RENEW
                }
                let name = ByteView(
                    data.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }, count: data == nil ? 0 : count)
                guard tls.serverName.withView({ $0.equals(name) }) else { return SSL_TICKET_RETURN_IGNORE_RENEW }
                return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
            case SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT: return SSL_TICKET_RETURN_IGNORE_RENEW
            default: return SSL_TICKET_RETURN_IGNORE
            }
        }

    /// A client's session that can be resumed. 1: we keep the reference that comes with it.
    static let newSession: @convention(c) (OpaquePointer?, OpaquePointer?) -> CInt = { ssl, session in
        guard let ssl, let session, let tls = TLSSession.of(ssl) else { return 0 }
        return tls.keep(session) ? 1 : 0
    }
}
