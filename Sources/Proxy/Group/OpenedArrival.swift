import Config
import Connection
import Core
import IO
import TLS
import Telemetry

/// A connection whose TLS a group's listener has ended, for a member below HTTP: owns the descriptor until it is known what
/// is spoken inside. Then it hands everything over, to a relay or as a connection of HTTP.
///
/// What is inside is what the member's port declares. Where nobody declares it what comes first tells, within
/// ``Arrival/sniffing``, as of connections without TLS.
///
/// Limit: ``Arrivals/limit``.
final class OpenedArrival: EventSource, DownstreamConnection, Awaited {
    let worker: Worker
    let channel: TLSChannel
    let origin: ConnectionOrigin
    var registryIndex = -1
    /// The place among those that wait; theirs alone.
    var awaitedIndex = -1
    private var fd: CInt
    private var input = ByteBuffer()
    private var isOver = false

    /// Takes a handshake over that is complete, and its place in the registry.
    /// - Parameter origin: counted, and settled.
    init(_ handshake: TLSHandshake, _ fd: CInt, _ origin: ConnectionOrigin, worker: Worker) {
        self.fd = fd
        self.origin = origin
        self.worker = worker
        channel = handshake.channel
        super.init()
        worker.loop.replace(fd, self)
        worker.registry.replace(handshake, with: self)
    }

    deinit { precondition(fd < 0, "an opened connection went before its end") }

    var isIdle: Bool { !isOver && input.isEmpty }
    var isFresh: Bool { true }
    private(set) var isClosed = false
    var serverName: [UInt8] { channel.session.serverName }

    /// Waits for what tells what is spoken.
    func sniff() {
        worker.loop.setDeadline(self, worker.loop.now + Arrival.sniffing)
        worker.arrivals.add(self)
        // The handshake may have brought more than its end.
        ready(.anyTransfer)
    }

    override func ready(_ events: ReadyEvents) {
        guard !isOver else { return }
        if events.has(.anyForReading) { channel.socketMayHaveMore = true }
        if events.has(.anyEnd) { channel.peerFinished = true }
        while !isOver {
            worker.resources.buffers.supply(&input)
            if input.room == 0 { input.reserve(input.capacity * 2) }
            switch channel.receive(fd, into: &input, &worker.resources.buffers) {
            case .octets:
                switch SniffedProtocol(input.view) {
                case .http: beginHTTP()
                case .tls, .octets: relay()
                case .unknown: break
                }
            case .wouldBlock: return
            case .endOfFile: return input.isEmpty || channel.isTruncated ? close() : relay()
            case .failed: return close()
            }
        }
    }

    /// Who says nothing waits for the server to speak.
    override func deadlinePassed(now: Instant) { if !isOver { relay() } }

    // MARK: handing over

    /// To the member that the server name means by now.
    func relay() {
        guard let configuration = worker.configuration, let number = configuration.listener(origin.listenerIdentity)
        else { return close() }
        let listener = configuration.snapshot[configuration.snapshot.header.pointee.listeners, Int(number)]
        guard listener.pointee.isOfGroup else { return close() }
        handOver()
        serverName.withView { name in
            guard
                case .member(let call) = configuration.lookUp(serverName: name, within: listener, for: origin)
            else { return worker.relays.refuse(self, RelayChoice(.tls, serverName: name), .noRoute) }
            worker.relays.begin(self, name, call, on: listener, configuration)
        }
    }

    private func beginHTTP() {
        handOver()
        let connection = HTTP1ServerConnection(
            taking: take(), tls: channel, received: takeInput(), origin: origin, acceptor: worker,
            resources: worker.resources)
        worker.registry.replace(self, with: connection)
        connection.ready(.anyTransfer)
        if worker.isDraining { connection.drain() }
    }

    private func handOver() {
        isOver = true
        worker.loop.clearDeadline(self)
        worker.arrivals.remove(self)
    }

    /// What epoll may have told: whoever takes over has to know it, since it is not said again.
    var events: ReadyEvents { channel.peerFinished ? .anyTransfer.union(.peerClosed) : .anyTransfer }

    /// What was read of it already.
    var octets: ByteView { input.view }

    /// The descriptor, still registered with the loop: for ``EventLoop/replace(_:_:)``.
    func take() -> CInt {
        precondition(isOver && fd >= 0, "nothing to take over")
        defer { fd = -1 }
        return fd
    }

    private func takeInput() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &input)
        return taken
    }

    /// What was read has been copied by who goes on.
    func letGoOfInput() { worker.resources.buffers.reclaim(&input) }

    // MARK: ending

    /// Closes it, says nothing to its peer, and has it forgotten.
    func close() {
        guard fd >= 0 else { return }
        handOver()
        isClosed = true
        worker.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        channel.session.releaseWhenIdle(to: &worker.resources.buffers)
        letGoOfInput()
        if registryIndex >= 0 { worker.registry.forget(self) }
    }

    /// As `close`, by a reset.
    func abort() {
        if fd >= 0 { Socket.resetOnClose(fd) }
        close()
    }

    func giveUp() { close() }
    /// What is spoken shows within ``Arrival/sniffing``: a request may be under way to us, so nothing ends before.
    func drain() {}

    func makeWay() -> Bool {
        if isIdle { close() }
        return isClosed
    }

    func cut() { close() }
}
