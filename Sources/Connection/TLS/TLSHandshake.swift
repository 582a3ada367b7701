import Core
import IO
import TLS

/// A downstream connection until its TLS handshake is over. Owned by who accepted it; ends with
/// ``take(listenerIdentity:)``, or by failing.
public final class TLSHandshake: EventSource, DownstreamConnection {
    public var registryIndex = -1
    /// The place among those that wait; theirs alone.
    public var awaitedIndex = -1
    public let channel: TLSChannel
    public private(set) var origin: ConnectionOrigin
    private unowned(unsafe) let owner: ConnectionOwner
    private let resources: ConnectionResources
    private var fd: CInt
    private(set) var events = ReadyEvents(rawValue: 0)
    private var mayWrite = true

    private init(
        _ fd: CInt, _ origin: ConnectionOrigin, _ front: TLSFront, _ owner: ConnectionOwner,
        _ resources: ConnectionResources
    ) {
        self.fd = fd
        self.origin = origin
        self.owner = owner
        self.resources = resources
        channel = TLSChannel(TLSSession(server: front))
        super.init()
        resources.loop.setDeadline(self, resources.loop.now + (origin.terms ?? resources.terms).limits.handshake)
    }

    /// - Parameters:
    ///   - fd: registered with the loop, for another source; from now on this one's. Begins with the next ``ready(_:)``,
    ///     which the caller owes.
    ///   - received: what was read of the ClientHello already.
    ///   - front: chooses the certificate by the name that is asked for.
    public convenience init(
        taking fd: CInt, received: consuming ByteBuffer, origin: ConnectionOrigin, front: TLSFront,
        owner: ConnectionOwner, resources: ConnectionResources
    ) {
        self.init(fd, origin, front, owner, resources)
        channel.session.received = received
        resources.loop.replace(fd, self)
    }

    /// A connection that was accepted just now.
    public convenience init(
        adopting fd: consuming OwnedFD, origin: ConnectionOrigin, front: TLSFront, owner: ConnectionOwner,
        resources: ConnectionResources
    ) {
        let raw = fd.release()
        self.init(raw, origin, front, owner, resources)
        resources.loop.add(raw, self)
    }

    public var isIdle: Bool { false }
    public var isFresh: Bool { true }
    public var isClosed: Bool { fd < 0 }
    /// It goes on: what the client says inside decides.
    public func drain() {}
    public func cut() { close(.init(.truncated, "the gateway ends")) }

    deinit { precondition(fd < 0, "a handshake went before its end") }

    public override func ready(_ events: ReadyEvents) {
        guard fd >= 0 else { return }
        if events.has(.anyForReading) {
            channel.socketMayHaveMore = true
            self.events = events
        }
        if events.has(.anyForWriting) { mayWrite = true }
        if events.has(.anyEnd) { channel.peerFinished = true }
        advance()
    }

    /// Goes on as far as the peer allows.
    private func advance() {
        while true {
            let step = channel.session.handshake()
            guard push() else { return close(.init(.truncated, "the connection was lost")) }
            switch step {
            case .done:
                resources.loop.clearDeadline(self)
                owner.handshakeEnded(self)
                precondition(fd < 0, "a connection was not taken over after its handshake")
                return
            case .failed(let failure): return close(failure)
            case .wantsInput:
                switch channel.pull(fd, &resources.buffers) {
                case .octets: continue
                case .endOfFile: channel.session.inputEnded()
                case .wouldBlock: return
                case .failed(let error): return close(.init(.truncated, error.description))
                }
            }
        }
    }

    private func push() -> Bool {
        guard mayWrite else { return true }
        var failure: Errno?
        if !channel.push(fd, failure: &failure) { mayWrite = false }
        return failure == nil
    }

    public override func deadlinePassed(now: Instant) {
        close(.init(.truncated, "the handshake was not complete in time"))
    }

    /// The descriptor, still registered with the loop: for ``EventLoop/replace(_:_:)``.
    public func take(listenerIdentity: UInt64) -> (fd: CInt, origin: ConnectionOrigin) {
        defer { fd = -1 }
        origin.listenerIdentity = listenerIdentity
        return (fd, origin)
    }

    /// Ends it without a word to the owner.
    public func cancel() {
        guard fd >= 0 else { return }
        resources.loop.clearDeadline(self)
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        channel.session.releaseWhenIdle(to: &resources.buffers)
    }

    private func close(_ failure: TLSFailure) {
        cancel()
        owner.handshakeFailed(self, failure)
    }
}
