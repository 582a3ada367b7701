import Config
import Core

/// One worker's turns among the backends of each rule.
///
/// A turn belongs to ``RuleConfig/identity`` (the rule and its weighted backends), so it goes on over reloads that leave
/// those alone. In the steady state a choice allocates nothing; a rule with one backend takes no state at all.
public final class WeightedChoice {
    /// States kept before those that the last two generations did not use are dropped.
    public static let sweepThreshold = 4096

    private struct Slot {
        var identity: UInt64 = 0
        var generation: UInt64 = 0
        var count: UInt32 = 0  // 0: free.
        var start: UInt32 = 0  // Into `current`.
    }
    /// Open addressing by identity, which is a hash already; at most half full.
    private var slots: [Slot]
    private var used = 0
    private var sweepAt = WeightedChoice.sweepThreshold
    private var current: [Int64] = []

    public init() { slots = Array(repeating: Slot(), count: 64) }

    /// Rules that have a state.
    public var count: Int { used }

    /// The backend that this request goes to by the weights as written, or nil when there is none or all weights are 0: the
    /// request is answered 500.
    public func pick(
        _ rule: UnsafePointer<RuleConfig>, in snapshot: Snapshot
    ) -> UnsafePointer<BackendConfig>? {
        let backends = rule.pointee.backends
        guard rule.pointee.totalWeight > 0 else { return nil }
        if backends.count == 1 { return snapshot[backends, 0] }
        let records = snapshot.records(backends)
        return pick(rule, RuleWeights(records, count: Int(backends.count)), in: snapshot).map { records + $0 }
    }

    /// The index of the backend that this request goes to, or nil when all weights are 0.
    /// - Parameter weights: of this rule's backends, of which there is at least one.
    public func pick(_ rule: UnsafePointer<RuleConfig>, _ weights: RuleWeights, in snapshot: Snapshot) -> Int? {
        let start = state(of: rule, generation: snapshot.header.pointee.generation)
        return current.withUnsafeMutableBufferPointer {
            SmoothWeights.pick(weights, $0.baseAddress.unsafelyUnwrapped + start)
        }
    }

    /// Where the rule's state lies in `current`; made now if it is new.
    private func state(of rule: UnsafePointer<RuleConfig>, generation: UInt64) -> Int {
        let identity = rule.pointee.identity
        let count = rule.pointee.backends.count
        var slot = find(identity, count)
        if slots[slot].count == 0 {
            if (used + 1) * 2 > slots.count {
                makeRoom(generation)
                slot = find(identity, count)
            }
            slots[slot] = Slot(
                identity: identity, generation: generation, count: count, start: UInt32(current.count))
            current.append(contentsOf: repeatElement(0, count: Int(count)))
            used += 1
        }
        slots[slot].generation = generation
        return Int(slots[slot].start)
    }

    private func find(_ identity: UInt64, _ count: UInt32) -> Int {
        let mask = slots.count - 1
        var slot = HashTable.firstSlot(identity, mask: mask)
        while slots[slot].count != 0, slots[slot].identity != identity || slots[slot].count != count {
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// Grows; past the threshold it first drops what the last two generations did not use, so that years of reloads do not
    /// pile up. A rule that is hardly ever asked may so begin its turn anew, which nobody can tell.
    private func makeRoom(_ generation: UInt64) {
        let drops = used >= sweepAt
        let old = slots
        let oldCurrent = current
        let kept = old.filter { $0.count != 0 && (!drops || $0.generation &+ 1 >= generation) }
        if drops { sweepAt = max(Self.sweepThreshold, kept.count * 2) }
        var size = 64
        while size < (kept.count + 1) * 4 { size *= 2 }
        slots = Array(repeating: Slot(), count: size)
        current = []
        for var state in kept {
            let slot = find(state.identity, state.count)
            let start = Int(state.start)
            state.start = UInt32(current.count)
            current.append(contentsOf: oldCurrent[start..<(start + Int(state.count))])
            slots[slot] = state
        }
        used = kept.count
    }
}
