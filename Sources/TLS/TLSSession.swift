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

    private enum Phase { case greeting, handshaking, open, failed }

    /// Ciphertext from the wire: whoever reads the socket appends, the session consumes.
    public var received = ByteBuffer()
    /// Ciphertext for the wire: the session appends, whoever writes the socket consumes.
    public var pending = ByteBuffer()
    /// What ended the connection before its time.
    public private(set) var failure: TLSFailure?
    /// The settings in force; nil for a server until the name is known.
    public private(set) var context: TLSContext?
    /// The transport has ended: ``inputEnded()``.
    public private(set) var hasInputEnded = false
    /// The name asked for, lower case; empty: none. A server's is from the first ClientHello, by which it was chosen.
    public private(set) var serverName: [UInt8] = []
    /// The last ``read(into:)`` stopped because its buffer was full, or before an end or a failure that is known already:
    /// there is more without a new event.
    public private(set) var hasUnreadInput = false

    private let front: TLSFront?
    /// OpenSSL's half; nil before a ClientHello is whole.
    private(set) var ssl: OpaquePointer?
    private var phase = Phase.greeting
    private var hasClosed = false
    /// Octets of a ClientHello below which looking at it again is no use.
    private var octetsToGreet = 1
    private var resumption: TLSResumption?
    /// What a server reads and writes by after a handshake of TLS 1.3; OpenSSL's object is gone then.
    private(set) var records: ApplicationRecords?
    /// The secrets of a handshake under way, for ``records``.
    private var secrets: HandshakeSecrets?
    private var facts: AgreedFacts?

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
    ///   - resuming: a session of the same context and name; one of others, or one that is used up, is passed over.
    public init(client context: TLSContext, serverName: String?, resuming: TLSResumption? = nil) {
        front = nil
        self.context = context
        self.serverName = Array((serverName ?? "").lowercased().utf8)
        phase = .handshaking
        begin(context.variant(for: nil))
        guard let ssl else { return }
        SSL_set_connect_state(ssl)
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

    // MARK: plaintext

    /// Appends plaintext to `buffer` as long as its room and ``received`` last, several records at once; never makes
    /// the buffer grow. With room left afterwards, there is nothing more without new input.
    /// - Parameter buffer: not one of this session's own; with room.
    public func read(into buffer: inout ByteBuffer) -> ReadStep {
        hasUnreadInput = false
        if phase == .open, let records { return read(into: &buffer, by: records) }
        guard phase == .open, let ssl else { return failure.map { .failed($0) } ?? .wantsInput }
        var total = 0
        OpenSSLQueue.clear()
        while buffer.room > 0 {
            var count = 0
            let result = SSL_read_ex(ssl, buffer.writePointer, buffer.room, &count)
            if result == 1 {
                buffer.didWrite(count)
                total += count
                // Asking OpenSSL once more, only to hear that nothing is there, costs a good part of a small record.
                if received.isEmpty, SSL_pending(ssl) == 0, !hasInputEnded { return .octets(total) }
                continue
            }
            if SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN {
                guard total > 0 else { return .closeNotify }
                hasUnreadInput = true
                return .octets(total)
            }
            // A failure shows at the next call; what was read before it is good.
            let canGoOn = judge(result)
            if total > 0 {
                hasUnreadInput = !canGoOn
                return .octets(total)
            }
            return canGoOn ? .wantsInput : .failed(failure!)
        }
        hasUnreadInput = true
        return .octets(total)
    }

    private func read(into buffer: inout ByteBuffer, by records: ApplicationRecords) -> ReadStep {
        switch records.read(&received, into: &buffer, answering: &pending) {
        case .octets(let count):
            hasUnreadInput = buffer.room == 0 || records.hasMoreToTell
            return .octets(count)
        case .wantsInput where hasInputEnded:
            fail(.truncated, "the peer closed without a close_notify")
            return .failed(failure!)
        case .wantsInput: return .wantsInput
        case .closeNotify: return .closeNotify
        case .failed(let failure, let alert):
            if let alert { records.alert(alert, to: &pending) }
            self.failure = failure
            phase = .failed
            return .failed(failure)
        }
    }

    /// Encrypts what fits below ``TLSLimits/pending``, in records of up to ``TLSLimits/record``.
    /// - Returns: how many octets were taken; 0 also before the handshake's end, after ``closeNotify()`` and after a
    ///   failure.
    public func write(_ view: ByteView) -> Int {
        var taken = 0
        while taken < view.count {
            let size = min(view.count - taken, TLSLimits.record)
            guard pending.count + size + TLSLimits.recordOverhead <= TLSLimits.pending,
                seal(view[taken..<(taken + size)])
            else { break }
            taken += size
        }
        return taken
    }

    /// As ``write(_:)``, of two pieces one after the other: a head and its body go in one record when they fit in one.
    /// - Returns: how many octets of the two together were taken.
    public func write(_ first: ByteView, _ second: ByteView) -> Int {
        let count = first.count + second.count
        if phase == .open, !hasClosed, let records, count > 0, count <= TLSLimits.record,
            pending.count + count + TLSLimits.recordOverhead <= TLSLimits.pending
        {
            return seal(first, second, by: records) ? count : 0
        }
        guard let context, !first.isEmpty, !second.isEmpty, count <= TLSLimits.record else {
            let taken = write(first)
            return taken == first.count ? taken + write(second) : taken
        }
        context.scratch.clear()
        context.scratch.reserve(TLSLimits.record)
        context.scratch.append(first)
        context.scratch.append(second)
        return write(context.scratch.view)
    }

    private func seal(_ first: ByteView, _ second: ByteView, by records: ApplicationRecords) -> Bool {
        if records.write(first, second, to: &pending) { return true }
        fail(.local, "a record could not be sealed")
        return false
    }

    /// One record.
    private func seal(_ view: ByteView) -> Bool {
        if phase == .open, !hasClosed, let records { return seal(view, .empty, by: records) }
        guard phase == .open, !hasClosed, let ssl else { return false }
        OpenSSLQueue.clear()
        var count = 0
        let result = SSL_write_ex(ssl, view.base, view.count, &count)
        guard result == 1 else {
            _ = judge(result)
            return false
        }
        return true
    }

    /// Says that nothing more will be written (RFC 8446, section 6.1); reading may go on.
    public func closeNotify() {
        guard phase == .open, !hasClosed else { return }
        hasClosed = true
        if let records { records.alert(0, to: &pending) }
        guard let ssl else { return }
        OpenSSLQueue.clear()
        _ = SSL_shutdown(ssl)
        OpenSSLQueue.clear()
    }

    /// The transport will bring nothing more. Without a close_notify before, the next ``read(into:)`` or
    /// ``handshake()`` that comes to the end of ``received`` fails with ``TLSFailure/Kind/truncated``.
    public func inputEnded() { hasInputEnded = true }

    /// - Returns: whether the connection only waits for input; otherwise ``failure`` is set.
    private func judge(_ result: CInt) -> Bool {
        guard let ssl else { return false }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return true
        case SSL_ERROR_WANT_WRITE: fail(.overflow, "the peer does not read what it makes us say")
        case SSL_ERROR_ZERO_RETURN: fail(.truncated, "the peer closed during the handshake")
        case SSL_ERROR_SYSCALL where hasInputEnded: fail(.truncated, "the peer closed without a close_notify")
        default:
            failure = TLSFailure.fromQueue(verification: SSL_get_verify_result(ssl))
            phase = .failed
        }
        return false
    }

    private func fail(_ kind: TLSFailure.Kind, _ text: String) {
        failure = TLSFailure(kind, text)
        phase = .failed
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
    private func keepRenewedTicket() {
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

/// What is known of a handshake's secrets while it is under way.
private final class HandshakeSecrets {
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
private final class AgreedFacts {
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
