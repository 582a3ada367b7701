import Core

/// A set of manifests that took effect, as the controller hands it to the supervisor and, after a respawn, gets it back.
public struct Publication {
    public var generation: UInt64
    /// Grows with every publication over the life of the family; a respawned controller goes on from the one in
    /// ``ControllerHello/current``.
    public var revision: UInt64
    /// The sealed block (``SealedBlock``) that every worker maps.
    public var snapshot: SharedFD
    /// Ids of the listening sockets that the snapshot uses, at most ``ControllerRequest/addressLimit``.
    public var sockets: [UInt32]
    /// One more memfd that the supervisor only keeps, for the controller's own use after a respawn (the manifests' text).
    public var deposit: SharedFD?

    public init(
        generation: UInt64, revision: UInt64, snapshot: SharedFD, sockets: [UInt32], deposit: SharedFD? = nil
    ) {
        self.generation = generation
        self.revision = revision
        self.snapshot = snapshot
        self.sockets = sockets
        self.deposit = deposit
    }

    func write(to writer: inout FrameWriter) {
        writer.add(generation)
        writer.add(revision)
        writer.add(UInt8(deposit == nil ? 0 : 1))
        writer.add(sockets) { $0.add($1) }
    }

    var descriptors: [SharedFD] { deposit.map { [snapshot, $0] } ?? [snapshot] }

    init(from reader: inout FrameReader) throws(MalformedFrame) {
        generation = try reader.number()
        revision = try reader.number()
        let deposited = try reader.number(UInt8.self)
        sockets = try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in try reader.number() }
        snapshot = try reader.descriptor()
        deposit = deposited == 0 ? nil : try reader.descriptor()
    }
}

/// What became of the wish to listen on an address.
public struct Binding: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        /// The supervisor's number for the address's sockets, stable while it is bound; never 0.
        case bound(id: UInt32)
        case failed(Errno)
    }

    public var address: ListeningAddress
    public var outcome: Outcome

    public init(address: ListeningAddress, outcome: Outcome) {
        self.address = address
        self.outcome = outcome
    }

    func write(to writer: inout FrameWriter) {
        writer.add(address)
        switch outcome {
        case .bound(let id):
            writer.add(id)
            writer.add(Int32(0))
        case .failed(let errno):
            writer.add(UInt32(0))
            writer.add(errno.code)
        }
    }

    init(from reader: inout FrameReader) throws(MalformedFrame) {
        address = try reader.listeningAddress()
        let id = try reader.number(UInt32.self)
        let code = try reader.number(Int32.self)
        guard (id == 0) != (code == 0) else { throw .illegalValue }
        outcome = id != 0 ? .bound(id: id) : .failed(Errno(code))
    }
}

/// A worker as the supervisor sees it.
public struct WorkerStatus: Equatable, Sendable {
    public enum State: UInt8, Sendable { case starting, serving, backingOff, draining, gone }
    public var index: UInt16
    public var state: State
    /// 0 while there is no process.
    public var pid: Int32
    /// Wall clock of the last start, nanoseconds since 1970.
    public var startedAt: Int64
    /// How often it was started again.
    public var restarts: UInt32
    /// How its last process ended; nil: there is only the first.
    public var lastDeath: Death?
    /// Of the snapshot it serves; 0: none yet.
    public var revision: UInt64

    public init(
        index: UInt16, state: State, pid: Int32, startedAt: Int64, restarts: UInt32, lastDeath: Death?, revision: UInt64
    ) {
        self.index = index
        self.state = state
        self.pid = pid
        self.startedAt = startedAt
        self.restarts = restarts
        self.lastDeath = lastDeath
        self.revision = revision
    }

    func write(to writer: inout FrameWriter) {
        writer.add(index)
        writer.add(state.rawValue)
        writer.add(pid)
        writer.add(startedAt)
        writer.add(restarts)
        switch lastDeath {
        case nil: writer.add(UInt16(0))
        case .exited(let code): writer.add(UInt16(0x100) | UInt16(code))
        case .killed(let signal): writer.add(UInt16(0x200) | UInt16(signal))
        }
        writer.add(revision)
    }

    init(from reader: inout FrameReader) throws(MalformedFrame) {
        index = try reader.number()
        guard let state = State(rawValue: try reader.number()) else { throw .illegalValue }
        self.state = state
        pid = try reader.number()
        startedAt = try reader.number()
        restarts = try reader.number()
        let death = try reader.number(UInt16.self)
        switch death >> 8 {
        case 0: lastDeath = nil
        case 1: lastDeath = .exited(code: UInt8(truncatingIfNeeded: death))
        case 2: lastDeath = .killed(signal: UInt8(truncatingIfNeeded: death))
        default: throw .illegalValue
        }
        revision = try reader.number()
    }
}

/// The first thing a controller hears: what the family has already.
public struct ControllerHello {
    public var workers: UInt16
    /// Times a controller was started before this one.
    public var restarts: UInt32
    /// Every address that is bound, used or not.
    public var bound: [Binding]
    /// What the workers serve; nil when nothing was published yet.
    public var current: Publication?

    public init(workers: UInt16, restarts: UInt32, bound: [Binding], current: Publication?) {
        self.workers = workers
        self.restarts = restarts
        self.bound = bound
        self.current = current
    }
}

