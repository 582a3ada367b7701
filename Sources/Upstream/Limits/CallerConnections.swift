import Core

/// How many connections each caller of a group has, in all workers together. A worker's number is its own word; a worker that
/// dies takes its connections with it, and ``begin()`` clears the words.
///
/// Limit: ``callerLimit`` callers at once. Of more, those that have come the longest ago are forgotten, and what they have
/// counts no longer.
public struct CallerConnections: @unchecked Sendable {
    public static let callerLimit = 4096

    private static let sets = callerLimit / KeyedTable.ways

    /// Octets for so many workers.
    public static func size(workers: Int) -> Int { KeyedTable.size(sets: sets, words: workers) }

    private let table: KeyedTable
    private let workers: Int
    private let worker: Int

    init(base: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        table = KeyedTable(base: base, sets: Self.sets, words: workers)
        self.workers = workers
        self.worker = worker
    }

    /// Nothing of a worker's predecessor is open.
    func begin() { table.forEachPlace { SharedWord($0 + worker * 8).value = 0 } }

    /// Counts one more connection of a caller.
    /// - Parameter key: of the group and the caller.
    /// - Returns: false, and nothing is counted, when there would be more than `limit`. Of two workers that count at once each
    ///   sees the other, so the limit is never passed; at worst both give way.
    public func began(_ key: UInt64, limit: UInt32, now: Instant) -> Bool {
        let place = table.place(of: key, now: now)
        let own = SharedWord(place + worker * 8)
        own.value &+= 1
        SharedWord.fence()
        var sum: UInt64 = 0
        for each in 0..<workers { sum &+= SharedWord(place + each * 8).value }
        if sum <= UInt64(limit) { return true }
        own.value &-= 1
        return false
    }

    public func ended(_ key: UInt64) {
        // One that was forgotten meanwhile counts nothing.
        guard let place = table.find(key) else { return }
        let own = SharedWord(place + worker * 8)
        if own.value > 0 { own.value &-= 1 }
    }
}
