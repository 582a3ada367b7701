import Config
import Core
import IO
import Upstream

/// Who waits in a ``Breaker``'s line. One of each owner, made once and used again.
final class WaitingPlace {
    /// Tries again to begin. True: it has left the line.
    var wake: () -> Bool
    fileprivate(set) var isWaiting = false
    /// Milliseconds of the monotonic clock.
    fileprivate var arrived: UInt32 = 0
    /// Whose request it is, and how many shares they have; to be set only while it does not wait. The requests of a flow stand
    /// behind each other, those of several take turns; 0: of nobody in particular.
    var flow: UInt64 = 0
    var weight: UInt32 = 1
    /// Where its request ends in the time of those who are served.
    fileprivate var finish: UInt64 = 0
    fileprivate var next: WaitingPlace?
    fileprivate unowned(unsafe) var previous: WaitingPlace?

    init(wake: @escaping () -> Bool = { preconditionFailure("nobody is told that a permit may be free") }) {
        self.wake = wake
    }
}

/// The circuit breaker of one cluster in this worker: permits that all workers share (``ClusterCell``), and the line of those
/// who wait for one here, in the order of
/// their arrival; those of a group's flows by turns, each as often as it has shares (start-time fair queueing: Goyal, Vin, Cheng 1996).
///
/// What is given back here wakes the line in the same turn. What others give back is looked for every ``pollPause`` while
/// somebody waits. So that a busy worker does not pass its permits from one of its own to the next for ever, it leaves one
/// when somebody elsewhere has waited longer by more than ``slack``; who looks for one by the clock takes what is there,
/// so that a worker that hangs holds nobody up.
final class Breaker: EventSource {
    static let pollPause = TimeAmount.milliseconds(1)
    /// In milliseconds.
    static let slack: UInt32 = 5

    /// As of the newest snapshot.
    private(set) var limits = CircuitBreakerPlan()
    private let cell: ClusterCell
    /// Nobody else gives anything back.
    private let isAlone: Bool
    /// Of each limit this worker's part: 1, unless the cluster has no place in shared memory.
    private let parts: UInt32
    private let ownMemory: UnsafeMutableRawPointer?
    private let worker: Worker
    private var first: WaitingPlace?
    private unowned(unsafe) var last: WaitingPlace?
    private var isWoken = false
    /// What those who were served have come to; 0 again as soon as nobody waits.
    private var served: UInt64 = 0
    /// A request of a flow with one share.
    private static let request: UInt64 = 1 << 20

