import Core
import Glibc
import IO

/// Holds duplicates of a family's listening sockets, and accepts on them in its place when it is gone.
///
///     empty ─ a family serves ─▶ standing by ─ its end, or its word ─▶ standing in ─ another asks for the sockets ─▶
///     handing back ─ its workers serve ─▶ standing by
///
/// The kernel keeps a listening socket, and what waits in it, as long as anybody holds it. So between a family's end and the
/// next one's beginning no connection is refused: the guard takes them, and relays their octets to a central gateway without
/// looking at them. While the family serves the guard waits in one call of the kernel, without a timer.
///
/// It reads no manifest, and of other processes only messages of families: of its own user and of root.
public final class Guard {
    let loop = EventLoop()
    let pipes = PipeShelf()
    let options: GuardOptions
    let tell: (Notice) -> Void
    /// Nil once the guard is ending.
    private var listener: SharedFD?
    private let place: SocketPlace
    private var door: GuardDoor?
    private var alarm: Alarm!

    var links: [ObjectIdentifier: GuardLink] = [:]
    /// The supervisor that is there.
    var family: GuardLink?
    /// It has said that its workers serve.
    var isServed = false
    /// Its link is lost, and its end is awaited.
    var lastBreath: (watch: ProcessWatch, pid: Int32)?
    var addresses: [SocketAddress: HeldAddress] = [:]
    /// Connections are accepted here.
    var isStandingIn = false
    private(set) var relays: [GuardRelay] = []
    private var starving: [GuardRelay] = []
    private var gateways = CentralGateways()
    /// There was no room, or no descriptor.
    var isPaused = false
    private(set) var isEnding = false
    private var connectionLimit: Int
    /// Of one address of another machine.
    private let peerLimit: Int
    private var peers = PeerCounts()
    private var relayed: UInt64 = 0
    private var failed: UInt64 = 0
    private var absences: UInt32 = 0
    /// That a central gateway's connection was refused has been told.
    private var hasRefused = false
    /// So has been that one machine has too many.
    private var hasFoundTooMany = false

