import Core
import IO
import Telemetry

/// What a worker does when memory, descriptors or connections run short: first idle connections go, those of clients and
/// those that are kept to endpoints; then new connections are refused. Exchanges under way are left alone, and the admin
/// interface, a process of its own, is not concerned at all.
///
/// Memory and descriptors are looked at every ``period`` and have watermarks. Connections have a limit: at the limit an
/// idle one makes room for a new one; where none is idle, new ones are refused until some are gone.
final class Overload: Timed {
    static let period = TimeAmount.milliseconds(500)
    /// Idle connections that one look closes: a tenth of all, and at least so many.
    private static let leastClosed = 16
    /// Refusing for want of connections ends when so many hundredths of the limit are left in use.
    private static let connectionsUntil = 95

    private let worker: Worker
    private(set) var memory = Watermark()
    private(set) var descriptors = Watermark()
    private(set) var lacksConnections = false
    /// Octets that the family may take; 0: no limit.
    private var memoryLimit: UInt64 = 0
    private var reader: StatisticsReader?
    private var controller: ControllerStatistics?

    init(worker: Worker) {
        self.worker = worker
        super.init()
    }

    /// Begins to look, now and then.
    /// - Parameters:
    ///   - memoryLimit: of the family; nil: what its group of processes may take, if that is bounded.
    ///   - statistics: where the others tell what they take.
    func start(memoryLimit: UInt64?, statistics: UnsafeMutableRawPointer, workers: Int) {
        self.memoryLimit = memoryLimit ?? ProcessUse.memoryLimit ?? 0
        reader = StatisticsReader(base: statistics, workers: workers)
        controller = ControllerStatistics(base: statistics)
        look()
    }

    var level: Watermark.Level {
        max(max(memory.level, descriptors.level), lacksConnections ? .refusing : .normal)
    }

    /// Whether there is room for one more connection; an idle one may have to go for it.
    func admits() -> Bool {
        if max(memory.level, descriptors.level) == .refusing { return false }
        if !lacksConnections, worker.registry.count < worker.registry.limit { return true }
        if worker.registry.closeOldestIdle(count: 1) > 0 { return true }
        if !lacksConnections {
            lacksConnections = true
            tell("connections", .refusing, used: UInt64(worker.registry.count), limit: UInt64(worker.registry.limit))
        }
        return false
    }

    override func deadlinePassed(now: Instant) { look() }

    private func look() {
        if let octets = ProcessUse.privateMemory { worker.statistics.set(.memoryNow, octets) }
        let family = (reader?.total(.memoryNow) ?? 0) &+ (controller?[.memoryNow] ?? 0)
        look(
            memory: family, limit: memoryLimit, descriptors: UInt64(ProcessUse.openDescriptors ?? 0),
            limit: UInt64(ProcessUse.descriptorLimit))
        worker.loop.setDeadline(self, worker.loop.now + Self.period)
    }

    /// Decides by what is taken of what there is.
    func look(memory used: UInt64, limit: UInt64, descriptors open: UInt64, limit openLimit: UInt64) {
        if memory.update(used: used, limit: limit) { tell("memory", memory.level, used: used, limit: limit) }
        if descriptors.update(used: open, limit: openLimit) {
            tell("descriptors", descriptors.level, used: open, limit: openLimit)
        }
        let registry = worker.registry
        if lacksConnections, registry.count * 100 <= registry.limit * Self.connectionsUntil {
            lacksConnections = false
            tell("connections", .normal, used: UInt64(registry.count), limit: UInt64(registry.limit))
        }
        guard max(memory.level, descriptors.level) > .normal else { return }
        registry.closeOldestIdle(count: max(Self.leastClosed, registry.count / 10))
        worker.clusters.closeIdle()
        if memory.level > .normal { SystemCalls.trimMemory() }
    }

    private func tell(_ what: String, _ level: Watermark.Level, used: UInt64, limit: UInt64) {
        worker.statistics.set(.overloadLevelNow, UInt64(self.level.rawValue))
        let facts: KeyValuePairs<StaticString, LogValue> = [
            "resource": .text(what), "used": .init(used), "limit": .init(limit),
        ]
        switch level {
        case .normal: worker.log.info("overload is over", facts)
        case .shedding: worker.log.warning("overload: idle connections are closed", facts)
        case .refusing: worker.log.warning("overload: new connections are refused", facts)
        }
    }
}
