/// Whose turn it is among flows that want more than there is: weighted deficit round robin (Shreedhar, Varghese 1995) over a
/// fixed number of queues, in which flows are put by ``ShuffleShard``.
///
/// A queue that has just become busy is served before those that have been for long (as RFC 8290, section 4.2 does it), for
/// one round's worth at most: so a flow that asks for little hardly waits, whatever the others ask for. Costs are charged after the
/// work, when they are known; a queue that is in debt lets the others go first until the rounds have paid it.
///
/// State is bounded whatever the number of flows: ``queueCount`` queues, `limit` places that wait. A flow has a queue of its own as
/// long as one of its hand is free; past that it joins the shortest of its hand, which is its first holder's in weight.
///
///     idle ─ join ─▶ fresh ─ round over, or empty ─▶ seasoned ─ empty ─▶ idle
public final class FairQueues {
    public static let queueCount = 128
    /// Shares of one flow.
    public static let weightLimit: UInt32 = 1000
    /// Rounds for which a queue may be in debt; what it owes beyond that is forgiven, so that one dear piece of work does not
    /// silence a flow for long, and choosing stays cheap.
    public static let longestDebt: Int64 = 32

    private enum Stage: UInt8 { case idle, fresh, seasoned }

    private struct Queue {
        var stage = Stage.idle
        var first: Unmanaged<FairPlace>?
        var last: Unmanaged<FairPlace>?
        var count: Int32 = 0
        /// The next one in the ring that it is in.
        var behind: Int32 = -1
        /// Who made it busy.
        var flow: UInt64 = 0
        /// What it may cost in one round.
        var quantum: Int64 = 0
        /// What is left of it.
        var credit: Int64 = 0
    }

    private struct Ring {
        var first: Int32 = -1
        var last: Int32 = -1
    }

    private var queues: [Queue]
    private var fresh = Ring()
    private var seasoned = Ring()
    private let quantum: Int64
    /// Places that may wait at once.
    public let limit: Int
    /// Places that wait.
    public private(set) var count = 0
    /// Queues that are not idle.
    public private(set) var busyQueues = 0

    /// - Parameters:
    ///   - quantum: what one share may cost in one round, in whatever unit costs are told in.
    ///   - limit: places that may wait at once.
    public init(quantum: Int64, limit: Int) {
        precondition(quantum > 0 && limit > 0)
        self.quantum = quantum
        self.limit = limit
        queues = Array(repeating: Queue(), count: Self.queueCount)
    }

    // MARK: coming and going

    /// `place` waits from now on, behind those of its flow.
    public func join(_ place: FairPlace) {
        precondition(!place.isWaiting, "who waits already joins again")
        precondition(count < limit, "more wait than may")
        let number = chosen(for: place.flow)
        if queues[number].stage == .idle { begin(number, for: place) }
        place.queue = Int32(number)
        place.previous = queues[number].last
        if let last = queues[number].last {
            last._withUnsafeGuaranteedRef { $0.next = .passUnretained(place) }
        } else {
            queues[number].first = .passUnretained(place)
        }
        queues[number].last = .passUnretained(place)
        queues[number].count += 1
        count += 1
    }

    /// `place` waits no more: its turn has come, or it has given up.
    public func leave(_ place: FairPlace) {
        guard place.isWaiting else { return }
        let number = Int(place.queue)
        if let next = place.next {
            next._withUnsafeGuaranteedRef { $0.previous = place.previous }
        } else {
            queues[number].last = place.previous
        }
        if let previous = place.previous {
            previous._withUnsafeGuaranteedRef { $0.next = place.next }
        } else {
            queues[number].first = place.next
        }
        place.queue = -1
        place.next = nil
        place.previous = nil
        queues[number].count -= 1
        count -= 1
        // One that is empty stays in its ring until its turn comes: what it owes is not forgotten by leaving early.
    }

    /// The queue of the flow's hand that it has, or else that fewest wait in.
    private func chosen(for flow: UInt64) -> Int {
        let hand = ShuffleShard.hand(of: flow, deck: Self.queueCount)
        var best = -1
        for card in 0..<ShuffleShard.handSize {
            let number = Int(hand[card])
            if queues[number].stage != .idle, queues[number].flow == flow { return number }
            if best < 0 || isBetter(number, than: best) { best = number }
        }
        return best
    }

