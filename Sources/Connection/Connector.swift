import Core
import IO

/// Makes one connection to an endpoint. Owned by who waits for it; it ends with ``take()`` or ``cancel()``.
///
///     connecting ─ established ─▶ taken;  failed, timed out ─▶ over
public final class Connector: EventSource {
    public let peer: SocketAddress
    private unowned(unsafe) let owner: ConnectionOwner
    private let resources: ConnectionResources
    private var fd: CInt
    /// What epoll said last: whoever takes over has to know it, since it is not said again.
    private(set) var events = ReadyEvents(rawValue: 0)

    /// Begins to connect; `owner` is told the outcome, never within this call.
    /// - Parameter timeout: until the connection can be used.
    public init(
        to peer: SocketAddress, timeout: TimeAmount, owner: ConnectionOwner, resources: ConnectionResources
    ) throws(Errno) {
        self.peer = peer
        self.owner = owner
        self.resources = resources
        fd = try Socket.connect(peer).release()
        super.init()
        resources.loop.add(fd, self)
        resources.loop.setDeadline(self, resources.loop.now + timeout)
    }

    deinit { precondition(fd < 0, "a connector went before its end") }

    public override func ready(_ events: ReadyEvents) {
        guard fd >= 0, events.has(.anyForWriting) else { return }
        self.events = events
        if let error = Socket.pendingError(fd) { return fail(.refused(error)) }
        resources.loop.clearDeadline(self)
        owner.established(self)
        precondition(fd < 0, "an established connection was not taken")
    }

    public override func deadlinePassed(now: Instant) { fail(.timedOut) }

    /// The connection's descriptor, still registered with the loop: for ``EventLoop/replace(_:_:)``.
    func take() -> CInt {
        defer { fd = -1 }
        return fd
    }

    /// Nobody waits any more.
    public func cancel() {
        guard fd >= 0 else { return }
        resources.loop.clearDeadline(self)
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: take())
    }

    private func fail(_ failure: ConnectFailure) {
        cancel()
        owner.failed(self, failure)
    }
}
