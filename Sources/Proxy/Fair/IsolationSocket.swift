import Connection
import Core
import Glibc
import HTTP
import IO
import Upstream

/// Where the last worker of a family takes calls of isolated services, which the others hand to it: a Unix socket without a name in
/// any file system, which the supervisor holds and every last worker inherits. What comes while there is none waits in it.
/// Level-triggered.
///
/// Limit: ``batch`` connections a turn; those that are accepted count as any others of the worker.
final class IsolationSocket: EventSource {
    static let batch = 64

    private let fd: SharedFD
    private let worker: Worker
    private var isDrained = false
    private var isPausing = false

    init(_ fd: SharedFD, worker: Worker) {
        self.fd = fd
        self.worker = worker
        super.init()
        worker.loop.addReader(fd.raw, self)
    }

    override func ready(_ events: ReadyEvents) {
        for _ in 0..<Self.batch {
            do throws(Errno) {
                guard try acceptOne() else { return }
            } catch {
                return pause()
            }
        }
    }

    /// False: nobody waits.
    private func acceptOne() throws(Errno) -> Bool {
        guard let accepted = try Socket.accept(fd.raw) else { return false }
        let fd = OwnedFD(adopting: accepted.fd)
        // Nobody but the family may say who calls.
        guard Socket.peerUser(fd.raw) == geteuid(), worker.overload.admits() else { return true }
        worker.registry.adopt(HandedConnection(adopting: fd, worker: worker))
        return true
    }

    /// The whole family drains, and after this worker nobody accepts here again. The socket lives on in the supervisor and in every
    /// worker: who connected to it now would wait for an answer that nobody gives. So it is shut for all of them, and they are
    /// refused at once. Those that came before are served.
    func drain() {
        guard !isDrained else { return }
        isDrained = true
        acceptAll()
        Glibc.shutdown(fd.raw, CInt(SHUT_RDWR))
        // Who came in between.
        acceptAll()
        if isPausing { worker.loop.clearDeadline(self) } else { worker.loop.remove(fd.raw, closing: false) }
    }

    /// Those that wait; where descriptors are short, as many as there are.
    private func acceptAll() {
        while (try? acceptOne()) == true {}
    }

    /// Descriptors or memory are short: what waits stays in the queue. Accepting again at once would spin.
    private func pause() {
        worker.statistics.increment(.downstreamConnectionsRefused)
        worker.registry.closeOldestIdle(count: Self.batch)
        isPausing = true
        worker.loop.remove(fd.raw, closing: false)
        worker.loop.setDeadline(self, worker.loop.now + Worker.acceptPause)
    }

    override func deadlinePassed(now: Instant) {
        isPausing = false
        worker.loop.addReader(fd.raw, self)
    }
}

/// A connection of another worker's, until it has said whose call comes on it: then it is served as if it had been accepted here.
final class HandedConnection: EventSource, DownstreamConnection {
    /// Until the header is there.
    static let patience = TimeAmount.seconds(2)

    private let worker: Worker
    private(set) var origin: ConnectionOrigin
    var registryIndex = -1
    private(set) var isClosed = false
    private var fd: CInt
    private var input = ByteBuffer()
    private var events = ReadyEvents(rawValue: 0)

    init(adopting fd: consuming OwnedFD, worker: Worker) {
        self.fd = fd.release()
        self.worker = worker
        origin = ConnectionOrigin(peer: SocketAddress(ip: .any, port: 0), socketID: 0, acceptedAt: worker.loop.now)
        super.init()
        worker.loop.add(self.fd, self)
        worker.loop.setDeadline(self, worker.loop.now + Self.patience)
    }

    var isIdle: Bool { false }
    var isFresh: Bool { true }
    /// The header is on its way, and a request behind it; ``patience`` ends who says nothing.
    func drain() {}

    func makeWay() -> Bool {
        close()
        return true
    }

    func cut() { close() }
    override func deadlinePassed(now: Instant) { close() }

    override func ready(_ events: ReadyEvents) {
        guard fd >= 0 else { return }
        self.events.formUnion(events)
        while fd >= 0 {
            if input.room == 0 { input.reserve(max(2048, input.capacity * 2)) }
            switch SystemCalls.receive(fd, into: &input) {
            case .octets:
                switch ProxyHeader.parse(input.view) {
                case .needMore: continue
                case .absent, .malformed: return close()
                case .complete(let header):
                    guard HandedOrigin.read(header, input.view, into: &origin, worker) else { return close() }
                    input.consume(header.length)
                    return begin()
                }
            case .wouldBlock: return
            case .endOfFile, .failed: return close()
            }
        }
    }

