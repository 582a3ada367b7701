import Config
import Connection
import Core
import Glibc
import HTTP
import IO
import Redis
import Routing
import TLS
import Telemetry
import Upstream

/// One worker process: one thread, one loop, its share of the connections.
///
/// It lives as long as its process; what it owns points back to it for good, which costs no reference counting on the way.
/// Owns everything that serves: listeners, connections, exchanges, clusters, the newest configuration. Between exchanges
/// it is the owner of every downstream connection.
public final class Worker: ConnectionOwner {
    /// While descriptors are short, accepting rests this long.
    static let acceptPause = TimeAmount.milliseconds(50)
    /// Exchange objects that are kept for reuse.
    static let keptExchanges = 1024

    let loop: EventLoop
    let resources: ConnectionResources
    var limits = ExchangeLimits()
    /// Mirrors under way.
    var mirrorsNow = 0
    let statistics: WorkerStatistics
    let liveState: LiveState
    let accessLog: AccessLog
    let log: Log
    private(set) var configuration: LiveConfiguration?
    private(set) lazy var registry = DownstreamRegistry(worker: self)
    private(set) lazy var clusters = ClusterRegistry(worker: self)
    private(set) lazy var arrivals = Arrivals(worker: self)
    private(set) lazy var relays = Relays(worker: self)
    private(set) lazy var handshakeRefusals = HandshakeRefusals(worker: self)
    private(set) lazy var egressDenials = EgressDenials(worker: self)
    /// Tunnels at once whose inside has a socket pair.
    var tunnelLimit = DescriptorShares.tunnels
    private(set) lazy var datagrams = Datagrams(worker: self)
    private(set) lazy var tlsContexts = TLSContexts(worker: self, ticketKeys: ticketKeys)
    /// Of connections of HBONE that no policy speaks of.
    var spareHBONETerms: ConnectionTerms?
    /// Not before then the log is told again that rules of interception are wrong.
    var nextWordOnRules = Instant(nanoseconds: 0)
    private(set) lazy var tunnels = TunnelPool(
        resources: resources, log: log, patience: limits.connect, limit: { [unowned self] in tunnelLimit })
    private(set) lazy var dynamicHosts = DynamicHosts(worker: self, servers: dnsServers)
    private let dnsServers: String?
    private let ticketKeys: TicketKeyRing
    /// Where global rate limits are counted for several gateways; nil: they are counted here.
    private(set) var globalCounters: GlobalCounters?
    let patterns = PatternCache()
    let weights = WeightedChoice()
    let compressedBodies: CompressedBodies
    var headEditor = HeadEditor()
    private(set) lazy var refusals = Refusals(loop: loop)
    private(set) lazy var overload = Overload(worker: self)
    private(set) lazy var fair = FairShare(worker: self)
    private(set) lazy var isolations = Isolations(worker: self)
    private let work: WorkMark
    /// A call of a group's is being worked on.
    private(set) var isWorking = false
    var random: SeededRandom
    var date = HTTPDate()
    var requestIDs: RequestIDGenerator
    private var listeners: [UInt32: Listener] = [:]
    private var spareExchanges = Spares<Exchange>(limit: keptExchanges)
    private(set) var isDraining = false
    /// Called once when a drain has nothing left to wait for.
    private var drained: (() -> Void)?
    private var isAcceptingPaused = false

    init(
        loop: EventLoop, statistics: WorkerStatistics, liveState: LiveState, ticketKeys: TicketKeyRing,
        accessLog: AccessLog, log: Log, dnsServers: String? = nil
    ) {
        self.dnsServers = dnsServers
        self.ticketKeys = ticketKeys
        self.loop = loop
        self.statistics = statistics
        self.liveState = liveState
        work = liveState.work
        self.accessLog = accessLog
        self.log = log
        resources = ConnectionResources(loop: loop)
        resources.pipes.limit = DescriptorShares.pipes
        compressedBodies = CompressedBodies(resources)
        random = SeededRandom(seed: SystemCalls.randomSeed())
        requestIDs = RequestIDGenerator(seed: SystemCalls.randomSeed())
        liveState.limits.seed(SystemCalls.randomSeed(), SystemCalls.randomSeed())
        super.init()
    }

    /// Counts global rate limits in this Redis server from now on, as far as it answers.
    func shareCounters(_ address: RedisAddress, dnsServers: String? = nil) {
        globalCounters = GlobalCounters(worker: self, address: address, dnsServers: dnsServers)
    }

    // MARK: configuration

    /// Takes a snapshot over: from the next request on it decides. Exchanges under way end under their own.
    func apply(_ block: SealedBlock) -> Bool {
        guard let next = LiveConfiguration(block: block, patterns: patterns) else { return false }
        configuration = next
        if next.hasGroups { fair.start() }
        isolations.adopt(next)
        statistics.set(.generationNow, next.generation)
        clusters.configurationChanged()
        datagrams.configurationChanged()
        for (id, listener) in listeners where next.index(ofSocket: id) == nil { retire(listener) }
        if !isDraining, !isAcceptingPaused {
            for listener in listeners.values where next.index(ofSocket: listener.id) != nil {
                listener.startAccepting()
            }
        }
        return true
    }

