import Core
import Glibc
import IO

/// The family's end of its link to a guard: what an earlier family left there is asked for, and what this one listens on is
/// handed over for the time when it is gone.
///
/// A guard is a convenience: without it everything goes on as it would. One that is not there is looked for again, with
/// growing pauses.
final class GuardSide: EventSource {
    enum Limits {
        /// How long a guard may take to tell what it holds, when a family begins.
        static let patience = TimeAmount.seconds(2)
        /// Between two questions of a family that was refused, in microseconds.
        static let refusalPause: UInt32 = 20_000
        static let firstPause = TimeAmount.milliseconds(200)
        static let longestPause = TimeAmount.seconds(5)
        /// After the guard was told something it is asked to whom connections would go: names of central gateways have
        /// been looked up by then, as a rule.
        static let questionPause = TimeAmount.seconds(2)
        /// Addresses that one line of the log names.
        static let namedAddresses = 8
    }

    typealias Link = MessageLink<GuardReport, GuardOrder>

    private let path: String
    private let loop: EventLoop
    private let tell: (Notice) -> Void
    private var link: Link?
    /// It has told all that it holds, and takes what it is told.
    private var isAgreed = false
    private var pause = Limits.firstPause
    private var alarm: Alarm!
    /// The absence has been told.
    private var isMissed = false
    private var hasLeft = false
    /// The guard has another family.
    private var isRefused = false

    /// Until the guard is asked what it would do with connections.
    private var question: Alarm!
    /// Connections of these would wait, and that has been told.
    private var uncovered: Set<SocketAddress> = []

    /// What the family listens on, once its workers serve; nil until then.
    private var sockets: [SocketAddress: [SharedFD]]?
    private var central: [SocketAddress: [SocketAddress]] = [:]

    init(_ path: String, _ loop: EventLoop, _ tell: @escaping (Notice) -> Void) {
        self.path = path
        self.loop = loop
        self.tell = tell
        super.init()
        alarm = Alarm(loop) { [unowned self] in connect() }
        question = Alarm(loop) { [unowned self] in
            if isAgreed { say(.status) }
        }
    }

    // MARK: the beginning

    /// Asks the guard, once, for what it holds. Waits for the answer: nothing can be bound before it is known.
    func takeOver() -> [SocketAddress: [SharedFD]] {
        connect()
        var found: [SocketAddress: [SharedFD]] = [:]
        let end = SystemCalls.monotonicNow() + Limits.patience
        while !isAgreed {
            let left = end - SystemCalls.monotonicNow()
            guard let link else {
                // An earlier family that is just ending: it takes the kernel a moment to end all of it.
                guard isRefused, left > .zero else { break }
                isRefused = false
                usleep(Limits.refusalPause)
                connect()
                continue
            }
            guard left > .zero else {
                lose("it does not answer")
                break
            }
            var question = pollfd(fd: link.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&question, 1, Int32(left.milliseconds + 1))
            read { shared in
                // In order, whole, and of the address that it says: else it is not used.
                guard shared.sockets.allSatisfy({ Socket.isListening($0.raw, at: shared.address) }),
                    found[shared.address]?.count ?? 0 == Int(shared.first)
                else { return }
                found[shared.address, default: []] += shared.sockets
            }
        }
        if !found.isEmpty {
            tell(Notice(.info, "listening sockets came from the guard", [("addresses", "\(found.count)")]))
        }
        return found
    }

    private func connect() {
        guard link == nil, !hasLeft else { return }
        do throws(Errno) {
            let fd = try MessageSocket.connect(path: path)
            let peer = try MessageSocket.peer(of: fd.raw)
            // Who is root has chosen the path, and anybody's guard with it.
            guard geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid() else { throw Errno(EPERM) }
            let link = Link(fd: fd, whenFull: .queueing, queueLimit: GuardProtocol.queue)
            self.link = link
            isAgreed = false
            loop.add(link.descriptor, self)
            link.send(.hello(version: GuardProtocol.version))
        } catch {
            miss(error.description)
        }
    }

