import Core

/// Where everything lies in the shared block of statistics. A fresh memfd, all zero, is a valid block.
///
///     header page · identities of routes, of endpoints · worker 0: page of counters, routes, endpoints · worker 1: …
///
/// Memory is taken only for pages that are written, so the room for slots that nobody uses costs nothing.
public enum StatisticsLayout {
    /// Routes that are counted one by one, and as many endpoints. Slot 0 stands for all that came after the last was given
    /// away; a slot belongs to its identity for the family's life, so that a counter never goes back.
    public static let slotLimit = 32_768
    /// More workers than any machine of ours has cores.
    public static let workerLimit = 1024

    static let pageSize = 4096
    static let headerSize = pageSize
    static let identitiesSize = slotLimit * MemoryLayout<UInt64>.stride
    static let slotsSize = slotLimit * SlotCounters.size
    static let workerSize = pageSize + 2 * slotsSize + DenialTable.size

    static func identitiesOffset(_ kind: SlotKind) -> Int { headerSize + kind.rawValue * identitiesSize }
    static func workerOffset(_ worker: Int) -> Int { headerSize + 2 * identitiesSize + worker * workerSize }
    static func slotsOffset(_ kind: SlotKind, worker: Int) -> Int {
        workerOffset(worker) + pageSize + kind.rawValue * slotsSize
    }
    static func denialsOffset(_ worker: Int) -> Int { workerOffset(worker) + pageSize + 2 * slotsSize }

    // The words of a worker's page.
    /// Room for ``Counter``s, which come first.
    static let counterLimit = 128
    static let firstReason = counterLimit
    static let firstStatusClass = firstReason + 64
    static let statusClasses = 6  // 0: no response; 1xx … 5xx. What is beyond 599 counts as 5xx.
    static let durationSum = firstStatusClass + 8
    static let firstDurationBucket = durationSum + 1
    static let firstRelayReason = firstDurationBucket + DurationHistogram.bucketCount
    static let words = firstRelayReason + 64
}

/// What a slot counts. Endpoints' slots are their places in the live state, too.
public enum SlotKind: Int, Sendable, CaseIterable { case route, endpoint }

/// The buckets of request durations: 1, 2 and 5 in each decade from 100 µs to 100 s, and one for what is longer.
public enum DurationHistogram {
    /// Upper bounds, inclusive, in nanoseconds.
    public static let bounds: [Int64] = [
        100_000, 200_000, 500_000,
        1_000_000, 2_000_000, 5_000_000,
        10_000_000, 20_000_000, 50_000_000,
        100_000_000, 200_000_000, 500_000_000,
        1_000_000_000, 2_000_000_000, 5_000_000_000,
        10_000_000_000, 20_000_000_000, 50_000_000_000,
        100_000_000_000,
    ]
    public static let bucketCount = 20

    /// The first bucket that holds `duration`. A chain of comparisons: the durations of one gateway are alike, so it is
    /// short and predicted; compiled with constants, it reads no memory.
    @inlinable public static func bucket(_ duration: TimeAmount) -> Int {
        let ns = duration.nanoseconds
        if ns <= 1_000_000 { return ns <= 100_000 ? 0 : ns <= 200_000 ? 1 : ns <= 500_000 ? 2 : 3 }
        if ns <= 50_000_000 {
            if ns <= 5_000_000 { return ns <= 2_000_000 ? 4 : 5 }
            return ns <= 10_000_000 ? 6 : ns <= 20_000_000 ? 7 : 8
        }
        if ns <= 1_000_000_000 { return ns <= 100_000_000 ? 9 : ns <= 200_000_000 ? 10 : ns <= 500_000_000 ? 11 : 12 }
        if ns <= 10_000_000_000 { return ns <= 2_000_000_000 ? 13 : ns <= 5_000_000_000 ? 14 : 15 }
        return ns <= 20_000_000_000 ? 16 : ns <= 50_000_000_000 ? 17 : ns <= 100_000_000_000 ? 18 : 19
    }
}

/// The counters of one route or endpoint: two cache lines.
public enum SlotCounters {
    static let size = words * MemoryLayout<UInt64>.stride
    static let words = 16

    /// The words of a slot.
    static let classes = 0  // 5: no response, 2xx, 3xx, 4xx, 5xx.
    static let classCount = 5
    static let durationSum = 5
    static let firstBucket = 6
    static let requestBytes = 12
    static let responseBytes = 13
    static let connections = 14
    static let connectFailures = 15

    /// Upper bounds, inclusive, in nanoseconds; a last bucket holds what is longer.
    public static let bounds: [Int64] = [5_000_000, 25_000_000, 100_000_000, 500_000_000, 2_500_000_000]
    public static let bucketCount = 6

    @inlinable static func bucket(_ duration: TimeAmount) -> Int {
        let ns = duration.nanoseconds
        if ns <= 25_000_000 { return ns <= 5_000_000 ? 0 : 1 }
        return ns <= 100_000_000 ? 2 : ns <= 500_000_000 ? 3 : ns <= 2_500_000_000 ? 4 : 5
    }
}