    private func begin() {
        worker.loop.clearDeadline(self)
        var received = ByteBuffer()
        swap(&received, &input)
        let raw = fd
        fd = -1
        let connection = HTTP1ServerConnection(
            taking: raw, received: received, origin: origin, acceptor: worker, resources: worker.resources)
        worker.registry.replace(self, with: connection)
        connection.ready(events)
        if worker.isDraining { connection.drain() }
    }

    private func close() {
        guard fd >= 0 else { return }
        worker.loop.clearDeadline(self)
        worker.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        isClosed = true
        worker.registry.forget(self)
    }
}

/// How one worker tells another where a call came from: in a header of the PROXY protocol, version 2, whose destination is the
/// listener, with fields of our own for what else the connection's origin has.
enum HandedOrigin {
    private enum Field: UInt8 {
        case principal = 0xE1
        case namespace, name, flow, authority, address, listener, group, handedOn
    }

    static func write(_ origin: ConnectionOrigin, listener: SocketAddress, to header: inout ByteBuffer) {
        var fields = ByteBuffer()
        if let caller = origin.caller {
            append(.principal, caller.principal, to: &fields)
            append(.namespace, caller.namespace, to: &fields)
            append(.name, caller.name, to: &fields)
            append(.flow, Array("\(caller.flow)".utf8), to: &fields)
        }
        if origin.isSecure { append(.listener, Array("\(origin.listenerIdentity)".utf8), to: &fields) }
        if origin.groupIdentity != 0 { append(.group, Array("\(origin.groupIdentity)".utf8), to: &fields) }
        if origin.isHandedOn { append(.handedOn, [], to: &fields) }
        switch origin.destination {
        case nil: break
        case .address(let address): append(.address, Array(address.description.utf8), to: &fields)
        case .authority(let host, let port): append(.authority, Array("\(port) ".utf8) + host, to: &fields)
        }
        ProxyHeaderWriter.writeV2(source: origin.peer, destination: listener, fields: fields.view, to: &header)
    }

    /// Longer values than any of ours are cut: a field has 16 bits for its length.
    private static func append(_ field: Field, _ value: [UInt8], to fields: inout ByteBuffer) {
        let count = min(value.count, 2048)
        fields.append(byte: field.rawValue)
        fields.append(byte: UInt8(count >> 8))
        fields.append(byte: UInt8(truncatingIfNeeded: count))
        value.withView { fields.append($0.upTo(count)) }
    }

    /// False: no listener here has this address.
    static func read(
        _ header: ProxyHeader, _ octets: ByteView, into origin: inout ConnectionOrigin, _ worker: Worker
    ) -> Bool {
        guard case .addresses(let source, let listener) = header.origin, let socket = worker.socketID(of: listener)
        else { return false }
        origin.peer = source
        origin.socketID = socket
        origin.wasPermitted = true
        var values: [Field: ByteView] = [:]
        let fields = octets[header.fields]
        var at = 0
        while at + 3 <= fields.count {
            let end = at + 3 + (Int(fields[at + 1]) << 8 | Int(fields[at + 2]))
            guard end <= fields.count else { return false }
            if let field = Field(rawValue: fields[at]) { values[field] = fields[(at + 3)..<end] }
            at = end
        }
        origin.listenerIdentity = values[.listener]?.decimal64 ?? 0
        origin.groupIdentity = values[.group]?.decimal64 ?? 0
        origin.wasHandedOn = values[.handedOn] != nil
        if let flow = values[.flow]?.decimal64 {
            origin.caller = Caller(
                principal: values[.principal]?.array ?? [], namespace: values[.namespace]?.array ?? [],
                name: values[.name]?.array ?? [], flow: flow)
        }
        if let text = values[.address], let address = SocketAddress(ofEndpoint: text) {
            origin.destination = .address(address)
        } else if let text = values[.authority], let space = text.firstIndex(of: ASCII.space),
            let port = text.upTo(space).decimal
        {
            origin.destination = .authority(host: text.from(space + 1).array, port: UInt16(clamping: port))
        }
        return true
    }
}

extension ByteView {
    fileprivate var decimal64: UInt64? { UInt64(string) }
}
