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
    case healthProbes
    case healthProbeFailures
    /// Octets of memory that are the controller's alone, as of its last attempt to load a set.
    case memoryNow
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

extension StatisticsRegion {
    /// Which slot counts which route, or endpoint.
    public static func slots(_ kind: SlotKind, base: UnsafeMutableRawPointer) -> SlotTable {
        let counter: ControllerCounter =
            switch kind {
            case .route: .routeSlotsUsed
            case .endpoint: .endpointSlotsUsed
            }
        return SlotTable(
            used: base.assumingMemoryBound(to: UInt64.self) + counter.rawValue,
            identities: (base + StatisticsLayout.identitiesOffset(kind)).assumingMemoryBound(to: UInt64.self),
            limit: StatisticsLayout.slotLimit)
    }
}