    /// Runs a guard until it is told to end.
    /// - Parameter tell: takes what is to be logged; must not block.
    /// - Returns: the exit status: 0 when it was told to end, 1 when it could not begin.
    public static func run(_ options: GuardOptions, tell: @escaping (Notice) -> Void) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        SystemCalls.raiseDescriptorLimit()
        do throws(Errno) {
            let keeper = try Guard(options, tell)
            defer { keeper.place.leave() }
            return try keeper.serve()
        } catch {
            let reason =
                switch error.code {
                case EADDRINUSE: "another guard listens there; see sluice guard --status --socket \(options.socketPath)"
                case ENOENT: "there is no such folder; make it first, for this user alone (mkdir -m 700)"
                default: error.description
                }
            tell(Notice(.error, "cannot start", [("socket", options.socketPath), ("reason", reason)]))
            return 1
        }
    }

    private init(_ options: GuardOptions, _ tell: @escaping (Notice) -> Void) throws(Errno) {
        self.options = options
        self.tell = tell
        listener = SharedFD(try MessageSocket.listen(path: options.socketPath))
        place = SocketPlace(options.socketPath)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let descriptors = Int(clamping: limit.rlim_cur) - GuardLimits.reservedDescriptors
        connectionLimit = max(1, min(options.connections, descriptors / GuardLimits.descriptorsPerRelay))
        peerLimit = max(1, min(options.peerConnections ?? connectionLimit / GuardLimits.peersShare, connectionLimit))
    }

    private func serve() throws(Errno) -> Int32 {
        let signals = try SignalSource([SIGTERM, SIGQUIT, SIGINT, SIGHUP]) { [unowned self] in arrived(signal: $0) }
        signals.register(in: loop)
        alarm = Alarm(loop) { [unowned self] in
            resumeAccepting()
            let waiting = starving
            starving = []
            for relay in waiting { relay.resume() }
        }
        open()
        tell(
            Notice(
                .info, "guard started",
                [
                    ("pid", "\(getpid())"), ("socket", options.socketPath),
                    ("central", options.central.map { "\($0.ip):\($0.port)" }.joined(separator: ",")),
                    ("connections", "\(connectionLimit)"),
                ]))
        loop.run()
        alarm.clear()
        for relay in relays { relay.cut() }
        return 0
    }

    private func open() {
        guard let raw = listener?.raw else { preconditionFailure("a guard opens once") }
        let door = GuardDoor(raw) { [unowned self] in admit($0) }
        loop.addReader(raw, door)
        self.door = door
    }

    /// Whoever comes from now on is the next guard's, and so are the processes that are there.
    private func close() {
        if let raw = listener?.raw { loop.remove(raw, closing: false) }
        door = nil
        listener = nil
        place.leave()
        leaveAll()
    }

    private func arrived(signal: CInt) {
        switch signal {
        case SIGHUP: break
        case SIGINT: loop.stop()
        default:
            guard !isEnding else { return loop.stop() }
            // What waits in the sockets is lost with the last of their holders: it is taken first.
            if isStandingIn { for held in addresses.values where isCovered(held) { held.takeAll() } }
            isEnding = true
            for held in addresses.values { held.stop() }
            addresses = [:]
            close()
            tell(Notice(.info, "guard ends", [("relays", "\(relays.count)")]))
            for relay in relays { relay.mayLast(options.drainTimeout) }
            if relays.isEmpty { loop.stop() }
        }
    }

    // MARK: standing in

    /// There is somebody to whom connections of this address can be relayed. Where there is nobody, they wait.
    func isCovered(_ held: HeldAddress) -> Bool { !central(of: held).isEmpty }

    /// To whom connections of this address go: nobody of them is this guard, which would relay to itself without end.
    private func central(of held: HeldAddress) -> [SocketAddress] {
        let named = held.central.isEmpty ? options.central.map { $0.address(from: held.address.port) } : held.central
        return named.filter { !isHeld($0) }
    }

    private func isHeld(_ address: SocketAddress) -> Bool {
        if addresses[address] != nil { return true }
        let hasAny = addresses.keys.contains { $0.port == address.port && $0.ip.isAny }
        return hasAny && (address.ip.isAny || Socket.isOfThisMachine(address.ip))
    }

    func standIn(_ why: StaticString) {
        guard !isEnding, !addresses.isEmpty else { return }
        isStandingIn = true
        isPaused = false
        absences &+= 1
        let covered = addresses.values.filter(isCovered)
        tell(
            Notice(
                .warning, "the guard accepts in the gateway's place",
                [
                    ("why", "\(why)"), ("addresses", "\(covered.count)"),
                    ("uncovered", "\(addresses.count - covered.count)"),
                ]))
        for held in covered { held.accept() }
        for relay in relays { relay.mayStay() }
    }

    var hasRoom: Bool { relays.count < connectionLimit && !isEnding }

    func pauseAccepting() {
        guard !isPaused else { return }
        isPaused = true
        for held in addresses.values { held.stop() }
    }

    private func resumeAccepting() {
        guard isPaused, isStandingIn, hasRoom else { return }
        isPaused = false
        for held in addresses.values where isCovered(held) { held.accept() }
    }

    func cannotAccept(_ error: Errno) {
        if !isPaused { tell(Notice(.warning, "cannot accept", [("reason", error.description)])) }
        pauseAccepting()
        alarm.set(after: GuardLimits.exhaustionPause)
    }

    func accepted(_ fd: consuming OwnedFD, from peer: SocketAddress, at held: HeldAddress) {
        let named = central(of: held)
        // Octets have no place for a mark. So that two guards that name each other do not pass connections to and fro, what
        // comes from a central gateway's machine is not relayed.
        if !peer.ip.isLoopback, named.contains(where: { $0.ip == peer.ip }), !Socket.isOfThisMachine(peer.ip) {
            return refused(peer)
        }
        guard peers.take(peer.ip, limit: peerLimit, isOwn: { $0.isLoopback || Socket.isOfThisMachine($0) }) else {
            return tooMany(peer)
        }
        var preamble: [UInt8] = []
        if options.tellsClients {
            preamble = ProxyPreamble.make(
                source: peer, destination: ProxyPreamble.destination(of: fd.raw) ?? held.address)
        }
        let relay = GuardRelay(
            fd, from: peer.ip, candidates: gateways.order(named, now: loop.now), preamble: preamble, owner: self)
        relay.index = relays.count
        relays.append(relay)
        relay.begin()
    }

    // MARK: what relays tell

    func couldNotConnect(_ central: SocketAddress, _ reason: String) {
        guard gateways.failed(central, now: loop.now) else { return }
        tell(
            Notice(
                .warning, "a central gateway does not answer", [("address", "\(central)"), ("reason", reason)]))
    }

    func connected(_ central: SocketAddress) {
        relayed &+= 1
        if gateways.answered(central) {
            tell(Notice(.info, "a central gateway answers again", [("address", "\(central)")]))
        }
    }

    func foundNoCentral() { failed &+= 1 }

    private func refused(_ peer: SocketAddress) {
        failed &+= 1
        guard !hasRefused else { return }
        hasRefused = true
        tell(
            Notice(
                .warning, "a connection from a central gateway is not relayed to one: do they name each other?",
                [("address", "\(peer.ip)")]))
    }

    private func tooMany(_ peer: SocketAddress) {
        failed &+= 1
        guard !hasFoundTooMany else { return }
        hasFoundTooMany = true
        tell(
            Notice(
                .warning,
                "one machine has as many relayed connections as one may have, and gets no more: do guards name each other?",
                [("address", "\(peer.ip)"), ("connections", "\(peerLimit)")]))
    }

    func starved(_ relay: GuardRelay) {
        starving.append(relay)
        alarm.set(after: GuardLimits.exhaustionPause)
    }

    func ended(_ relay: GuardRelay) {
        let last = relays.removeLast()
        if last !== relay {
            relays[relay.index] = last
            last.index = relay.index
        }
        relay.index = -1
        peers.give(relay.peer)
        if isPaused { resumeAccepting() }
        if isEnding, relays.isEmpty { loop.stop() }
    }

    var status: GuardStatus {
        let state: GuardStatus.State =
            if isStandingIn { family == nil ? .standingIn : .handingBack } else {
                addresses.isEmpty ? .empty : .standingBy
            }
        let told = addresses.values.sorted {
            ($0.address.port, $0.address.ip.low) < ($1.address.port, $1.address.ip.low)
        }
        .prefix(GuardProtocol.statusLimit)
        return GuardStatus(
            state: state, pid: family?.pid ?? 0, relays: UInt32(relays.count), relayed: relayed, failed: failed,
            absences: absences, held: UInt32(addresses.count),
            addresses: told.map { held in
                GuardStatus.Address(
                    address: held.address, sockets: UInt16(held.count),
                    central: central(of: held))
            })
    }
}
