import Core

/// The shared block of statistics as a whole.
public enum StatisticsRegion {
    /// Octets of a block for so many workers. It is sparse: a memfd of this size takes memory only where it is written.
    public static func size(workers: Int) -> Int {
        precondition(
            workers >= 0 && workers <= StatisticsLayout.workerLimit, "more workers than the block has room for")
        return StatisticsLayout.workerOffset(workers)
    }
}

/// Counters that the controller keeps in the block's header, so that they outlive it.
public enum ControllerCounter: Int, Sendable, CaseIterable {
    case slotsUsed
    case reloads
    case reloadFailures
    case generation
    case revision
    /// Seconds since 1970 of the last set that took effect.
    case loadedAt
    case dnsFailures
    case dnsUpdates
    case controllerStarts
}

/// The controller's counters and its list of slots. It is their only writer.
///
/// A slot is found by an identity: a hash of what it counts (`route:ns/name`, `cluster|address`). Both route and endpoint
/// slots come from one list, and an endpoint's number is also its place in the live state.
public final class SlotTable {
    private let words: UnsafeMutablePointer<UInt64>
    private let identities: UnsafeMutablePointer<UInt64>
    private var known: [UInt64: UInt32] = [:]

    /// Takes up the slots that an earlier controller of this family gave away.
    public init(base: UnsafeMutableRawPointer) {
        words = base.assumingMemoryBound(to: UInt64.self)
        identities = (base + StatisticsLayout.headerSize).assumingMemoryBound(to: UInt64.self)
        let used = min(Int(words[ControllerCounter.slotsUsed.rawValue]), StatisticsLayout.slotLimit - 1)
        for slot in 0..<used { known[identities[slot + 1]] = UInt32(slot + 1) }
    }

    /// How many are given away, slot 0 not counted.
    public var used: Int { known.count }

    /// The slot of this identity; 0 ("other") when all are given away.
    public func slot(for identity: UInt64) -> UInt32 {
        if let slot = known[identity] { return slot }
        let slot = known.count + 1
        guard slot < StatisticsLayout.slotLimit else { return 0 }
        identities[slot] = identity
        // Written after the identity: a controller that comes back never sees a number without its owner.
        words[ControllerCounter.slotsUsed.rawValue] = UInt64(slot)
        known[identity] = UInt32(slot)
        return UInt32(slot)
    }

    public subscript(counter: ControllerCounter) -> UInt64 {
        get { words[counter.rawValue] }
        set {
            precondition(counter != .slotsUsed, "slots are counted by giving them away")
            words[counter.rawValue] = newValue
        }
    }
}