    private func isBetter(_ number: Int, than other: Int) -> Bool {
        let (isIdle, otherIsIdle) = (queues[number].stage == .idle, queues[other].stage == .idle)
        if isIdle != otherIsIdle { return isIdle }
        return queues[number].count < queues[other].count
    }

    private func begin(_ number: Int, for place: FairPlace) {
        let share = quantum * Int64(min(max(1, place.weight), Self.weightLimit))
        queues[number].flow = place.flow
        queues[number].quantum = share
        queues[number].credit = share
        append(number, to: .fresh)
        busyQueues += 1
    }

    // MARK: turns

    /// Whose turn it is; the same until it leaves or is charged for, or ``letOthersGo()`` is called. Nil: nobody waits.
    public var next: FairPlace? {
        guard count > 0 else { return nil }
        while true {
            let stage = fresh.first >= 0 ? Stage.fresh : .seasoned
            let number = Int(stage == .fresh ? fresh.first : seasoned.first)
            precondition(number >= 0, "places wait and no queue is busy")
            if queues[number].credit <= 0 {
                queues[number].credit += queues[number].quantum
                removeFirst(of: stage)
                append(number, to: .seasoned)
            } else if let first = queues[number].first {
                return first.takeUnretainedValue()
            } else {
                removeFirst(of: stage)
                // Not idle at once: leaving and coming again would be a way to be always fresh.
                if stage == .fresh { append(number, to: .seasoned) } else { end(number) }
            }
        }
    }

    /// What the work of somebody has cost who waited in this queue.
    public func charge(_ queue: Int32, _ cost: Int64) {
        let number = Int(queue)
        let floor = -Self.longestDebt * queues[number].quantum
        queues[number].credit = max(floor, queues[number].credit - max(0, cost))
    }

    /// Whose turn it is cannot go on now: the queue goes behind the others, with what it has left.
    public func letOthersGo() {
        let stage = fresh.first >= 0 ? Stage.fresh : .seasoned
        let number = Int(stage == .fresh ? fresh.first : seasoned.first)
        guard number >= 0 else { return }
        removeFirst(of: stage)
        append(number, to: .seasoned)
    }

    /// Who came last of those that most wait with: who goes when there is no room. Nil: nobody waits.
    public var newestOfLongest: FairPlace? {
        var longest = 0
        for number in 1..<Self.queueCount where queues[number].count > queues[longest].count { longest = number }
        return queues[longest].last?.takeUnretainedValue()
    }

    /// The same among those that satisfy `mayGo`: who came last of them in the longest queue that has one.
    public func newestOfLongest(where mayGo: (FairPlace) -> Bool) -> FairPlace? {
        var newest: FairPlace?
        var longest: Int32 = 0
        for number in 0..<Self.queueCount where queues[number].count > longest {
            var place = queues[number].last?.takeUnretainedValue()
            while let candidate = place, !mayGo(candidate) { place = candidate.previous?.takeUnretainedValue() }
            guard let place else { continue }
            newest = place
            longest = queues[number].count
        }
        return newest
    }

    /// How many wait in the queue in which this place waits.
    public func length(around place: FairPlace) -> Int { place.isWaiting ? Int(queues[Int(place.queue)].count) : 0 }

    /// How many wait in the queue that this flow has, or would have.
    public func length(for flow: UInt64) -> Int { Int(queues[chosen(for: flow)].count) }

    // MARK: rings

    private func append(_ number: Int, to stage: Stage) {
        queues[number].stage = stage
        queues[number].behind = -1
        let last = stage == .fresh ? fresh.last : seasoned.last
        if last >= 0 { queues[Int(last)].behind = Int32(number) }
        if stage == .fresh {
            if fresh.first < 0 { fresh.first = Int32(number) }
            fresh.last = Int32(number)
        } else {
            if seasoned.first < 0 { seasoned.first = Int32(number) }
            seasoned.last = Int32(number)
        }
    }

    private func removeFirst(of stage: Stage) {
        if stage == .fresh {
            fresh.first = queues[Int(fresh.first)].behind
            if fresh.first < 0 { fresh.last = -1 }
        } else {
            seasoned.first = queues[Int(seasoned.first)].behind
            if seasoned.first < 0 { seasoned.last = -1 }
        }
    }

    private func end(_ number: Int) {
        queues[number].stage = .idle
        queues[number].behind = -1
        busyQueues -= 1
    }
}
