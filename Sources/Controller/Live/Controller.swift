import Config
import Connection
import Core
import IO
import Manifest
import Telemetry
import Upstream

/// The controller of a family: turns manifests into statuses and a snapshot, has the supervisor bind and publish, and
/// answers the admin interface. One thread, one loop; workers never wait for it.
///
///     reload ─▶ read, resolve ─▶ bind what is new ─▶ names, for a moment ─▶ publish ─▶ live in all workers
///                   │ refused: nothing changes, and everybody who asked is told why
///
/// Attempts are made one after the other; those that are asked for meanwhile become one.
public final class Controller {
    /// A text that killed its controller this often is not taken up again: the workers go on with the snapshot, and the
    /// controller waits for a better set.
    static let depositAttempts: UInt64 = 3

    let options: RunOptions
    let version: String
    let loop = EventLoop()
    let log: Log
    let link: ControllerLink
    let statistics: ControllerStatistics
    let statisticsBase: UnsafeMutableRawPointer
    private let liveStateBase: UnsafeMutableRawPointer
    private var ticketKeys: TicketKeyRotation?
    let routeSlots: SlotTable
    let endpointSlots: SlotTable
    let clusterSlots: SlotTable
    let ruleSlots: SlotTable
    let backendRefSlots: SlotTable
    let listenerSlots: SlotTable
    let memberSlots: SlotTable
    let names: BackendNames
    let health: HealthWatch
    private(set) lazy var rollouts = Rollouts(self)

    var live: LiveSet?
    var attempt: Attempt?
    /// Asked for while an attempt was under way.
    var waiting: [(ReloadTrigger, ((ReloadOutcome) -> Void)?)] = []
    var lastOutcome: ReloadOutcome?
    /// Of the last resolution, for generations and transition times.
    var memory = ResolveMemory()
    /// Addresses that are bound, with the supervisor's numbers.
    var bound: [ListeningAddress: UInt32] = [:]
    /// Central gateways by listening address, as the supervisor was told.
    var centralTold: [SocketAddress: [SocketAddress]] = [:]
    /// Grows with every publication, also of those that fail.
    var revision: UInt64 = 0
    /// A publication because of changed names, not yet live.
    var namesRevision: UInt64?

    /// They changed while something else was being published.
    var namesAreStale = false

    private(set) var workerCount = 0
    private(set) var controllerRestarts: UInt32 = 0
    private(set) var workers: [WorkerStatus] = []
    private(set) var isDraining = false
    private var exitCode: Int32?
    private var admin: AdminServer?
    private var watch: FileWatch?
    private lazy var followedWatch = FollowedFileWatch(loop: loop) { [unowned self] in followedFilesChanged() }
    private var linkSource: LinkSource!

    /// Plays the role until the supervisor says quit, or is gone.
    /// - Returns: the process's exit status, one of ``RoleExit``.
    public static func run(_ start: ControllerStart, version: String) -> Int32 {
        SystemCalls.returnMemoryEarly()
        let controller = Controller(start, version: version)
        // Never taken apart: the process ends next, and connections under way need no goodbye.
        _ = Unmanaged.passRetained(controller)
        return controller.serve(admin: start.admin)
    }

    private init(_ start: ControllerStart, version: String) {
        options = start.options
        self.version = version
        log = Log(level: start.options.logLevel, speaker: "controller")
        link = start.link
        guard let base = start.statistics.baseAddress, let liveStateBase = start.liveState.baseAddress else {
            preconditionFailure("no shared statistics were mapped")
        }
        statisticsBase = base
        self.liveStateBase = liveStateBase
        statistics = ControllerStatistics(base: base)
        routeSlots = StatisticsRegion.slots(.route, base: base)
        endpointSlots = StatisticsRegion.slots(.endpoint, base: base)
        let live = LiveState(base: liveStateBase, workers: max(1, start.options.workers), worker: 0)
        clusterSlots = live.slots(.cluster)
        ruleSlots = live.slots(.rule)
        backendRefSlots = live.slots(.backendRef)
        listenerSlots = live.slots(.listener)
        memberSlots = live.slots(.member)
        names = BackendNames(loop: loop, server: start.options.dnsServers, statistics: statistics)
        health = HealthWatch(loop: loop, liveState: live, statistics: statistics, log: log)
        statistics[.controllerStarts] += 1
        SessionKey.prepare(live, directory: options.stateDirectory, log)
    }