/// What the supervisor tells the controller.
public enum ControllerNews: FamilyMessage {
    case hello(ControllerHello)
    /// The answer to one ``ControllerRequest/bind(_:)``, in its order.
    case bound([Binding])
    /// Every worker that runs serves this publication or a later one; `workers` of them do. Workers that keep dying and
    /// wait for their next start are not waited for.
    case published(generation: UInt64, revision: UInt64, workers: UInt16)
    /// SIGHUP: load the manifests again.
    case reload
    /// SIGUSR1.
    case reopenLogs
    /// Not ready from now on: after `delay` the workers stop accepting, `timeout` later the rest is cut.
    case drainBegan(delay: TimeAmount, timeout: TimeAmount)
    /// All workers, whenever one of them changed its state.
    case workers([WorkerStatus])
    /// Write out what is buffered in logs and exit with ``RoleExit/done`` now.
    case quit

    public var frame: Frame {
        var writer = FrameWriter()
        switch self {
        case .hello(let hello):
            writer.add(hello.workers)
            writer.add(hello.restarts)
            writer.add(hello.bound) { $1.write(to: &$0) }
            writer.add(UInt8(hello.current == nil ? 0 : 1))
            hello.current?.write(to: &writer)
            return Frame(kind: 201, payload: writer.payload, descriptors: hello.current?.descriptors ?? [])
        case .bound(let list):
            writer.add(list) { $1.write(to: &$0) }
            return Frame(kind: 202, payload: writer.payload)
        case .published(let generation, let revision, let workers):
            writer.add(generation)
            writer.add(revision)
            writer.add(workers)
            return Frame(kind: 203, payload: writer.payload)
        case .reload: return Frame(kind: 204)
        case .reopenLogs: return Frame(kind: 205)
        case .drainBegan(let delay, let timeout):
            writer.add(delay.nanoseconds)
            writer.add(timeout.nanoseconds)
            return Frame(kind: 206, payload: writer.payload)
        case .workers(let list):
            writer.add(list) { $1.write(to: &$0) }
            return Frame(kind: 207, payload: writer.payload)
        case .quit: return Frame(kind: 208)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 201:
            let workers = try reader.number(UInt16.self)
            let restarts = try reader.number(UInt32.self)
            let bound = try reader.list(Binding.init(from:))
            let current = try reader.number(UInt8.self) == 0 ? nil : try Publication(from: &reader)
            self = .hello(ControllerHello(workers: workers, restarts: restarts, bound: bound, current: current))
        case 202: self = .bound(try reader.list(Binding.init(from:)))
        case 203:
            self = .published(
                generation: try reader.number(), revision: try reader.number(), workers: try reader.number())
        case 204: self = .reload
        case 205: self = .reopenLogs
        case 206: self = .drainBegan(delay: try reader.amount(), timeout: try reader.amount())
        case 207: self = .workers(try reader.list(WorkerStatus.init(from:)))
        case 208: self = .quit
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}

/// What the controller asks of the supervisor.
public enum ControllerRequest: FamilyMessage {
    /// Addresses in one request, and listening addresses of a family altogether. Answers must fit one message.
    public static let addressLimit = 2048

    /// Listen on these addresses, at most ``addressLimit``; answered by ``ControllerNews/bound(_:)``. One that is bound
    /// already keeps its id. A socket accepts as soon as it is bound; its connections wait for a publication that uses it.
    case bind([ListeningAddress])
    /// Close these again: they were bound and no publication came to use them. Ids in use are left alone.
    case release([UInt32])
    /// Hand this to every worker; answered by ``ControllerNews/published(generation:revision:workers:)``. Sockets that an
    /// earlier publication used and this one does not are closed then.
    case publish(Publication)
    /// Where connections to a listening address go while the family is gone and a guard stands in; none: nowhere. At most
    /// ``GuardProtocol/centralLimit``. To be told before the publication that it belongs to.
    case central(SocketAddress, [SocketAddress])
    /// Begin a drain, as SIGTERM would.
    case drain

    public var frame: Frame {
        var writer = FrameWriter()
        switch self {
        case .bind(let addresses):
            precondition(addresses.count <= Self.addressLimit, "more addresses than one request may hold")
            writer.add(addresses) { $0.add($1) }
            return Frame(kind: 301, payload: writer.payload)
        case .release(let ids):
            writer.add(ids) { $0.add($1) }
            return Frame(kind: 302, payload: writer.payload)
        case .publish(let publication):
            precondition(publication.sockets.count <= Self.addressLimit, "more sockets than a family may have")
            publication.write(to: &writer)
            return Frame(kind: 303, payload: writer.payload, descriptors: publication.descriptors)
        case .drain: return Frame(kind: 304)
        case .central(let address, let gateways):
            precondition(gateways.count <= GuardProtocol.centralLimit, "more central gateways than an address may have")
            writer.add(address)
            writer.add(gateways) { $0.add($1) }
            return Frame(kind: 305, payload: writer.payload)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 301:
            let addresses = try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in
                try reader.listeningAddress()
            }
            guard addresses.count <= Self.addressLimit else { throw .illegalValue }
            self = .bind(addresses)
        case 302:
            self = .release(
                try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in try reader.number() })
        case 303: self = .publish(try Publication(from: &reader))
        case 304: self = .drain
        case 305:
            let address = try reader.address()
            let gateways = try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in
                try reader.address()
            }
            guard gateways.count <= GuardProtocol.centralLimit else { throw .illegalValue }
            self = .central(address, gateways)
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}
