import Config
import Core

/// Chooses among the endpoints of one cluster, by what all workers know of them at the moment (``LiveState``).
///
/// Which endpoints are usable, their weights and the shares of zones are worked out at most every ``refreshPause``, or when
/// one that was chosen turns out not to be usable; requests in flight and latency are read for every choice. A choice
/// allocates nothing.
public final class Balancer {
    /// An endpoint that is usable again is seen so late at most; one that is not any more, at once.
    public static let refreshPause = TimeAmount.milliseconds(10)
    /// Sets of so many are compared whole; of larger ones two are drawn (the power of two choices).
    static let comparedWhole = 4

    public private(set) var candidates: [Candidate] = []
    public private(set) var policy = BalancingPolicy()
    private let tables: RendezvousTables
    /// Of consistent hashing, made with the first request.
    private var table: RendezvousTable?
    /// The turn of round robin, by group.
    private var turn: Int
    private var current: [Int64] = []

    // What was worked out, by ``refresh(_:_:)``.
    var validUntil = Instant(nanoseconds: .min)
    /// Usable endpoints, those of one group together.
    var order: [Int32] = []
    /// Sums of the weights of `order` up to and including each, within its group.
    var sums: [UInt64] = []
    var groups: [Group] = []
    /// Requests of a hundred for which groups are looked at; the others have all endpoints.
    var grouped: UInt32 = 100
    /// Everything, when there is more than one group and some requests have all.
    var whole = Group()
    var isUsable: [Bool] = []
    /// As they count at the moment, by place among the candidates.
    var weights: [UInt64] = []
    public internal(set) var usableCount = 0
    /// Fewer are usable than the panic threshold asks for: all are used.
    public internal(set) var isPanicking = false

    struct Group {
        var start = 0
        var count = 0
        /// Of 2³²: requests of this group and all before it.
        var share: UInt64 = 1 << 32
        /// All weights are equal.
        var isEven = true
    }

    /// - Parameter turn: where round robin begins; random, so that the workers do not all begin with the first endpoint.
    public init(turn: Int, tables: RendezvousTables) {
        self.turn = turn
        self.tables = tables
    }

    /// Takes a new set of endpoints, or another policy.
    public func adopt(_ candidates: [Candidate], _ policy: BalancingPolicy) {
        guard candidates != self.candidates || policy != self.policy else { return }
        self.candidates = candidates
        self.policy = policy
        table = nil
        validUntil = Instant(nanoseconds: .min)
        isUsable = Array(repeating: true, count: candidates.count)
        current = Array(repeating: 0, count: candidates.count)
        weights = Array(repeating: 1, count: candidates.count)
    }

    // MARK: choosing

    /// The endpoint for a request, by its place among ``candidates``. Nil: none is usable.
    /// - Parameters:
    ///   - hash: of what consistent hashing looks at; nil: the request has nothing of it, and any endpoint will do.
    ///   - tried: endpoints that come last.
    public func choose(
        _ live: LiveState, now: Instant, hash: UInt64?, tried: TriedEndpoints, using random: inout SeededRandom
    ) -> Int? {
        if now >= validUntil { refresh(live, now) }
        // Each may go just when it is picked, once.
        for _ in 0...candidates.count where !groups.isEmpty {
            var found = pick(live, now, hash, tried, &random)
            // When all have been tried, at least not the same one twice in a row.
            if tried.count > 1, tried.contains(candidates[found].key) {
                found = pick(live, now, hash, tried.last, &random)
            }
            if isPanicking || live.endpoint(candidates[found].slot).isUsable { return found }
            // It has just gone: worked out anew, which leaves it out. How many there are tells nothing: another may have
            // come at the same time.
            refresh(live, now)
        }
        return nil
    }

    /// Endpoints that are usable now.
    public func usable(_ live: LiveState, now: Instant) -> Int {
        if now >= validUntil { refresh(live, now) }
        return usableCount
    }

    public func mayServe(_ index: Int, _ live: LiveState) -> Bool { live.endpoint(candidates[index].slot).isUsable }

    private func pick(
        _ live: LiveState, _ now: Instant, _ hash: UInt64?, _ tried: TriedEndpoints, _ random: inout SeededRandom
    ) -> Int {
        if policy.algorithm == .consistentHash, let hash, let found = byHash(hash, tried) { return found }
        let group = chooseGroup(&random)
        if group.count == 1, tried.isEmpty { return Int(order[group.start]) }
        switch policy.algorithm {
        case .leastRequest: return leastRequest(group, live, tried, &random)
        case .peakEWMA: return leastCost(group, live, now, tried, &random)
        case .roundRobin: return roundRobin(group, tried)
        case .random, .consistentHash: return draw(group, tried, &random)
        }
    }

    private func chooseGroup(_ random: inout SeededRandom) -> Group {
        if groups.count == 1 { return groups[0] }
        let value = random.next()
        if grouped < 100, (value >> 32) % 100 >= UInt64(grouped) { return whole }
        let at = value & 0xFFFF_FFFF
        for group in groups where at < group.share { return group }
        return groups[groups.count - 1]
    }

    // MARK: the algorithms

    /// One of a group by weight. The endpoints that were tried are drawn when nothing else comes in some draws.
    private func draw(_ group: Group, _ tried: TriedEndpoints, _ random: inout SeededRandom) -> Int {
        let first = drawOnce(group, random.next())
        if tried.isEmpty || !tried.contains(candidates[first].key) { return first }
        // From there on in order: whoever is left is found.
        return untried(group, from: Int(random.next() % UInt64(group.count)), tried) ?? first
    }

