import Core
import Glibc
import IO

/// The family of processes: it owns what must survive a crash (listening sockets, shared memory, the snapshot that is
/// live) and starts again whatever dies. It reads nothing that a user or a peer wrote.
///
/// Three phases: serving; draining (SIGTERM: first the delay, then the workers end by themselves); quitting (everybody is
/// told to go, and ended if they do not).
public final class Supervisor {
    typealias WorkerSeat = Seat<WorkerReport, WorkerOrder>
    typealias ControllerSeat = Seat<ControllerRequest, ControllerNews>

    enum Limits {
        /// What a worker may take longer than the drain's timeout, which it keeps itself.
        static let drainGrace = TimeAmount.seconds(2)
        /// How long a process that was told to go may take.
        static let quitGrace = TimeAmount.seconds(1)
        /// Deaths of the controller before any publication: then the start has failed.
        static let deathsBeforeFirstPublication = 5
        /// When a process could not even be started.
        static let spawnRetry = TimeAmount.seconds(1)
        /// Names that are tried for the socket of isolated services.
        static let isolationNames = 16
        /// Publications whose completion was not yet answered.
        static let unanswered = 1024
    }

    enum Phase {
        case serving
        /// Everything goes on for the drain's delay; the listening sockets are open.
        case drainDelay
        /// The workers are ending; who dies is not replaced.
        case draining
        case quitting
    }

    struct WorkerPlace {
        let seat: WorkerSeat
        var isReady = false
        /// Ids of the sockets that this process was given.
        var sockets: Set<UInt32> = []
        var revision: UInt64 = 0
    }

    let plan: FamilyPlan
    let identity: Identity?
    let loop = EventLoop()
    let tell: (Notice) -> Void
    let liveState: SharedFD
    let statistics: SharedFD
    /// ``liveState``, mapped when something of it is first to be forgotten.
    var liveMemory: UnsafeMutableRawBufferPointer?
    let adminSocket: SharedFD?
    private let patience: StartPatience
    /// Where the last worker takes calls of isolated services; nil: there is one worker alone. Held here, so that its name is
    /// nobody else's between that worker's death and the next one's start.
    let isolation: SharedFD?
    let controller: ControllerSeat
    var workers: [WorkerPlace] = []
    var sockets: ListeningSockets
    var current: Publication?
    var unanswered: [(generation: UInt64, revision: UInt64)] = []
    var phase = Phase.serving
    /// Some worker of this family once reached its loop.
    var anyWorkerWasReady = false
    var exitCode: Int32 = 0
    var alarm: Alarm!
    /// Where `--guard` names one.
    var keeper: GuardSide?
    /// Central gateways by listening address, as the controller has told them.
    var central: [SocketAddress: [SocketAddress]] = [:]

    var options: RunOptions { plan.options }

    /// An address's sockets. Before anything is live, one that is taken is asked for again.
    func bind(_ address: ListeningAddress) -> Binding {
        while true {
            let binding = sockets.bind(address)
            guard current == nil, case .failed(let error) = binding.outcome, patience.pauses(after: error) else {
                return binding
            }
        }
    }