    /// There is no guard now: it is looked for again, and that is told once.
    private func miss(_ reason: String) {
        if !isMissed {
            tell(Notice(.warning, "there is no guard", [("socket", path), ("reason", reason)]))
        }
        isMissed = true
        alarm.set(after: pause)
        pause = min(pause + pause, Limits.longestPause)
    }

    private func lose(_ reason: String) {
        guard let link else { return }
        loop.remove(link.descriptor)
        self.link = nil
        isAgreed = false
        if hasLeft { forgetSockets() } else { miss(reason) }
    }

    // MARK: what the guard says

    override func ready(_ events: ReadyEvents) {
        if events.contains(.writable) { link?.flush() }
        // A guard that comes later may hold something, from a family before this one: that is not used any more.
        read { _ in }
    }

    private func read(_ held: (SharedSockets) -> Void) {
        while let link {
            switch link.receive() {
            case .message(.held(let shared)): held(shared)
            case .message(.allHeld):
                isAgreed = true
                isMissed = false
                pause = Limits.firstPause
                tell(Notice(.info, "the guard is there", [("socket", path)]))
                tellAll()
            case .message(.refused):
                isRefused = true
                return lose("it refuses this gateway: another one is there, or it is of another version")
            case .message(.status(let status)): warn(of: status)
            case .nothing: return
            case .closed: return lose("it is gone")
            case .malformed(let what): return lose("\(what)")
            }
        }
    }

    /// Tells of addresses at which connections would wait for as long as this family is away. The guard has the last
    /// word on them: it may have been started with central gateways of its own.
    private func warn(of status: GuardStatus) {
        let found = status.addresses.filter { $0.central.isEmpty }.map(\.address)
        let isNews = !uncovered.isSuperset(of: found)
        uncovered = Set(found)
        guard isNews else { return }
        var names = found.prefix(Limits.namedAddresses).map(\.description).joined(separator: ",")
        if found.count > Limits.namedAddresses { names += ",…" }
        tell(
            Notice(
                .warning,
                """
                connections would wait while the gateway is gone: nobody is named to whom the guard could relay them; \
                sluice guard --central does it, or sluice.dev/fallback-gateway without hbone://
                """,
                [("addresses", names), ("count", "\(found.count)")]))
    }

    // MARK: what it is told

    /// The workers serve on these, and on nothing else.
    func serve(_ sockets: [SocketAddress: [SharedFD]], _ central: [SocketAddress: [SocketAddress]]) {
        let before = (sockets: self.sockets, central: self.central)
        self.sockets = sockets
        self.central = central
        guard isAgreed else { return }
        question.set(after: Limits.questionPause)
        guard let known = before.sockets else { return tellAll() }
        for address in known.keys where sockets[address] == nil { say(.drop(address)) }
        for (address, fds) in sockets {
            if !(known[address].map { $0.elementsEqual(fds, by: ===) } ?? false) {
                tellSockets(address, fds)
                say(.central(address, central[address] ?? []))
            } else if before.central[address] ?? [] != central[address] ?? [] {
                say(.central(address, central[address] ?? []))
            }
        }
    }

    private func tellAll() {
        guard let sockets else { return }
        for (address, fds) in sockets {
            tellSockets(address, fds)
            say(.central(address, central[address] ?? []))
        }
        guard hasLeft else {
            question.set(after: Limits.questionPause)
            return say(.serving)
        }
        say(.leaving)
        forgetSockets()
    }

    private func tellSockets(_ address: SocketAddress, _ fds: [SharedFD]) {
        for shared in SharedSockets.all(address, fds) { say(.sockets(shared)) }
    }

    private func say(_ order: GuardOrder) {
        guard link?.send(order) == .overflowing else { return }
        // The next try would probably end so as well.
        pause = Limits.longestPause
        lose("it does not read its messages")
    }

    /// The family stops accepting: the guard's turn.
    func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        alarm.clear()
        question.clear()
        // One that was found just now takes over when it has told what it holds, and what it is to hold.
        guard isAgreed || link == nil else { return }
        if isAgreed { say(.leaving) }
        forgetSockets()
    }

    /// A socket whose every other holder has closed it refuses connections. Kept here it would let them wait for nobody.
    private func forgetSockets() {
        sockets = nil
        central = [:]
    }
}