    /// - Parameter slot: the cluster's in the live state; 0: it has none, and each worker holds its part of the limits.
    init(slot: UInt32, worker: Worker) {
        self.worker = worker
        let workers = worker.liveState.clusters.workerCount
        if slot == 0 {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: 64)
            ownMemory = memory
            cell = ClusterCell(base: memory, stride: 64, workers: 1, worker: 0)
            parts = UInt32(workers)
        } else {
            ownMemory = nil
            cell = worker.liveState.cluster(slot)
            parts = 1
        }
        isAlone = slot == 0 || workers == 1
    }

    deinit {
        precondition(first == nil, "a breaker went while somebody waited in its line")
        ownMemory?.deallocate()
    }

    func adopt(_ limits: CircuitBreakerPlan) {
        guard limits != self.limits else { return }
        self.limits = limits
        wakeLine()
    }

    private func part(of limit: UInt32) -> UInt32 { limit == 0 || parts == 1 ? limit : max(1, limit / parts) }

    // MARK: requests and retries

    /// Takes the permit for a request that does not wait, or is the first of those who do.
    func takeRequest(_ place: WaitingPlace?) -> Bool {
        if let place, place.isWaiting {
            guard first === place else { return false }
        } else if first != nil || (!isAlone && cell.isAnyOlder(than: now, slack: Self.slack)) {
            return false
        }
        return cell.take(.requests, limit: part(of: limits.maxParallelRequests))
    }

    func giveRequest() {
        cell.give(.requests)
        if first != nil { wakeLine() }
    }

    /// Gives a permit back for which there was no use: nobody else could use it either, so nobody is woken.
    func putBackRequest() { cell.give(.requests) }

    /// Takes the permit for an attempt that is not a request's first.
    /// - Parameter limit: at once; nil: `maxParallelRetries`.
    func takeRetry(limit: UInt32? = nil) -> Bool {
        let isTaken = cell.take(.retries, limit: part(of: limit ?? limits.maxParallelRetries))
        if !isTaken { worker.statistics.increment(.breakerRetryOverflows) }
        return isTaken
    }

    func giveRetry() { cell.give(.retries) }

    /// Retries at once as `circuitBreaker.retryBudget` has them now; nil: none is written.
    var writtenRetryLimit: UInt32? { limits.retryBudget.map { UInt32(clamping: $0.allowed(requests: activeRequests)) } }

    /// Requests under way or waiting, of all workers: what a retry budget is a share of.
    var activeRequests: Int { cell.sum(.requests) + cell.sum(.pending) }

    // MARK: connections

    /// Closes an idle connection of this worker's, to any of the cluster's endpoints. False: there is none.
    var closeOneIdle: (() -> Bool)?

    /// Takes the permit for a new connection; one that nobody uses here makes room for it.
    func takeConnection() -> Bool {
        let limit = part(of: limits.maxConnections)
        if cell.take(.connections, limit: limit) { return true }
        return closeOneIdle?() == true && cell.take(.connections, limit: limit)
    }

    func giveConnection() {
        cell.give(.connections)
        if first != nil { wakeLine() }
    }

    /// As ``putBackRequest()``.
    func putBackConnection() { cell.give(.connections) }

    /// Idle connections of one endpoint that may be kept here: at most this worker's part of the limit, so that those of
    /// others always leave some permits to each.
    var idleLimit: Int { Int(limits.maxConnections) / max(1, worker.liveState.clusters.workerCount) }

    /// A connection that comes back is worth more to others, who wait for its permit, than idle here.
    var isWantedElsewhere: Bool {
        !isAlone && cell.sum(.pending) > cell.own(.pending)
            && cell.sum(.connections) >= Int(part(of: limits.maxConnections))
    }

    // MARK: the way out

    /// This worker sends the cluster's requests elsewhere, for all to see.
    func noteDiversion(_ isDiverted: Bool) {
        if isDiverted { cell.add(.diverted) } else { cell.give(.diverted) }
    }

    // MARK: the line

    private var now: UInt32 { UInt32(truncatingIfNeeded: worker.loop.now.nanoseconds / 1_000_000) }

    /// Nobody here has waited longer.
    func isTurn(of place: WaitingPlace) -> Bool { first == nil || first === place }

    /// Joins the line, behind those of its flow. False: it is full.
    func join(_ place: WaitingPlace) -> Bool {
        precondition(!place.isWaiting, "who waits already joins again")
        guard cell.take(.pending, limit: part(of: limits.maxPendingRequests)) else {
            worker.statistics.increment(.breakerOverflows)
            return false
        }
        worker.statistics.increment(.breakerPendingNow)
        place.isWaiting = true
        place.arrived = now
        insert(place)
        if first === place {
            cell.noteOldest(milliseconds: place.arrived)
            poll()
        }
        return true
    }

    /// Between those whose requests end before its own and those whose end after.
    private func insert(_ place: WaitingPlace) {
        let own = Self.request / UInt64(max(1, place.weight))
        var before = last
        if let last, last.flow == place.flow {
            place.finish = last.finish + own
        } else {
            var ofFlow = last
            while let other = ofFlow, other.flow != place.flow { ofFlow = other.previous }
            place.finish = max(served, ofFlow?.finish ?? 0) + own
            while let other = before, other.finish > place.finish { before = other.previous }
        }
        place.previous = before
        place.next = before == nil ? first : before?.next
        if let next = place.next { next.previous = place } else { last = place }
        if let before { before.next = place } else { first = place }
    }

    /// Leaves the line: its turn has come, or it waits no more.
    func leave(_ place: WaitingPlace) {
        guard place.isWaiting else { return }
        place.isWaiting = false
        let wasFirst = first === place
        if wasFirst { served = max(served, place.finish) }
        if let next = place.next { next.previous = place.previous } else { last = place.previous }
        if let previous = place.previous { previous.next = place.next } else { first = place.next }
        place.next = nil
        place.previous = nil
        cell.give(.pending)
        worker.statistics.decrement(.breakerPendingNow)
        guard wasFirst else { return }
        cell.noteOldest(milliseconds: first?.arrived)
        if first == nil {
            served = 0
            worker.loop.clearDeadline(self)
        } else {
            wakeLine()
        }
    }

    private func poll() {
        if !isAlone { worker.loop.setDeadline(self, worker.loop.now + Self.pollPause) }
    }

    /// The first in line tries again, in this turn but not within this call: whoever gave a permit back is in the middle of
    /// something.
    func wakeLine() {
        guard first != nil, !isWoken else { return }
        isWoken = true
        worker.loop.again(self)
    }

    override func ready(_ events: ReadyEvents) {
        isWoken = false
        guard let first else { return }
        if !isAlone, cell.isAnyOlder(than: first.arrived, slack: Self.slack) { return poll() }
        serve()
    }

    override func deadlinePassed(now: Instant) { serve() }

    private func serve() {
        while let place = first {
            guard place.wake() else { return poll() }
            precondition(!place.isWaiting, "who was served still waits")
        }
    }
}
