import Core
import Glibc
import IO
import TLS

/// Makes one connection to an endpoint: TCP, what is told first, and the TLS handshake. Owned by who waits for it; it ends
/// with the connection that takes it over, or with ``cancel()``.
///
///     connecting ─▶ handshaking (with TLS) ─▶ established ─▶ taken;   failed, timed out, cancelled ─▶ over
///
/// Where the way leads through a tunnel, the descriptor is one end of a pair whose other end whoever holds the tunnel relays;
/// until the tunnel's peer has agreed, nothing is sent: `tunnelling`, then as above.
public final class Connector: EventSource {
    /// How a connection is secured.
    public struct Security {
        public var context: TLSContext
        public var serverName: String
        /// The certificate must be for the server name, which differs from connection to connection.
        public var verifiesServerName: Bool
        public var resuming: TLSResumption?
        /// The one application protocol that is offered; nil: the context's.
        public var alpn: StaticString?

        public init(
            context: TLSContext, serverName: String, verifiesServerName: Bool = false, resuming: TLSResumption?,
            alpn: StaticString? = nil
        ) {
            self.alpn = alpn
            self.verifiesServerName = verifiesServerName
            self.context = context
            self.serverName = serverName
            self.resuming = resuming
        }
    }

    private enum Phase { case tunnelling, connecting, handshaking, over }

    /// Unspecified for a Unix socket.
    public let peer: SocketAddress
    /// Nil: clear text. Made when the socket is connected.
    public private(set) var channel: TLSChannel?
    /// The descriptor is one end of a pair: that the other end goes before ours has finished stands for a reset.
    let isTunnelled: Bool
    private unowned(unsafe) let owner: ConnectionOwner
    private let resources: ConnectionResources
    private var fd: CInt
    private var phase = Phase.connecting
    private let security: Security?
    /// What goes out before everything else (a PROXY header), not sent yet.
    private var preamble: ByteBuffer
    /// What epoll said last: whoever takes over has to know it, since it is not said again.
    private(set) var events = ReadyEvents(rawValue: 0)

    /// Begins to connect; `owner` is told the outcome, never within this call.
    /// - Parameters:
    ///   - unixPath: of a Unix socket, in place of `peer`; empty: none.
    ///   - isOfOurUser: whoever listens at `unixPath` must be a process of this one's user; else it is refused (EACCES), and
    ///     has been sent nothing.
    ///   - timeout: until the connection can be used, its handshake included.
    ///   - preamble: octets that go first, in clear text.
    public init(
        to peer: SocketAddress, unixPath: String = "", isOfOurUser: Bool = false, timeout: TimeAmount,
        security: Security?,
        preamble: consuming ByteBuffer = ByteBuffer(), options: SocketOptions = SocketOptions(),
        owner: ConnectionOwner, resources: ConnectionResources
    ) throws(Errno) {
        self.peer = peer
        self.owner = owner
        self.resources = resources
        self.security = security
        self.preamble = preamble
        isTunnelled = false
        let connected = try unixPath.isEmpty ? Socket.connect(peer, options) : Socket.connect(path: unixPath)
        if isOfOurUser, Socket.peerUser(connected.raw) != geteuid() { throw Errno(EACCES) }
        fd = connected.release()
        if let dials = resources.recentDials, unixPath.isEmpty { dials.note(fd, to: peer) }
        super.init()
        resources.loop.add(fd, self)
        resources.loop.setDeadline(self, resources.loop.now + timeout)
    }

    /// Waits for a tunnel: ``tunnelOpened()`` or ``tunnelFailed(_:)`` is to be called, unless the descriptor's other end sees
    /// this one closed before.
    /// - Parameters:
    ///   - fd: one end of a pair.
    ///   - peer: whom the tunnel leads to.
    ///   - timeout: until the connection can be used, the tunnel's opening included.
    public init(
        through fd: consuming OwnedFD, to peer: SocketAddress, timeout: TimeAmount, security: Security?,
        preamble: consuming ByteBuffer = ByteBuffer(), owner: ConnectionOwner, resources: ConnectionResources
    ) {
        self.peer = peer
        self.owner = owner
        self.resources = resources
        self.security = security
        self.preamble = preamble
        isTunnelled = true
        self.fd = fd.release()
        phase = .tunnelling
        super.init()
        resources.loop.add(self.fd, self)
        resources.loop.setDeadline(self, resources.loop.now + timeout)
    }

