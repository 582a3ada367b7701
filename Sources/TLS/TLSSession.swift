import COpenSSL
import Core

/// One TLS connection, without its socket: ciphertext in ``received``, ciphertext out of ``pending``, plaintext by
/// ``read(into:)`` and ``write(_:)``. Never asks for the time and never waits.
///
///     greeting ─ ClientHello whole, context chosen ─▶ handshaking ─▶ open ─▶ closed by either side, or failed
///
/// A server's OpenSSL object is made when the ClientHello is whole: a peer that only connects costs two empty buffers.
/// After every call there may be something in ``pending``, also after a failure (an alert). Belongs to one thread.
public final class TLSSession {
    public enum HandshakeStep: Equatable {
        case done
        /// Call again when more was appended to ``TLSSession/received``.
        case wantsInput
        case failed(TLSFailure)
    }

    public enum ReadStep: Equatable {
        /// So many octets of plaintext were appended.
        case octets(Int)
        case wantsInput
        /// The peer will send nothing more, and what it sent is whole.
        case closeNotify
        case failed(TLSFailure)
    }

    enum Phase { case greeting, handshaking, open, failed }

    /// Ciphertext from the wire: whoever reads the socket appends, the session consumes.
    public var received = ByteBuffer()
    /// Ciphertext for the wire: the session appends, whoever writes the socket consumes.
    public var pending = ByteBuffer()
    /// What ended the connection before its time.
    public internal(set) var failure: TLSFailure?
    /// The settings in force; nil for a server until the name is known.
    public private(set) var context: TLSContext?
    /// The transport has ended: ``inputEnded()``.
    public internal(set) var hasInputEnded = false
    /// The name asked for, lower case; empty: none. A server's is from the first ClientHello, by which it was chosen.
    public private(set) var serverName: [UInt8] = []
    /// Why ``PeerCheck`` refused the peer's certificate, in words that OpenSSL has not.
    var peerRefusal: String?
    /// Of a client: whom the peer's certificate must be for, where the context does not say it; nil: the context does.
    private(set) var verifiedName: String?
    /// The last ``read(into:)`` stopped because its buffer was full, or before an end or a failure that is known already:
    /// there is more without a new event.
    public internal(set) var hasUnreadInput = false

    private let front: TLSFront?
    /// OpenSSL's half; nil before a ClientHello is whole.
    private(set) var ssl: OpaquePointer?
    var phase = Phase.greeting
    var hasClosed = false
    /// Octets of a ClientHello below which looking at it again is no use.
    private var octetsToGreet = 1
    var resumption: TLSResumption?
    /// What a server reads and writes by after a handshake of TLS 1.3; OpenSSL's object is gone then.
    private(set) var records: ApplicationRecords?
    /// The secrets of a handshake under way, for ``records``.
    var secrets: HandshakeSecrets?
    var facts: AgreedFacts?

    /// A server under settings that are known already.
    public init(server context: TLSContext) {
        front = nil
        self.context = context
    }

    /// A server whose settings depend on the name that the client asks for.
    public init(server front: TLSFront) { self.front = front }

    /// A client; ``handshake()`` makes its first octets.
    /// - Parameters:
    ///   - serverName: sent as Server Name Indication; nil, empty or an IP address: none (RFC 6066, section 3).
    ///   - verifiesServerName: the certificate must be for this name, where the context itself names none.
    ///   - resuming: a session of the same context and name; one of others, or one that is used up, is passed over.
    ///   - alpn: the one protocol that is offered, in place of the context's; `h2`, say.
    public init(
        client context: TLSContext, serverName: String?, verifiesServerName: Bool = false,
        resuming: TLSResumption? = nil, alpn: StaticString? = nil
    ) {
        front = nil
        self.context = context
        self.serverName = Array((serverName ?? "").lowercased().utf8)
        if verifiesServerName { verifiedName = serverName ?? "" }
        phase = .handshaking
        begin(context.variant(for: nil))
        guard let ssl else { return }
        SSL_set_connect_state(ssl)
        if let alpn {
            let octets = [UInt8(alpn.utf8CodeUnitCount)] + ByteView(alpn).array
            SSL_set_alpn_protos(ssl, octets, UInt32(octets.count))
        }
        if let serverName, !serverName.isEmpty, IPAddress(serverName) == nil { _ = sluice_server_name(ssl, serverName) }
        if let session = resuming?.use(by: context, serverName: self.serverName) { resume(session) }
    }

    deinit {
        guard let ssl else { return }
        // OpenSSL takes a session whose connection ends without both close_notifys for one that must not be resumed; it
        // may be (RFC 8446, section 6.1). One that failed was marked when it did.
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        SSL_free(ssl)
    }

    static func of(_ ssl: OpaquePointer) -> TLSSession? { BufferTransport.session(of: SSL_get_rbio(ssl)) }

    private func begin(_ variant: OpaquePointer) {
        OpenSSLQueue.clear()
        guard let made = SSL_new(variant), let transport = BufferTransport.make(for: self) else {
            fail(.local, "no memory for a TLS connection")
            return
        }
        SSL_set_bio(made, transport, transport)
        ssl = made
    }

    // MARK: handshake