    func add(_ listener: Listener) {
        if let old = listeners.updateValue(listener, forKey: listener.id) { old.stopAccepting() }
        if !isDraining, !isAcceptingPaused, configuration?.index(ofSocket: listener.id) != nil {
            listener.startAccepting()
        }
    }

    func closeSocket(_ id: UInt32) {
        datagrams.close(id)
        guard let listener = listeners.removeValue(forKey: id) else { return }
        retire(listener)
    }

    private func retire(_ listener: Listener) {
        listener.stopAccepting()
        registry.retire(socket: listener.id)
    }

    /// The listening socket at this address, or at its port on every address; nil: there is none.
    func socketID(of address: SocketAddress) -> UInt32? {
        let same = listeners.values.filter { $0.address.port == address.port }
        return (same.first { $0.address.ip == address.ip } ?? same.first { $0.address.ip.isAny })?.id
    }

    /// The address of a listening socket; nil: it is closed.
    func address(ofSocket id: UInt32) -> SocketAddress? { listeners[id]?.address }

    /// The addresses of this machine, asked for once.
    private lazy var hostAddresses = try? HostAddresses()

    /// Whether a connection to this address would come back to this gateway.
    func isOwnListener(_ address: SocketAddress) -> Bool {
        listeners.values.contains {
            $0.address.port == address.port
                && ($0.address.ip == address.ip || $0.address.ip.isAny && hostAddresses?.isOwn(address.ip) == true)
        }
    }

    // MARK: accepting

    /// Descriptors are short: rests for a moment instead of being told again and again.
    func pauseAccepting() {
        guard !isAcceptingPaused else { return }
        isAcceptingPaused = true
        for listener in listeners.values { listener.stopAccepting() }
        loop.setDeadline(self, loop.now + Self.acceptPause)
    }

    public override func deadlinePassed(now: Instant) {
        isAcceptingPaused = false
        guard !isDraining, let configuration else { return }
        for listener in listeners.values where configuration.index(ofSocket: listener.id) != nil {
            listener.startAccepting()
        }
    }

    // MARK: connections between exchanges

    public override func requestReceived(on connection: ServerStream) {
        let exchange = spareExchanges.take() ?? Exchange(worker: self)
        exchange.begin(on: connection)
    }

    public override func refused(on connection: ServerStream, status: UInt16, reason: StaticString) {
        let exchange = spareExchanges.take() ?? Exchange(worker: self)
        exchange.refuse(on: connection, status: status, reason: reason)
    }

    public override func closed(_ connection: any DownstreamConnection) { registry.forget(connection) }

    public override func handshakeEnded(_ handshake: TLSHandshake) { serve(handshake) }

    public override func handshakeFailed(_ handshake: TLSHandshake, _ failure: TLSFailure) {
        arrivals.remove(handshake)
        handshakeFailed(failure)
        handshakeRefusals.note(handshake, failure)
        registry.forget(handshake)
    }

    public override func prefaceReceived(on connection: HTTP1ServerConnection) -> Bool { takeOver(connection) }

    /// An exchange is over and may serve another.
    func release(_ exchange: consuming Exchange) {
        if spareExchanges.isFull { loop.clearDeadline(exchange) } else { spareExchanges.put(exchange) }
    }

    // MARK: what is worked on

    /// What follows in this event is done for this call: whoever comes after a death knows of what.
    func beginWork(on exchange: Exchange, _ input: InputKind) {
        work.begin(exchange.fair.slot, input)
        isWorking = true
    }

    func endWork() {
        work.end()
        isWorking = false
    }

    // MARK: trying the worst

    #if DEBUG
        /// Debug builds only: a request for this target traps, so that tests can see what a trap costs.
        private let trapTarget = getenv("SLUICE_TRAP").map { String(cString: $0) }

        func trapIfAsked(_ target: ByteView) {
            guard let trapTarget else { return }
            precondition(target.string != trapTarget, "a trap that was asked for")
        }
    #else
        @inline(__always) func trapIfAsked(_ target: ByteView) {}
    #endif

    // MARK: draining

    /// Accepts nothing more; busy connections close after their response, idle ones after ``ConnectionLimits/drainGrace``.
    /// `done` is called when none is left.
    func drain(done: @escaping () -> Void) {
        for listener in listeners.values { listener.finishAccepting() }
        isolations.drain()
        isDraining = true
        drained = done
        registry.drain()
        clusters.closeIdle()
        tunnels.retire()
        datagrams.drain()
        connectionEnded()
    }

    func connectionEnded() {
        guard isDraining, registry.count == 0, datagrams.count == 0, let done = drained else { return }
        drained = nil
        accessLog.flush()
        done()
    }
}
