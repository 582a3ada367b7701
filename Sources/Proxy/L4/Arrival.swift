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

    enum Phase: UInt8 { case header, hello, over }

    private let worker: Worker
    private(set) var origin: ConnectionOrigin
    var registryIndex = -1
    /// The place among those that wait; theirs alone.
    var awaitedIndex = -1
    private(set) var phase = Phase.header
    private var fd: CInt
    private var input = ByteBuffer()
    /// Octets below which looking for the ClientHello again is no use.
    private var helloOctets = 1
    /// What epoll has told so far: whoever takes over has to know it, since it is not said again.
    private(set) var events = ReadyEvents(rawValue: 0)

    init(adopting fd: consuming OwnedFD, origin: ConnectionOrigin, worker: Worker) {
        self.fd = fd.release()
        self.origin = origin
        self.worker = worker
        super.init()
        worker.loop.add(self.fd, self)
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
        if socket.pointee.proxyProtocol == .off {
            phase = .hello
            guard socket.pointee.isChosenByName else {
                return identified(configuration, socket, serverName: .empty)
            }
        }
        let patience = socket.pointee.client.inspectionTimeout.over(Self.patience)
        worker.loop.setDeadline(self, worker.loop.now + patience)
        worker.arrivals.add(self)
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
        while phase != .over {
            if input.room == 0 { input.reserve(max(Self.firstRoom, input.capacity * 2)) }
            switch SystemCalls.receive(fd, into: &input) {
            case .octets:
                guard let (configuration, socket) = place else { return close() }
                read(configuration, socket)
            case .wouldBlock: return
            case .endOfFile, .failed: return close()
            }
        }
    }

    // MARK: reading

    private func read(_ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>) {
        if phase == .header, !readHeader(socket) { return }
        if phase == .hello { readHello(configuration, socket) }
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

    /// A header is missing or broken: who speaks here is not whom the configuration trusts, and is not answered.
    private func refuse() {
        worker.statistics.increment(.proxyHeadersRefused)
        close()
    }

    /// Looks for the server name, without answering anything, where it decides who answers at all.
    private func readHello(_ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>) {
        guard socket.pointee.isChosenByName else {
            return identified(configuration, socket, serverName: .empty)
        }
        guard input.count >= helloOctets else { return }
        switch ClientHello.peek(input.view) {
        case .needMore(let atLeast): helloOctets = atLeast
        case .hello(let hello):
            (hello.serverName ?? []).withView { identified(configuration, socket, serverName: $0) }
        // Whoever would answer is not known, so there is nobody to send an alert.
        case .notTLS, .malformed: close()
        }
    }

    override func deadlinePassed(now: Instant) {
        guard phase != .over else { return }
        // Where a header is optional, silence is none: on some protocols the server speaks first.
        if phase == .header, input.isEmpty, let (configuration, socket) = place,
            socket.pointee.proxyProtocol == .optional, !socket.pointee.beginsWithTLS
        {
            return identified(configuration, socket, serverName: .empty)
        }
        worker.statistics.increment(.arrivalsTimedOut)
        close()
    }

    // MARK: handing over

    /// It is known what the connection is.
    private func identified(
        _ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>, serverName: ByteView
    ) {
        phase = .over
        worker.loop.clearDeadline(self)
        worker.arrivals.remove(self)
        let listener = worker.relays.listener(serverName, on: socket, in: configuration.snapshot)
        switch socket.pointee.listenerProtocol {
        case .http: worker.beginHTTP(self)
        case .tcp: worker.relays.begin(.tcp, .empty, self, listener, configuration)
        case .https, .tlsTerminate, .tlsPassthrough, .hbone:
            if listener?.pointee.listenerProtocol == .tlsPassthrough {
                worker.relays.begin(.tls, serverName, self, listener, configuration)
            } else if listener == nil, socket.pointee.isChosenByName, !socket.pointee.answersUnknownNames {
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
        close()
    }

    /// What lies in the socket is read first; who has said nothing is told by the connection's end.
    func drain() {
        ready([])
        if phase != .over, input.isEmpty { close() }
    }

    func cut() { close() }
}