    /// Takes the handshake as far as ``received`` allows.
    public func handshake() -> HandshakeStep {
        switch phase {
        case .open: return .done
        case .failed: return .failed(failure!)
        case .greeting:
            guard greet() else { return failure.map { .failed($0) } ?? .wantsInput }
        case .handshaking: break
        }
        guard let ssl else { return .failed(failure!) }
        OpenSSLQueue.clear()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            phase = .open
            keepRenewedTicket()
            leaveLibrary()
            return .done
        }
        return judge(result) ? .wantsInput : .failed(failure!)
    }

    /// Frees OpenSSL's object where nothing is left for it to do: see ``ApplicationRecords``.
    private func leaveLibrary() {
        defer { secrets = nil }
        guard let ssl, let secrets, SSL_version(ssl) == TLS1_3_VERSION, SSL_has_pending(ssl) == 0,
            let cipher = SSL_get_current_cipher(ssl),
            let records = ApplicationRecords(
                suite: SSL_CIPHER_get_protocol_id(cipher), client: secrets.client, server: secrets.server,
                recordsWritten: secrets.recordsWritten)
        else { return }
        facts = AgreedFacts(
            applicationProtocol: applicationProtocol.array, cipher: cipher, isResumed: isResumed,
            peer: peerCertificate())
        self.records = records
        self.ssl = nil
        SSL_free(ssl)
    }

    /// A line of OpenSSL's key log: a label, the client's random value, a secret (SSL_CTX_set_keylog_callback(3)).
    /// - Returns: whether it was one of the two that ``records`` need.
    func logged(_ line: ByteView) -> Bool {
        guard let secrets, let first = line.firstIndex(of: ASCII.space), let last = line.lastIndex(of: ASCII.space)
        else {
            return false
        }
        let label = line.upTo(first)
        if label.equals("CLIENT_TRAFFIC_SECRET_0") {
            secrets.client = TrafficSecret(hexadecimal: line.from(last + 1))
        } else if label.equals("SERVER_TRAFFIC_SECRET_0") {
            secrets.server = TrafficSecret(hexadecimal: line.from(last + 1))
            secrets.recordsWritten = 0
        } else {
            return false
        }
        return true
    }

    /// OpenSSL has sealed a record.
    func wroteRecord() { secrets?.recordsWritten += 1 }

    /// Reads the ClientHello and begins with the context that its name leads to.
    /// - Returns: whether there is an OpenSSL object now.
    private func greet() -> Bool {
        if received.count < octetsToGreet {
            if hasInputEnded { fail(.truncated, "the peer closed before its ClientHello was whole") }
            return false
        }
        switch ClientHello.peek(received.view) {
        case .needMore(let atLeast):
            octetsToGreet = atLeast
            if hasInputEnded { fail(.truncated, "the peer closed before its ClientHello was whole") }
            return false
        case .notTLS:
            fail(.notTLS, "what came first is no TLS record")
            return false
        case .malformed(let reason):
            alert(50)
            fail(.malformedClientHello, reason)
            return false
        case .hello(let hello):
            serverName = hello.serverName ?? []
            let chosen = serverName.withView { name in context ?? front?.choose(name.isEmpty ? nil : name) }
            guard let chosen else {
                alert(112)
                fail(
                    .unrecognizedName,
                    hello.serverName.map { "nobody serves '\(String(decoding: $0, as: UTF8.self))'" }
                        ?? "no name was asked for, and nobody serves those without")
                return false
            }
            context = chosen
            begin(serverName.withView { chosen.variant(for: $0.isEmpty ? nil : $0) })
            guard let ssl else { return false }
            SSL_set_accept_state(ssl)
            secrets = HandshakeSecrets()
            phase = .handshaking
            return true
        }
    }

    /// A fatal alert where there is no OpenSSL object yet to send it (RFC 8446, section 6; the record's version is that
    /// of section 5.1 for whatever comes before a version is chosen).
    private func alert(_ description: UInt8) {
        for octet in [21, 3, 1, 0, 2, 2, description] as [UInt8] { pending.append(byte: octet) }
    }

    // MARK: what is held

    /// Ciphertext or plaintext is here that nobody has read, be it less than a record.
    public var hasBufferedInput: Bool { !received.isEmpty || (ssl.map { SSL_has_pending($0) == 1 } ?? false) }

    /// Frees what is empty: the two buffers, and the library's of 16 KiB each. They come back with the next octet.
    public func releaseWhenIdle() {
        if received.isEmpty { received.release() }
        if pending.isEmpty { pending.release() }
        if phase == .open, let ssl { SSL_free_buffers(ssl) }
    }

    /// As ``releaseWhenIdle()``, the memory of the two buffers going back to a pool.
    public func releaseWhenIdle(to pool: inout BufferPool) {
        if received.isEmpty { pool.reclaim(&received) }
        if pending.isEmpty { pool.reclaim(&pending) }
        if phase == .open, let ssl { SSL_free_buffers(ssl) }
    }
}

/// What is known of a handshake's secrets while it is under way.
final class HandshakeSecrets {
    var client = TrafficSecret()
    var server = TrafficSecret()
    /// Under the server's application secret.
    var recordsWritten: UInt64 = 0

    deinit {
        client.erase()
        server.erase()
    }
}

/// What was agreed, when OpenSSL's object is gone.
final class AgreedFacts {
    /// In memory of its own, so that views of it live as long as the session.
    let view: ByteView
    let cipher: OpaquePointer
    let isResumed: Bool
    let peer: PeerCertificate?

    init(applicationProtocol: [UInt8], cipher: OpaquePointer, isResumed: Bool, peer: PeerCertificate?) {
        if applicationProtocol.isEmpty {
            view = .empty
        } else {
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: applicationProtocol.count)
            memory.initialize(from: applicationProtocol, count: applicationProtocol.count)
            view = ByteView(memory, count: applicationProtocol.count)
        }
        self.cipher = cipher
        self.isResumed = isResumed
        self.peer = peer
    }

    deinit { view.base?.deallocate() }
}
