import Config
import Connection
import Core
import Glibc
import IO
import Redis
import Telemetry
import Upstream

/// The worker's side of the family: takes the supervisor's orders, reports, and runs the loop until told to end.
public final class WorkerRole: EventSource {
    private let start: WorkerStart
    private let loop: EventLoop
    private let worker: Worker
    private let log: Log

    /// Runs a worker until its end.
    /// - Returns: the process's exit status.
    public static func run(_ start: WorkerStart) -> Int32 {
        let log = Log(level: start.options.logLevel, speaker: Role.worker(index: start.index).title)
        let role: WorkerRole
        do throws(Errno) {
            role = try WorkerRole(start, log)
        } catch {
            log.error("the access log cannot be opened", ["error": .init(error.description)])
            return RoleExit.unable
        }
        role.loop.run()
        role.worker.accessLog.flush()
        // The process ends here and the kernel takes everything back at once. Taken apart object by object, connections
        // would outlive the loop that they refer to.
        _ = Unmanaged.passRetained(role)
        return RoleExit.done
    }

    private init(_ start: WorkerStart, _ log: Log) throws(Errno) {
        self.start = start
        self.log = log
        loop = EventLoop()
        guard let statisticsBase = start.statistics.baseAddress, let liveBase = start.liveState.baseAddress else {
            preconditionFailure("shared memory without an address")
        }
        let statistics = WorkerStatistics(base: statisticsBase, worker: start.index)
        statistics.begin()
        let liveState = LiveState(base: liveBase, workers: start.options.workers, worker: start.index)
        let fatal = liveState.work.fatal
        liveState.begin()
        SystemCalls.noteFatalSignals(in: liveState.work.signalWord)
        let accessLog = try AccessLog(
            start.options.accessLog.flatMap { AccessLogOption($0) } ?? .standardOutput(.text), loop: loop,
            statistics: statistics)
        worker = Worker(
            loop: loop, statistics: statistics, liveState: liveState,
            ticketKeys: TicketKeyRing(base: liveBase + LiveState.size(workers: start.options.workers)),
            accessLog: accessLog, log: log, dnsServers: start.options.dnsServers)
        super.init()
        if let text = start.options.rateLimitRedis, let address = try? RedisAddress(text) {
            worker.shareCounters(address, dnsServers: start.options.dnsServers)
        }
        worker.overload.start(
            memoryLimit: start.options.memoryLimit, statistics: statisticsBase, workers: start.options.workers)
        if let isolation = start.isolation { worker.isolations.inherit(isolation) }
        worker.isolations.begin(after: fatal)
        loop.addReader(start.link.descriptor, self)
        report(.ready)
    }

    override public func ready(_ events: ReadyEvents) {
        while true {
            switch start.link.receive() {
            case .message(let order): obey(order)
            case .nothing: return
            case .closed:
                // The supervisor is gone, and with it the sockets' other owner: nobody would respawn us or stop us.
                log.error("the supervisor is gone")
                return loop.stop()
            case .malformed(let error):
                log.error("an order cannot be read", ["error": .init("\(error)")])
            }
        }
    }

    private func obey(_ order: WorkerOrder) {
        switch order {
        case .socket(let id, let address, let fd):
            switch address.transport {
            case .tcp: worker.add(Listener(id: id, address: address.address, fd: fd, worker: worker))
            case .udp: worker.datagrams.add(id, fd)
            }
        case .closeSocket(let id): worker.closeSocket(id)
        case .snapshot(let generation, let revision, let fd): apply(fd, generation, revision)
        case .drain(let timeout):
            let deadline = DrainDeadline(worker: worker, loop: loop)
            loop.setDeadline(deadline, loop.now + timeout)
            worker.drain { [self] in
                loop.clearDeadline(deadline)
                report(.drained)
                loop.stop()
            }
        case .reopenLogs:
            if let error = worker.accessLog.reopen() {
                log.error("the access log cannot be reopened", ["error": .init(error.description)])
            }
        case .quit: loop.stop()
        }
    }

    private func apply(_ fd: SharedFD, _ generation: UInt64, _ revision: UInt64) {
        do throws(Errno) {
            let block = try SealedBlock(fd.raw)
            guard worker.apply(block) else {
                return log.error("a snapshot of another format was not taken over", ["generation": .init(generation)])
            }
            report(.live(generation: generation, revision: revision))
        } catch {
            log.error(
                "a snapshot cannot be mapped", ["generation": .init(generation), "error": .init(error.description)])
        }
    }

    private func report(_ report: WorkerReport) { _ = start.link.send(report) }
}

/// The end of a drain's patience: what is left is cut.
private final class DrainDeadline: Timed {
    private let worker: Worker
    private let loop: EventLoop

    init(worker: Worker, loop: EventLoop) {
        self.worker = worker
        self.loop = loop
    }

    override func deadlinePassed(now: Instant) {
        worker.registry.cut()
        worker.datagrams.cut()
        worker.accessLog.flush()
        loop.stop()
    }
}
