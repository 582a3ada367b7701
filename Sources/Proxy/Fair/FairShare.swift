import Core
import IO
import Telemetry
import Upstream

/// What a worker shares out among the flows of a group's calls, when and only when something is short: its time, the places of
/// calls under way, and the octets that it buffers. A flow is one caller's calls to one service.
///
/// - *Time* is short when a turn of the loop took longer than ``Upstream/Shortage/longestTurn`` or left work over. Then whatever an
///   event would have had done for a call joins ``turns`` instead, and each turn of the loop does as much of that as ``budget`` allows,
///   flow by flow, each charged with the time that it took. Edges are kept by the streams, so nothing that waits is lost.
/// - *Places* and *octets* cannot be taken back from who holds them; so each flow, and each service, may hold as much as is left free
///   (``Upstream/DynamicThreshold``). Who may not waits in ``line``.
///
/// While nothing is short, all of it is two comparisons and two additions a call, and one look at the clock a turn; without a
/// group's listeners nothing of it runs.
///
/// Limits: ``callLimit``, ``octetLimit``, ``waitingLimit``, ``longestWait``.
final class FairShare: EventSource {
    /// Of one turn of the loop while time is short: what has come meanwhile is looked at after so long.
    static let budget = TimeAmount.nanoseconds(50_000)
    /// What one share may take in one round.
    static let quantum = TimeAmount.nanoseconds(25_000)
    /// Calls under way at once.
    static let callLimit: UInt64 = 4096
    /// Octets buffered for calls at once.
    static let octetLimit: UInt64 = 128 << 20
    /// Calls that wait to be admitted at once. One more, and the newest of the flow that most wait of is refused.
    static let waitingLimit = 1024
    /// A call that has not been admitted by then is refused.
    static let longestWait = TimeAmount.seconds(5)
    /// Between two looks for what other workers have given back.
    static let pollPause = TimeAmount.milliseconds(2)
    /// Places of flows for counting what they hold; flows that share one are held together.
    static let flowPlaces = 4096

    private let worker: Worker
    /// Whose work is done next while time is short. As many may wait as there are calls under way and waiting.
    private let turns = FairQueues(quantum: FairShare.quantum.nanoseconds, limit: .max)
    /// Who is admitted next when one who has a place gives it back.
    private let line = FairQueues(quantum: 1, limit: FairShare.waitingLimit + 1)
    private var shortage = Shortage()
    private var isScheduled = false
    private var isStarted = false
    private(set) var calls: UInt64 = 0
    private(set) var octets: UInt64 = 0
    /// Calls that wait to be admitted, in either place.
    private(set) var waiting = 0
    private var callsOfFlows: [UInt32]
    private var octetsOfFlows: [UInt64]
    /// Of whoever is being counted; kept, since under overload it is needed for each call.
    var callerText = ByteBuffer()
    var callLimit = FairShare.callLimit
    var octetLimit = FairShare.octetLimit
    var waitingLimit = FairShare.waitingLimit

    init(worker: Worker) {
        self.worker = worker
        callsOfFlows = Array(repeating: 0, count: Self.flowPlaces)
        octetsOfFlows = Array(repeating: 0, count: Self.flowPlaces)
        super.init()
    }

    /// Begins to watch the worker's time: the first configuration with a group is there.
    func start() {
        guard !isStarted else { return }
        isStarted = true
        worker.loop.atEndOfTurn { [unowned self] in turnEnded() }
    }

    /// Work is done in the order of flows.
    var isShort: Bool { shortage.isOn }

    /// As if a turn had been long.
    func beginShortage() { shortage.begin(now: worker.loop.now) }

    private func turnEnded() {
        shortage.turnEnded(
            began: worker.loop.now, ended: SystemCalls.monotonicNow(), leftOver: turns.count > 0)
    }

    // MARK: being admitted

    enum Entry { case admitted, waiting, refused }

    /// A call wants to go on past its route.
    func enter(_ exchange: Exchange) -> Entry {
        // Whoever has nothing under way takes nobody's turn.
        let isFirst = line.count == 0 || callsOfFlows[Self.index(exchange.fair.flow)] == 0
        if !shortage.isOn, isFirst, take(exchange) { return .admitted }
        guard line.count < line.limit else { return .refused }
        let place = exchange.fairPlace
        place.isForAdmission = true
        place.flow = exchange.fair.flow
        place.weight = exchange.fair.weight
        exchange.fair.waitsSince = worker.loop.now
        waiting += 1
        worker.statistics.increment(.fairWaitingNow)
        place.isInLine = !shortage.isOn
        if place.isInLine { line.join(place) } else { turns.join(place) }
        schedule()
        guard waiting > waitingLimit else { return .waiting }
        guard let last = newestWaiting, last !== exchange else {
            stopWaiting(exchange)
            return .refused
        }
        last.refuseShare("more of its calls wait than may")
        return .waiting
    }

    /// Of the flow that most wait of, in either place.
    private var newestWaiting: Exchange? {
        let inLine = line.newestOfLongest
        let inTurns = turns.newestOfLongest(where: { Self.place($0).isForAdmission })
        guard let inLine else { return inTurns.map { Self.place($0).exchange } }
        guard let inTurns, turns.length(around: inTurns) > line.length(around: inLine) else {
            return Self.place(inLine).exchange
        }
        return Self.place(inTurns).exchange
    }

    private static func place(_ place: FairPlace) -> ExchangePlace { unsafeDowncast(place, to: ExchangePlace.self) }

