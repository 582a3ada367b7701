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

/// Counters that the controller keeps in the block's header, so that they outlive it. New ones are added at the end.
public enum ControllerCounter: Int, Sendable, CaseIterable {
    case routeSlotsUsed
    case endpointSlotsUsed
    case controllerStarts
    /// Attempts to load a set of manifests: at the start, by signal, by request, because files changed.
    case reloads
    case reloadFailures
    /// Seconds since 1970 of the last set that took effect.
    case loadedAt
    case dnsQueries
    case dnsFailures
    /// Snapshots published because an address behind a name changed.
    case dnsUpdates
    /// Times in a row that a controller took up the running set's text without finishing; 0 once it has.
    case depositAttempts
}

/// The controller's own words of the block. It is their only writer.
public struct ControllerStatistics: @unchecked Sendable {
    private let words: UnsafeMutablePointer<UInt64>

    public init(base: UnsafeMutableRawPointer) { words = base.assumingMemoryBound(to: UInt64.self) }

    public subscript(counter: ControllerCounter) -> UInt64 {
        get { words[counter.rawValue] }
        nonmutating set { words[counter.rawValue] = newValue }
    }
}

/// Which slot counts what. A slot is found by an identity: the hash under which the snapshot knows a route or an endpoint.
/// The list lies in the shared block, so that a controller that comes back gives everyone the slot they had.
public final class SlotTable {
    private let kind: SlotKind
    private let statistics: ControllerStatistics
    private let identities: UnsafeMutablePointer<UInt64>
    private var known: [UInt64: UInt32] = [:]

    /// Takes up the slots that an earlier controller of this family gave away.
    public init(base: UnsafeMutableRawPointer, kind: SlotKind) {
        self.kind = kind
        statistics = ControllerStatistics(base: base)
        identities = (base + StatisticsLayout.identitiesOffset(kind)).assumingMemoryBound(to: UInt64.self)
        let used = min(Int(clamping: statistics[counter]), StatisticsLayout.slotLimit - 1)
        for slot in 0..<used { known[identities[slot + 1]] = UInt32(slot + 1) }
    }

    private var counter: ControllerCounter {
        switch kind {
        case .route: .routeSlotsUsed
        case .endpoint: .endpointSlotsUsed
        }
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
        statistics[counter] = UInt64(slot)
        known[identity] = UInt32(slot)
        return UInt32(slot)
    }
}