    deinit { precondition(fd < 0, "a connector went before its end") }

    /// Nobody waits for it any more.
    public var isOver: Bool { fd < 0 }

    /// The tunnel's peer has agreed: what is sent from now on reaches the endpoint. Its owner may be told within this call.
    public func tunnelOpened() {
        guard fd >= 0, phase == .tunnelling else { return }
        phase = .connecting
        begin()
    }

    /// The tunnel's peer refused, or could not be reached. Its owner is told within this call.
    public func tunnelFailed(_ failure: ConnectFailure) {
        guard fd >= 0 else { return }
        fail(failure)
    }

    public override func ready(_ events: ReadyEvents) {
        guard fd >= 0 else { return }
        self.events = ReadyEvents(rawValue: self.events.rawValue | events.rawValue)
        switch phase {
        case .connecting:
            guard events.has(.anyForWriting) else { return }
            if let error = Socket.pendingError(fd) { return fail(.refused(error)) }
            begin()
        case .tunnelling: break
        case .handshaking:
            if events.has(.anyForReading) { channel?.socketMayHaveMore = true }
            if events.has(.anyEnd) { channel?.peerFinished = true }
            handshake()
        case .over: break
        }
    }

    /// Octets reach the endpoint.
    private func begin() {
        guard sendPreamble() else { return }
        guard let security else { return succeed() }
        channel = TLSChannel(
            TLSSession(
                client: security.context, serverName: security.serverName,
                verifiesServerName: security.verifiesServerName, resuming: security.resuming,
                alpn: security.alpn))
        phase = .handshaking
        handshake()
    }

    /// True: all of it is on its way. A fresh socket takes the few octets of a PROXY header at once; one that does not is
    /// none that we want to wait for.
    private func sendPreamble() -> Bool {
        guard !preamble.isEmpty else { return true }
        switch SystemCalls.send(fd, preamble.view) {
        case .octets(let count) where count == preamble.count:
            preamble.release()
            return true
        case .octets, .wouldBlock, .endOfFile: fail(.timedOut)
        case .failed(let error): fail(.refused(error))
        }
        return false
    }

    private func handshake() {
        guard let channel else { preconditionFailure("a handshake without a channel") }
        while true {
            let step = channel.session.handshake()
            var failure: Errno?
            _ = channel.push(fd, failure: &failure)
            if let failure { return fail(.refused(failure)) }
            switch step {
            case .done: return succeed()
            case .failed(let failure): return fail(.tls(failure.text))
            case .wantsInput:
                switch channel.pull(fd, &resources.buffers) {
                case .octets: continue
                case .endOfFile: channel.session.inputEnded()
                case .wouldBlock: return
                case .failed(let error): return fail(.refused(error))
                }
            }
        }
    }

    public override func deadlinePassed(now: Instant) { fail(.timedOut) }

    private func succeed() {
        resources.loop.clearDeadline(self)
        phase = .over
        owner.established(self)
        precondition(fd < 0, "an established connection was not taken")
    }

    /// The connection's descriptor, still registered with the loop: for ``EventLoop/replace(_:_:)``.
    func take() -> CInt {
        defer { fd = -1 }
        return fd
    }

    /// Nobody waits any more.
    public func cancel() {
        guard fd >= 0 else { return }
        phase = .over
        resources.loop.clearDeadline(self)
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: take())
        channel?.session.releaseWhenIdle(to: &resources.buffers)
    }

    private func fail(_ failure: ConnectFailure) {
        cancel()
        owner.failed(self, failure)
    }
}