    @inline(__always) private func drawOnce(_ group: Group, _ value: UInt64) -> Int {
        if group.isEven { return Int(order[group.start + Self.below(group.count, value)]) }
        let total = sums[group.start + group.count - 1]
        let at = value.multipliedFullWidth(by: total).high
        var low = group.start
        var high = group.start + group.count - 1
        while low < high {
            let middle = (low + high) >> 1
            if sums[middle] > at { high = middle } else { low = middle + 1 }
        }
        return Int(order[low])
    }

    /// A number below `count`, from the upper half of a random one.
    @inline(__always) private static func below(_ count: Int, _ value: UInt64) -> Int {
        Int(truncatingIfNeeded: ((value >> 32) &* UInt64(truncatingIfNeeded: count)) >> 32)
    }

    private func untried(_ group: Group, from: Int, _ tried: TriedEndpoints) -> Int? {
        for step in 0..<group.count {
            let index = Int(order[group.start + (from + step) % group.count])
            if !tried.contains(candidates[index].key) { return index }
        }
        return nil
    }

    private func leastRequest(
        _ group: Group, _ live: LiveState, _ tried: TriedEndpoints, _ random: inout SeededRandom
    ) -> Int {
        if group.count <= Self.comparedWhole, group.isEven {
            return least(group, tried, &random) { UInt64(truncatingIfNeeded: live.inFlight(candidates[$0].slot)) }
        }
        let (one, other) = pair(group, tried, &random)
        if one == other { return one }
        let a = UInt64(live.inFlight(candidates[one].slot))
        let b = UInt64(live.inFlight(candidates[other].slot))
        // Drawn by weight, so between equals the first stays; a load counts in proportion to the weight.
        if group.isEven { return b < a ? other : one }
        return b * weights[one] < a * weights[other] ? other : one
    }

    private func leastCost(
        _ group: Group, _ live: LiveState, _ now: Instant, _ tried: TriedEndpoints, _ random: inout SeededRandom
    ) -> Int {
        func cost(_ index: Int) -> Double {
            let slot = candidates[index].slot
            return LatencyAverage.cost(of: live.endpoint(slot), inFlight: live.inFlight(slot), now: now)
        }
        if group.count <= Self.comparedWhole, group.isEven { return least(group, tried, &random, cost) }
        let (one, other) = pair(group, tried, &random)
        return other != one && cost(other) < cost(one) ? other : one
    }

    /// The least of a whole group; between equals the first from a random place on.
    @inline(__always) private func least<Load: Comparable>(
        _ group: Group, _ tried: TriedEndpoints, _ random: inout SeededRandom, _ load: (Int) -> Load
    ) -> Int {
        var at = group.start + Self.below(group.count, random.next())
        var best = -1
        var bestLoad: Load?
        for _ in 0..<group.count {
            let index = Int(order[at])
            at += 1
            if at == group.start + group.count { at = group.start }
            if !tried.isEmpty, tried.contains(candidates[index].key) { continue }
            let own = load(index)
            if let known = bestLoad, known <= own { continue }
            bestLoad = own
            best = index
        }
        // All have been tried.
        return best >= 0 ? best : Int(order[at])
    }

    /// Two different ones of a group, by weight; the same twice where there is no other.
    private func pair(_ group: Group, _ tried: TriedEndpoints, _ random: inout SeededRandom) -> (Int, Int) {
        let one = draw(group, tried, &random)
        guard group.count > 1 else { return (one, one) }
        var other = draw(group, tried, &random)
        // By weight a heavy one comes again and again: then it is alone.
        if other == one { other = draw(group, tried, &random) }
        return (one, other)
    }

    private func roundRobin(_ group: Group, _ tried: TriedEndpoints) -> Int {
        if group.isEven {
            turn = (turn &+ 1) & Int.max
            let place = turn % group.count
            let index = Int(order[group.start + place])
            if tried.isEmpty || !tried.contains(candidates[index].key) { return index }
            return untried(group, from: place, tried) ?? index
        }
        // Smooth weighted round robin, see ``SmoothWeights``.
        var best = -1
        var total: Int64 = 0
        for place in group.start..<(group.start + group.count) {
            let index = Int(order[place])
            let own = Int64(clamping: weight(at: place, group))
            total += own
            current[index] += own
            if !tried.isEmpty, tried.contains(candidates[index].key) { continue }
            if best < 0 || current[index] > current[best] { best = index }
        }
        if best < 0 { best = Int(order[group.start]) }
        current[best] -= total
        return best
    }

    private func byHash(_ hash: UInt64, _ tried: TriedEndpoints) -> Int? {
        let table = table ?? makeTable()
        if usableCount == candidates.count, tried.isEmpty || tried.count >= candidates.count {
            return table.first(hash)
        }
        let everything = isPanicking
        let untried = table.first(hash) { (everything || isUsable[$0]) && !tried.contains(candidates[$0].key) }
        return untried ?? table.first(hash) { everything || isUsable[$0] }
    }

    private func makeTable() -> RendezvousTable {
        var weights: [Double]?
        if case .weighted(let zones) = policy.zones {
            // A zone's endpoints share its weight, so that zones get theirs whatever the number of endpoints.
            var sums: [UInt32: Double] = [:]
            for each in candidates { sums[each.zone, default: 0] += Double(each.weight) }
            weights = candidates.map { each in
                let zone = Double(zones.first { $0.zone == each.zone }?.weight ?? 1)
                return zone * Double(each.weight) / (sums[each.zone] ?? 1)
            }
        } else {
            weights = candidates.map { Double($0.weight) }
        }
        let made = tables.table(keys: candidates.map(\.key), weights: weights, size: policy.tableSize)
        table = made
        return made
    }

    @inline(__always) private func weight(at place: Int, _ group: Group) -> UInt64 {
        place == group.start ? sums[place] : sums[place] - sums[place - 1]
    }
}
