import Synchronization

/// What the workers have of one cluster at this moment, to hold it against the limits of its circuit breaker.
///
/// Each worker has a word of its own for each count, which it alone writes, so a worker that dies leaves nothing behind that
/// its successor does not clear. Who takes a permit adds to its own word, and only then reads all: of any that take at the
/// same moment the last sees all others, so that there are never more than the limit. Two may refuse each other at the last
/// permit; both try again.
public struct ClusterCell: @unchecked Sendable {
    /// What is counted, by its place in a worker's part.
    public enum Count: Int, CaseIterable, Sendable {
        /// Requests at endpoints.
        case requests
        /// Connections to endpoints, those that are being made included.
        case connections
        /// Requests that wait for a permit.
        case pending
        /// Attempts under way that are not a request's first.
        case retries
        /// Workers that could serve nothing by it, and send its requests to the central gateway.
        case diverted = 5
    }
    /// Where the arrival of the request that has waited longest stands: milliseconds of the monotonic clock, 0: none waits.
    private static let oldest = 4

    private typealias Word = Atomic<UInt32>
    private let base: UnsafeMutableRawPointer
    private let stride: Int
    private let workers: Int
    private let worker: Int

    /// - Parameters:
    ///   - base: the first worker's part; `stride` octets for each.
    ///   - worker: whose words are written through this value.
    public init(base: UnsafeMutableRawPointer, stride: Int, workers: Int, worker: Int) {
        self.base = base
        self.stride = stride
        self.workers = workers
        self.worker = worker
    }

    @inline(__always) private func word(_ number: Int, _ worker: Int) -> UnsafeMutablePointer<Word> {
        (base + worker * stride).assumingMemoryBound(to: Word.self) + number
    }

    /// Takes one of at most `limit`. False: all are taken.
    public func take(_ count: Count, limit: UInt32) -> Bool {
        let own = word(count.rawValue, worker)
        let mine = own.pointee.load(ordering: .relaxed) &+ 1
        own.pointee.store(mine, ordering: .relaxed)
        SharedWord.fence()
        var sum = UInt64(mine)
        for other in 0..<workers where other != worker {
            sum += UInt64(word(count.rawValue, other).pointee.load(ordering: .relaxed))
        }
        if sum <= UInt64(limit) { return true }
        own.pointee.store(mine &- 1, ordering: .relaxed)
        return false
    }

    /// Counts one that no limit holds back.
    public func add(_ count: Count) {
        let own = word(count.rawValue, worker)
        own.pointee.store(own.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// Gives back one that was taken.
    public func give(_ count: Count) {
        let own = word(count.rawValue, worker)
        let mine = own.pointee.load(ordering: .relaxed)
        precondition(mine > 0, "more was given back than was taken")
        // What was done with it is over before others may take it.
        own.pointee.store(mine &- 1, ordering: .releasing)
    }

    /// Of all workers.
    public func sum(_ count: Count) -> Int {
        (0..<workers).reduce(0) { $0 + Int(word(count.rawValue, $1).pointee.load(ordering: .relaxed)) }
    }

    /// Of this worker.
    public func own(_ count: Count) -> Int { Int(word(count.rawValue, worker).pointee.load(ordering: .relaxed)) }

    /// When the request arrived that has waited longest here; nil: none waits.
    public func noteOldest(milliseconds: UInt32?) {
        // 0 is taken; a millisecond does not matter.
        word(Self.oldest, worker).pointee.store(milliseconds.map { max(1, $0) } ?? 0, ordering: .relaxed)
    }

    /// Whether a request at another worker has waited longer than one that came at `milliseconds`, by more than `slack`.
    public func isAnyOlder(than milliseconds: UInt32, slack: UInt32) -> Bool {
        for other in 0..<workers where other != worker {
            let oldest = word(Self.oldest, other).pointee.load(ordering: .relaxed)
            guard oldest != 0 else { continue }
            // The clock's low bits go round every seven weeks.
            let lead = Int32(bitPattern: milliseconds &- oldest)
            if lead > Int32(clamping: slack) { return true }
        }
        return false
    }
}

extension LiveState {
    /// What the workers have of the cluster with this slot; 0 stands for all that have none.
    public func cluster(_ slot: UInt32) -> ClusterCell {
        ClusterCell(
            base: clusters.own(slot, worker: 0), stride: clusters.layout.own, workers: clusters.workerCount,
            worker: worker)
    }
}
