import Config
import Connection
import Core
import IO
import TLS
import Telemetry

/// An accepted connection before it is known what is spoken on it: owns the descriptor until a PROXY header, where the
/// socket asks for one, and the server name, where that decides, have been read. Then it hands everything over.
///
///     header ─▶ hello ─▶ over
///
/// Limits: ``patience``; the header's length (``ProxyHeader/longestV2``) and the ClientHello's; ``Arrivals/limit``.
final class Arrival: EventSource, DownstreamConnection, Awaited {
    /// How long a header and a ClientHello together may take.
    static let patience = TimeAmount.seconds(10)
    /// What is read at first; most headers and ClientHellos fit.
    private static let firstRoom = 2048

    enum Phase: UInt8 {
        case header, hello, over
        /// Where it goes is known, what is spoken there is not: what comes first tells.
        case sniffing
        /// The address of the host that it goes to is looked up.
        case resolving
    }

    let worker: Worker
    var origin: ConnectionOrigin
    var registryIndex = -1
    /// The place among those that wait; theirs alone.
    var awaitedIndex = -1
    var phase = Phase.header
    private var fd: CInt
    var input = ByteBuffer()
    /// Octets below which looking for the ClientHello again is no use.
    var helloOctets = 1
    /// What policies had to say of it.
    var words = RelayWords()
    /// What waits for the address of a host; nil: nothing does.
    var outward: OutwardCall?
    /// What epoll has told so far: whoever takes over has to know it, since it is not said again.
    private(set) var events = ReadyEvents(rawValue: 0)

    init(adopting fd: consuming OwnedFD, origin: ConnectionOrigin, worker: Worker) {
        self.fd = fd.release()
        self.origin = origin
        self.worker = worker
        super.init()
        worker.loop.add(self.fd, self)
    }

    /// Takes over a descriptor that is registered with the loop, and what was read from it.
    init(taking fd: CInt, received: consuming ByteBuffer, origin: ConnectionOrigin, worker: Worker) {
        self.fd = fd
        self.origin = origin
        self.worker = worker
        input = received
        // What the socket does not take or have after all, it says.
        events = .anyTransfer
        super.init()
        worker.loop.replace(fd, self)
    }

    deinit { precondition(fd < 0, "an arrival went before its end") }

    var isIdle: Bool { phase != .over && input.isEmpty }
    var isFresh: Bool { true }
    private(set) var isClosed = false

    /// What was read of the connection behind a PROXY header.
    var octets: ByteView { input.view }

    /// Begins, once the registry knows it: at once with what follows, when there is nothing to wait for.
    func begin() {
        guard let (configuration, socket) = place else { return close() }
        // A PROXY header comes before all else on a socket, not inside of what it carries.
        if socket.pointee.proxyProtocol == .off || origin.destination != nil {
            phase = .hello
            if let listener = calledListener(configuration, socket) {
                return follow(listener, configuration)
            }
            guard socket.pointee.isChosenByName else {
                return identified(configuration, socket, serverName: .empty)
            }
        }
        wait(socket.pointee.client.inspectionTimeout.over(Self.patience))
    }

    /// Waits for octets, for so long and no longer.
    func wait(_ patience: TimeAmount) {
        worker.loop.setDeadline(self, worker.loop.now + patience)
        if awaitedIndex < 0 { worker.arrivals.add(self) }
        // What came with what was before is not told again.
        if events.has(.readable) { worker.loop.again(self) }
    }

    /// Where it arrived, as it is configured now.
    private var place: (LiveConfiguration, UnsafePointer<SocketConfig>)? {
        guard let configuration = worker.configuration, let index = configuration.index(ofSocket: origin.socketID)
        else {
            return nil
        }
        return (configuration, configuration.snapshot[configuration.snapshot.header.pointee.sockets, Int(index)])
    }

    override func ready(_ events: ReadyEvents) {
        guard phase != .over else { return }
        self.events.formUnion(events)
        while phase != .over, phase != .resolving {
            if input.room == 0 { input.reserve(max(Self.firstRoom, input.capacity * 2)) }
            switch SystemCalls.receive(fd, into: &input) {
            case .octets:
                guard let (configuration, socket) = place else { return close() }
                read(configuration, socket)
            case .wouldBlock: return
            case .endOfFile:
                // Who speaks last may have said all: half a connection is one, too.
                guard phase == .sniffing, !input.isEmpty else { return close() }
                return sniffed(.octets)
            case .failed: return close()
            }
        }
    }

    // MARK: reading

    private func read(_ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>) {
        if phase == .header {
            guard readHeader(socket) else { return }
            noteAnnouncement(configuration, socket)
            guard worker.countsCaller(on: socket, &origin, configuration) else { return close() }
            if let listener = calledListener(configuration, socket) { return follow(listener, configuration) }
        }
        switch phase {
        case .hello: readHello(configuration, socket)
        case .sniffing: sniff()
        case .header, .resolving, .over: break
        }
    }