    /// Runs a family until it is told to end.
    /// - Parameter tell: takes what is to be logged; must not block.
    /// - Returns: the exit status of `sluice run`: 0 after a drain or a quick exit, 1 when the start failed.
    public static func run(_ plan: FamilyPlan, tell: @escaping (Notice) -> Void) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        // The backtracer would keep a dead worker's connections open for the tens of milliseconds that it takes. Who
        // looks for a bug sets the variable.
        setenv("SWIFT_BACKTRACE", "enable=no", 0)
        SystemCalls.raiseDescriptorLimit()
        do throws(StartFailure) {
            let identity = if let user = plan.options.user { try Identity.named(user) } else { nil as Identity? }
            let pidFile = if let path = plan.options.pidFile { try PidFile.write(path) } else { nil as PidFile? }
            defer { pidFile?.remove() }
            let patience = StartPatience()
            let admin = try AdminListener.open(plan.options.admin, owner: identity, patience)
            defer { admin?.remove() }
            return try Supervisor(plan, identity, admin?.socket, patience, tell).serve()
        } catch {
            tell(Notice(.error, "cannot start", [("reason", error.description)]))
            return 1
        }
    }

    init(
        _ plan: FamilyPlan, _ identity: Identity?, _ adminSocket: SharedFD?, _ patience: StartPatience,
        _ tell: @escaping (Notice) -> Void
    ) throws(StartFailure) {
        self.plan = plan
        self.patience = patience
        self.identity = identity
        self.tell = tell
        self.adminSocket = adminSocket
        do throws(Errno) {
            liveState = SharedFD(try SharedMemory.make("sluice live state", size: plan.liveStateSize))
            statistics = SharedFD(try SharedMemory.make("sluice statistics", size: plan.statisticsSize))
        } catch {
            throw StartFailure("cannot make shared memory: \(error)")
        }
        do throws(Errno) {
            isolation = plan.options.workers > 1 ? SharedFD(try Self.isolationSocket()) : nil
        } catch {
            throw StartFailure("cannot make the socket of isolated services: \(error)")
        }
        sockets = ListeningSockets(workers: plan.options.workers)
        controller = ControllerSeat(.controller, loop)
        for index in 0..<plan.options.workers {
            workers.append(WorkerPlace(seat: WorkerSeat(.worker(index: index), loop)))
        }
    }

    /// In no file system, under a number of chance: one that somebody has taken is passed over.
    private static func isolationSocket() throws(Errno) -> OwnedFD {
        var attempts = 0
        while true {
            do throws(Errno) {
                return try Socket.listen(path: "@sluice-isolated-\(String(SystemCalls.randomSeed(), radix: 16))")
            } catch {
                attempts += 1
                guard error.code == EADDRINUSE, attempts < Limits.isolationNames else { throw error }
            }
        }
    }

    func serve() throws(StartFailure) -> Int32 {
        let signals: SignalSource
        do throws(Errno) {
            signals = try SignalSource([SIGHUP, SIGTERM, SIGQUIT, SIGINT, SIGUSR1, SIGUSR2, SIGCHLD]) {
                [unowned self] in
                arrived(signal: $0)
            }
        } catch {
            throw StartFailure("cannot receive signals: \(error)")
        }
        signals.register(in: loop)
        alarm = Alarm(loop) { [unowned self] in alarmRang() }
        controller.received = { [unowned self] in received($0) }
        controller.broke = { [unowned self] in end(controller, because: $0) }
        controller.due = { [unowned self] in startController() }
        for index in workers.indices {
            let seat = workers[index].seat
            seat.received = { [unowned self] in received($0, from: index) }
            seat.broke = { [unowned self] in end(seat, because: $0) }
            seat.due = { [unowned self] in workerDue(index) }
        }
        tell(
            Notice(
                .info, "started",
                [("pid", "\(getpid())"), ("workers", "\(options.workers)"), ("admin", "\(options.admin)")]))
        if let path = options.guardPath {
            let keeper = GuardSide(path, loop, tell)
            self.keeper = keeper
            sockets.keep(keeper.takeOver())
        }
        startController()
        for index in workers.indices { startWorker(index) }
        loop.run()
        alarm.clear()
        keeper?.leave()
        return exitCode
    }

    // MARK: signals

    private func arrived(signal: CInt) {
        switch signal {
        case SIGCHLD: reap()
        case SIGHUP:
            tell(Notice(.info, "reload asked for", [("by", "SIGHUP")]))
            controller.send(.reload)
        case SIGUSR1:
            controller.send(.reopenLogs)
            for worker in workers { worker.seat.send(.reopenLogs) }
        case SIGTERM, SIGQUIT:
            switch phase {
            case .serving: beginDrain(by: signal == SIGTERM ? "SIGTERM" : "SIGQUIT")
            case .drainDelay, .draining: quit(code: 0)
            case .quitting: killAll()
            }
        case SIGINT:
            if case .quitting = phase { killAll() } else { quit(code: 0) }
        case SIGUSR2:
            tell(Notice(.warning, "this version does not replace its binary while running", [("by", "SIGUSR2")]))
        default: break
        }
    }

    /// Collects every child that died; several deaths may have become one signal.
    private func reap() {
        while let (pid, death) = ChildProcess.reap() {
            if controller.pid == pid {
                controllerDied(death)
            } else if let index = workers.firstIndex(where: { $0.seat.pid == pid }) {
                workerDied(index, death)
            }
        }
        if case .quitting = phase, !controller.isRunning, !workers.contains(where: { $0.seat.isRunning }) {
            loop.stop()
        }
    }

    func end<Report, Order>(_ seat: Seat<Report, Order>, because reason: StaticString) {
        tell(Notice(.error, "ending a process", [("process", seat.role.title), ("reason", "\(reason)")]))
        seat.kill()
    }
}