    private func serve(admin socket: SharedFD?) -> Int32 {
        linkSource = LinkSource(self)
        loop.addReader(link.descriptor, linkSource)
        names.onChange = { [unowned self] in namesChanged() }
        names.onTrouble = { [unowned self] trouble in
            log.warning(
                "a host name was looked up without an answer",
                [
                    "name": .text(trouble.name), "reason": .text(trouble.reason),
                    "addressesKept": .init(trouble.addressesKept),
                ])
        }
        names.onEndOfTrouble = { [unowned self] name in
            log.info("a host name has an answer again", ["name": .text(name)])
        }
        health.onStaleEnd = { [unowned self] in namesChanged() }
        ticketKeys = TicketKeyRotation(
            ring: TicketKeyRing(base: liveStateBase + LiveState.size(workers: options.workers)), loop: loop)
        if let socket { admin = AdminServer(controller: self, socket: socket) }
        while exitCode == nil { loop.turn() }
        return exitCode ?? RoleExit.done
    }

    func exit(_ code: Int32) { exitCode = code }

    // MARK: the supervisor

    fileprivate func hear() {
        while exitCode == nil {
            switch link.receive() {
            case .message(let news): hear(news)
            case .nothing: return
            case .closed: return exit(RoleExit.done)
            case .malformed: return exit(RoleExit.unable)
            }
        }
    }

    private func hear(_ news: ControllerNews) {
        switch news {
        case .hello(let hello): begin(hello)
        case .bound(let bindings): attempt?.bound(bindings)
        case .published(let generation, let revision, _): published(generation: generation, revision: revision)
        case .reload: reload(.signal)
        case .reopenLogs: break  // Its log is standard error.
        case .drainBegan:
            isDraining = true
            // The supervisor binds and publishes no more.
            abandonAttempt()
        case .workers(let list): workers = list
        case .quit: exit(RoleExit.done)
        }
    }

    private func begin(_ hello: ControllerHello) {
        workerCount = Int(hello.workers)
        controllerRestarts = hello.restarts
        for binding in hello.bound {
            if case .bound(let id) = binding.outcome { bound[binding.address] = id }
        }
        if let current = hello.current {
            takeUp(current)
            followFiles()
        } else {
            reload(.start)
        }
        if options.watch {
            watch = FileWatch(paths: options.paths, loop: loop) { [unowned self] in filesChanged() }
            followFiles()
            if let problem = watch?.problem {
                log.warning("files cannot be watched; reload by signal or by request", ["reason": .text(problem)])
            }
        }
    }