    /// True: what follows is the connection's own.
    private func readHeader(_ socket: UnsafePointer<SocketConfig>) -> Bool {
        switch ProxyHeader.parse(input.view) {
        case .needMore: return false
        case .absent:
            guard socket.pointee.proxyProtocol != .required else {
                refuse()
                return false
            }
        case .malformed:
            refuse()
            return false
        case .complete(let header):
            if case .addresses(let source, let destination) = header.origin {
                let fields = header.fields.isEmpty ? [] : input.view[header.fields].array
                origin.peer = source
                origin.proxied = ProxiedOrigin(destination: destination, fields: fields)
            }
            input.consume(header.length)
        }
        phase = .hello
        return true
    }

    /// Who stands in for a gateway that takes connections transparently tells in the header where the client was going
    /// (`sluice guard --proxy-protocol`). An address of no member is that gateway's own, and says nothing.
    private func noteAnnouncement(_ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>) {
        guard origin.destination == nil, let destination = origin.proxied?.destination,
            let listener = configuration.groupListener(of: origin, on: socket),
            case .member = configuration.routes.lookUp(address: destination, in: listener.pointee.group)
        else { return }
        origin.destination = .address(destination)
    }

    /// A header is missing or broken: who speaks here is not whom the configuration trusts, and is not answered.
    private func refuse() {
        worker.statistics.increment(.proxyHeadersRefused)
        close()
    }

    /// Looks for the server name, without answering anything, where it decides who answers at all.
    func readHello(_ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>) {
        guard socket.pointee.isChosenByName || isCall else {
            return identified(configuration, socket, serverName: .empty)
        }
        guard input.count >= helloOctets else { return }
        switch ClientHello.peek(input.view) {
        case .needMore(let atLeast): helloOctets = atLeast
        case .hello(let hello):
            (hello.serverName ?? []).withView {
                if isCall { sniffed(.tls(serverName: $0)) } else { identified(configuration, socket, serverName: $0) }
            }
        // Whoever would answer is not known, so there is nobody to send an alert.
        case .notTLS, .malformed: close()
        }
    }

    override func deadlinePassed(now: Instant) {
        guard phase != .over else { return }
        if phase == .sniffing { return sniffed(.octets) }
        if phase == .resolving { return resolvingTookTooLong() }
        // Where a header is optional, silence is none: on some protocols the server speaks first.
        if phase == .header, input.isEmpty, let (configuration, socket) = place,
            socket.pointee.proxyProtocol == .optional, !socket.pointee.beginsWithTLS
        {
            guard worker.countsCaller(on: socket, &origin, configuration) else { return close() }
            return identified(configuration, socket, serverName: .empty)
        }
        worker.statistics.increment(.arrivalsTimedOut)
        close()
    }

    // MARK: handing over

    /// What follows takes the connection over.
    func handOver() {
        phase = .over
        worker.loop.clearDeadline(self)
        worker.arrivals.remove(self)
    }

    /// It is known what the connection is.
    private func identified(
        _ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>, serverName: ByteView
    ) {
        let listener = worker.relays.listener(serverName, on: socket, in: configuration.snapshot)
        if let listener {
            if listener.pointee.isOfGroup, begins(byNameOn: listener, serverName: serverName, configuration) { return }
            if listener.pointee.listenerProtocol == .tlsPassthrough {
                return passOn(serverName, listener, configuration)
            }
        }
        handOver()
        switch socket.pointee.listenerProtocol {
        case .http: worker.beginHTTP(self)
        case .tcp: worker.relays.begin(.tcp, .empty, self, listener, configuration)
        case .https, .tlsTerminate, .tlsPassthrough, .hbone:
            if listener == nil, socket.pointee.isChosenByName, !socket.pointee.answersUnknownNames {
                // Closed, counted and recorded as what leads nowhere.
                worker.relays.begin(.tls, serverName, self, nil, configuration)
            } else {
                worker.beginHandshake(self)
            }
        case .udp: preconditionFailure("a connection on a socket for datagrams")
        }
        precondition(fd < 0, "an arrival was not taken over")
    }

    /// The descriptor, still registered with the loop: for ``EventLoop/replace(_:_:)``. Who takes it also takes
    /// ``octets``, ``events`` and the place in the registry.
    func take() -> CInt {
        precondition(phase == .over && fd >= 0, "nothing to take over")
        defer { fd = -1 }
        return fd
    }

    /// ``octets``, and the memory that they lie in.
    func takeInput() -> ByteBuffer {
        precondition(phase == .over, "nothing to take over")
        var taken = ByteBuffer()
        swap(&taken, &input)
        return taken
    }

    // MARK: ending

    /// Closes it, says nothing to its peer, and has it forgotten.
    func close() {
        guard fd >= 0 else { return }
        if outward != nil { stopResolving() }
        phase = .over
        isClosed = true
        worker.loop.clearDeadline(self)
        worker.arrivals.remove(self)
        worker.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        if registryIndex >= 0 { worker.registry.forget(self) }
    }

    func giveUp() { close() }

    /// As `close`, by a reset.
    func abort() {
        if fd >= 0 { Socket.resetOnClose(fd) }
        origin.tunnel?.willBreak()
        close()
    }

    /// What lies in the socket is read; who has said nothing has less time for it than there was.
    func drain() {
        ready([])
        guard phase == .header || phase == .hello, input.isEmpty else { return }
        worker.loop.setDeadline(self, worker.loop.now + ConnectionLimits.drainGrace)
    }

    func makeWay() -> Bool {
        ready([])
        if isIdle, phase != .resolving { close() }
        return isClosed
    }

    func cut() { close() }
}