    /// Takes a place among the calls under way. False: there is none for this flow now.
    private func take(_ exchange: Exchange) -> Bool {
        let use = exchange.fair
        let index = Self.index(use.flow)
        guard
            DynamicThreshold.admits(
                held: UInt64(callsOfFlows[index]), total: calls, limit: callLimit, weight: use.weight),
            DynamicThreshold.admits(
                held: octetsOfFlows[index], total: octets, limit: octetLimit, weight: use.weight)
        else { return false }
        if let member = use.member {
            let cell = worker.liveState.member(use.slot)
            // Slot 0 is shared by all that have none.
            if use.slot != 0,
                !DynamicThreshold.admits(held: cell.calls, total: calls, limit: callLimit, weight: use.weight)
            {
                return false
            }
            let quota = member.pointee.fairShare
            if quota.maxMemory > 0, cell.allOctets >= quota.maxMemory { return false }
            guard cell.take(limit: use.slot == 0 ? 0 : quota.maxConnections) else { return false }
        }
        calls += 1
        callsOfFlows[index] += 1
        exchange.fair.isAdmitted = true
        return true
    }

    private static func index(_ flow: UInt64) -> Int { Int(truncatingIfNeeded: flow >> 32) & (flowPlaces - 1) }

    /// The call is over, whatever it had.
    func leave(_ exchange: Exchange) {
        if exchange.fair.waitsSince < .distantFuture { stopWaiting(exchange) }
        if let place = exchange.fairPlaceIfMade, place.isWaiting { turns.leave(place) }
        guard exchange.fair.isAdmitted else { return }
        note(0, of: exchange)
        calls -= 1
        callsOfFlows[Self.index(exchange.fair.flow)] -= 1
        if exchange.fair.member != nil { worker.liveState.member(exchange.fair.slot).give() }
        if line.count > 0 { schedule() }
    }

    private func stopWaiting(_ exchange: Exchange) {
        exchange.fair.waitsSince = .distantFuture
        waiting -= 1
        worker.statistics.decrement(.fairWaitingNow)
        guard let place = exchange.fairPlaceIfMade, place.isWaiting else { return }
        if place.isInLine { line.leave(place) } else { turns.leave(place) }
        place.isInLine = false
    }

    /// Octets that a call buffers now.
    func note(_ now: Int64, of exchange: Exchange) {
        let change = now - exchange.fair.octets
        guard change != 0 else { return }
        exchange.fair.octets = now
        octets &+= UInt64(bitPattern: change)
        octetsOfFlows[Self.index(exchange.fair.flow)] &+= UInt64(bitPattern: change)
        if exchange.fair.member != nil { worker.liveState.member(exchange.fair.slot).add(octets: change) }
        if change < 0, line.count > 0 { schedule() }
    }

    // MARK: turns

    /// Puts off what an event has a call do. False: time is not short, and it is done at once.
    func putsOff(_ exchange: Exchange) -> Bool {
        guard shortage.isOn || exchange.fairPlaceIfMade?.isWaiting == true else { return false }
        let place = exchange.fairPlace
        if place.isWaiting { return true }
        place.isForAdmission = false
        place.flow = exchange.fair.flow
        place.weight = exchange.fair.weight
        turns.join(place)
        schedule()
        return true
    }

    /// What other workers give back of a service's quota is looked for now and then.
    private func poll() {
        guard line.count > 0, worker.liveState.members.workerCount > 1 else { return }
        worker.loop.setDeadline(self, worker.loop.now + Self.pollPause)
    }

    override func deadlinePassed(now: Instant) { ready([]) }

    /// In this turn of the loop if its events are being told, else in the next, which then does not wait.
    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        worker.loop.again(self)
    }

    override func ready(_ events: ReadyEvents) {
        isScheduled = false
        if line.count > 0 { serveLine() }
        defer { poll() }
        guard turns.count > 0 else { return }
        var before = SystemCalls.monotonicNow()
        let end = before + Self.budget
        while let next = turns.next {
            let place = Self.place(next)
            let queue = place.queue
            turns.leave(place)
            if place.isForAdmission { admit(place.exchange) } else { place.exchange.goOnInTurn() }
            let now = SystemCalls.monotonicNow()
            turns.charge(queue, (now - before).nanoseconds)
            before = now
            if now >= end { break }
        }
        if turns.count > 0 { schedule() }
    }

    /// Its turn has come; there may still be no place for it.
    private func admit(_ exchange: Exchange) {
        guard take(exchange) else {
            guard line.count < line.limit else { return exchange.refuseShare("more of its calls wait than may") }
            let place = exchange.fairPlace
            place.isInLine = true
            return line.join(place)
        }
        pass(exchange)
    }

    private func pass(_ exchange: Exchange) {
        let delay = worker.loop.now - exchange.fair.waitsSince
        stopWaiting(exchange)
        // What goes on within the turn in which it came has not waited.
        if delay > .zero { exchange.countFlow { worker.liveState.flows.waited($0, delay, now: worker.loop.now) } }
        exchange.shareGiven()
    }

    /// Admits whom there is a place for, flow by flow.
    private func serveLine() {
        var passedOver = 0
        while passedOver <= line.busyQueues, let next = line.next {
            let place = Self.place(next)
            let exchange = place.exchange
            guard take(exchange) else {
                passedOver += 1
                line.letOthersGo()
                continue
            }
            let queue = place.queue
            line.leave(place)
            place.isInLine = false
            line.charge(queue, 1)
            passedOver = 0
            pass(exchange)
        }
    }

    /// A call that waits, or has just come, is refused.
    func countRefusal(of exchange: Exchange) {
        exchange.countFlow { worker.liveState.flows.rejected($0, now: worker.loop.now) }
    }
}