    /// A controller died, this one is new: the workers serve `current`, whatever the files on disk say by now.
    private func takeUp(_ current: Publication) {
        revision = current.revision
        guard let block = try? SealedBlock(current.snapshot.raw),
            let snapshot = Snapshot(base: block.base, size: block.size)
        else { preconditionFailure("the supervisor gave back what no controller has published") }
        var set = LiveSet(
            resolution: nil, generation: current.generation, revision: current.revision,
            hash: snapshot.header.pointee.sourceHash, loadedAt: Int64(statistics[.loadedAt]) * 1_000_000_000,
            block: block, sockets: current.sockets, deposit: current.deposit, unbound: [])
        let attempts = statistics[.depositAttempts]
        if attempts < Self.depositAttempts, let deposit = current.deposit.flatMap({ Deposit.open($0.raw) }) {
            statistics[.depositAttempts] = attempts + 1
            // What the manifests name is read from what was kept too; and a pair that was kept in use against what its
            // Secret says is in the snapshot only.
            let before = ResolveMemory(certificates: snapshot.certificates)
            var load = ManifestLoad(
                deposit.files, previous: before, readFile: FileContents(deposit.followed).read)
            set.loadedAt = deposit.loadedAt
            set.unbound = load.resolution.plan.sockets.map(\.listeningAddress).filter { bound[$0] == nil }
            if !set.unbound.isEmpty {
                let failure = BindFailure(.portUnavailable, "could not be bound when the set was loaded")
                load.resolve(
                    bindFailures: Dictionary(set.unbound.map { ($0, failure) }) { a, _ in a }, previous: before)
            }
            memory = load.resolution.memory
            names.want(load.resolution.plan.names)
            set.resolution = load.resolution
            statistics[.depositAttempts] = 0
        } else {
            log.error("statuses of the running set are not available until the next reload")
        }
        live = set
        rollouts.adopt(set)
        health.adopt(snapshot, stale: nil)
        SystemCalls.trimMemory()
        log.info(
            "the controller is back",
            ["generation": LogValue(current.generation), "restarts": LogValue(controllerRestarts)])
    }

    // MARK: what others ask

    /// Not ready, and why; nil: ready.
    var unreadiness: String? {
        if isDraining { return "draining" }
        if live == nil { return "no configuration is live yet" }
        if !workers.isEmpty, !workers.contains(where: { $0.state == .serving }) { return "no worker serves" }
        return nil
    }

    /// The sums over all workers, at this moment.
    var reader: StatisticsReader { StatisticsReader(base: statisticsBase, workers: max(1, workerCount)) }

    /// Where everything that a plan names lies in shared memory.
    var slots: SnapshotSlots {
        SnapshotSlots(
            endpoint: endpointSlots.slot(for:), route: routeSlots.slot(for:), cluster: clusterSlots.slot(for:),
            rule: ruleSlots.slot(for:), backendRef: backendRefSlots.slot(for:), listener: listenerSlots.slot(for:),
            member: memberSlots.slot(for:))
    }

    /// For reading; worker 0 writes nothing through this value.
    var liveState: LiveState { LiveState(base: liveStateBase, workers: max(1, workerCount), worker: 0) }

    func drain() { link.send(.drain) }

    /// Watches what the running set depends on besides the manifests.
    func followFiles() {
        guard let resolution = live?.resolution else { return }
        let paths = resolution.followedFiles.map(\.path)
        watch?.follow(paths)
        followedWatch.follow(paths)
    }

    /// A certificate was renewed, say: what the manifests themselves say by now plays no part before a reload is asked for.
    private func followedFilesChanged() {
        guard let live, let before = live.resolution?.followedFiles else { return }
        if before.allSatisfy({ ReferencedFile.read($0.path) == $0.octets }) { return }
        reload(.files)
    }

    /// The manifests of the running set, as they were read; nil: they are not known any more.
    var loadedFiles: ManifestFiles? { live?.deposit.flatMap { Deposit.open($0.raw) }?.files }

    private func filesChanged() {
        // Written again with the same content: nothing to do, unless something of it did not work.
        if let live, live.unbound.isEmpty, lastOutcome?.isApplied ?? true {
            let files = ManifestFiles(reading: options.paths)
            let followed = (live.resolution?.followedFiles ?? []).map {
                FollowedFile(path: $0.path, octets: ReferencedFile.read($0.path))
            }
            if files.findings.isEmpty, ManifestLoad.hash(files, followed) == live.hash { return }
        }
        reload(.watch)
    }
}

/// The link to the supervisor in the loop.
private final class LinkSource: EventSource {
    unowned let controller: Controller
    init(_ controller: Controller) { self.controller = controller }
    override func ready(_ events: ReadyEvents) { controller.hear() }
}
