import Core

/// The limits of what a family and its guard tell each other.
public enum GuardProtocol {
    /// Of the messages below. A guard serves families of its own number only.
    public static let version: UInt16 = 1
    /// Sockets of one address: one of each worker.
    public static let socketLimit = 256
    /// Addresses of central gateways for one listening address.
    public static let centralLimit = 16
    /// Messages that either side keeps for the other: two times everything that can be said of all addresses.
    public static let queue = 2 * ControllerRequest.addressLimit * (socketLimit / Frame.descriptorLimit + 2)
    /// Addresses that a status tells of.
    public static let statusLimit = 128
}

/// The listening sockets of one address, or some of them: those of the workers from `first` on.
public struct SharedSockets {
    public var address: SocketAddress
    public var first: UInt16
    /// Of the whole address.
    public var count: UInt16
    /// At most ``Frame/descriptorLimit``.
    public var sockets: [SharedFD]

    public init(address: SocketAddress, first: UInt16, count: UInt16, sockets: [SharedFD]) {
        self.address = address
        self.first = first
        self.count = count
        self.sockets = sockets
    }

    /// All sockets of an address, in as many messages as they need.
    public static func all(_ address: SocketAddress, _ sockets: [SharedFD]) -> [SharedSockets] {
        stride(from: 0, to: sockets.count, by: Frame.descriptorLimit).map { first in
            SharedSockets(
                address: address, first: UInt16(first), count: UInt16(sockets.count),
                sockets: Array(sockets[first..<min(first + Frame.descriptorLimit, sockets.count)]))
        }
    }

    func frame(kind: UInt16) -> Frame {
        var writer = FrameWriter()
        writer.add(address)
        writer.add(first)
        writer.add(count)
        writer.add(UInt8(sockets.count))
        return Frame(kind: kind, payload: writer.payload, descriptors: sockets)
    }

    init(from reader: inout FrameReader) throws(MalformedFrame) {
        address = try reader.address()
        first = try reader.number()
        count = try reader.number()
        let here = Int(try reader.number(UInt8.self))
        guard here > 0, Int(count) <= GuardProtocol.socketLimit, Int(first) + here <= Int(count) else {
            throw .illegalValue
        }
        sockets = []
        for _ in 0..<here { sockets.append(try reader.descriptor()) }
    }
}

/// What is said to a guard.
public enum GuardOrder: FamilyMessage {
    /// A supervisor begins, and asks for what the guard holds: answered by ``GuardReport/held(_:)`` for each address and
    /// ``GuardReport/allHeld(_:)``. From now on its end is what the guard waits for.
    case hello(version: UInt16)
    /// The family listens on these. They replace what was held of the address.
    case sockets(SharedSockets)
    /// Where the connections of an address go while the family is away; none: they wait.
    case central(SocketAddress, [SocketAddress])
    /// An address is listened on no more.
    case drop(SocketAddress)
    /// The workers serve: stop accepting. What this family has not named is not used any more.
    case serving
    /// The family stops accepting, as somebody wants it to: take over now.
    case leaving
    /// Anybody's: answered by ``GuardReport/status(_:)``.
    case status

    public var frame: Frame {
        var writer = FrameWriter()
        switch self {
        case .hello(let version):
            writer.add(version)
            return Frame(kind: 401, payload: writer.payload)
        case .sockets(let sockets): return sockets.frame(kind: 402)
        case .central(let address, let central):
            precondition(central.count <= GuardProtocol.centralLimit, "more central gateways than one address may have")
            writer.add(address)
            writer.add(central) { $0.add($1) }
            return Frame(kind: 403, payload: writer.payload)
        case .drop(let address):
            writer.add(address)
            return Frame(kind: 404, payload: writer.payload)
        case .serving: return Frame(kind: 405)
        case .leaving: return Frame(kind: 406)
        case .status: return Frame(kind: 407)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 401: self = .hello(version: try reader.number())
        case 402: self = .sockets(try SharedSockets(from: &reader))
        case 403:
            let address = try reader.address()
            let central = try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in try reader.address() }
            guard central.count <= GuardProtocol.centralLimit else { throw .illegalValue }
            self = .central(address, central)
        case 404: self = .drop(try reader.address())
        case 405: self = .serving
        case 406: self = .leaving
        case 407: self = .status
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}

/// What a guard says.
public enum GuardReport: FamilyMessage {
    case held(SharedSockets)
    /// Everything that is held was sent: so many addresses.
    case allHeld(UInt32)
    /// Another family is there, or this one speaks another version.
    case refused
    case status(GuardStatus)

    public var frame: Frame {
        var writer = FrameWriter()
        switch self {
        case .held(let sockets): return sockets.frame(kind: 501)
        case .allHeld(let count):
            writer.add(count)
            return Frame(kind: 502, payload: writer.payload)
        case .refused: return Frame(kind: 503)
        case .status(let status):
            status.write(to: &writer)
            return Frame(kind: 504, payload: writer.payload)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 501: self = .held(try SharedSockets(from: &reader))
        case 502: self = .allHeld(try reader.number())
        case 503: self = .refused
        case 504: self = .status(try GuardStatus(from: &reader))
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}

/// What a guard is doing.
public struct GuardStatus: Equatable, Sendable {
    public enum State: UInt8, Sendable {
        /// No family was ever there.
        case empty
        /// The family serves.
        case standingBy
        /// The family is away: the guard accepts.
        case standingIn
        /// The family is back, and does not serve yet: the guard accepts.
        case handingBack
    }

    public struct Address: Equatable, Sendable {
        public var address: SocketAddress
        public var sockets: UInt16
        public var central: [SocketAddress]

        public init(address: SocketAddress, sockets: UInt16, central: [SocketAddress]) {
            self.address = address
            self.sockets = sockets
            self.central = central
        }
    }

    public var state: State
    /// Of the family's supervisor; 0: none, or not to be seen from here.
    public var pid: Int32
    /// Connections that are being relayed, were relayed altogether, and found no central gateway.
    public var relays: UInt32
    public var relayed: UInt64
    public var failed: UInt64
    /// How often the family went.
    public var absences: UInt32
    /// How many addresses are held; the first ``GuardProtocol/statusLimit`` of them are told.
    public var held: UInt32
    public var addresses: [Address]

    public init(
        state: State, pid: Int32, relays: UInt32, relayed: UInt64, failed: UInt64, absences: UInt32, held: UInt32,
        addresses: [Address]
    ) {
        self.state = state
        self.pid = pid
        self.relays = relays
        self.relayed = relayed
        self.failed = failed
        self.absences = absences
        self.held = held
        self.addresses = addresses
    }

    func write(to writer: inout FrameWriter) {
        writer.add(state.rawValue)
        writer.add(pid)
        writer.add(relays)
        writer.add(relayed)
        writer.add(failed)
        writer.add(absences)
        writer.add(held)
        writer.add(addresses) {
            $0.add($1.address)
            $0.add($1.sockets)
            $0.add($1.central) { $0.add($1) }
        }
    }

    init(from reader: inout FrameReader) throws(MalformedFrame) {
        guard let state = State(rawValue: try reader.number()) else { throw .illegalValue }
        self.state = state
        pid = try reader.number()
        relays = try reader.number()
        relayed = try reader.number()
        failed = try reader.number()
        absences = try reader.number()
        held = try reader.number()
        addresses = try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in
            Address(
                address: try reader.address(), sockets: try reader.number(),
                central: try reader.list { (reader: inout FrameReader) throws(MalformedFrame) in
                    try reader.address()
                })
        }
    }
}
