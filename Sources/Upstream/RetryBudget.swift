import Core

/// How many attempts beyond the first a backend may be asked for under one policy, counted in common by all workers: a share
/// of the requests of the last ``window``, and a least number.
///
/// Not a share of the requests under way, which is what Envoy bounds: a client that asks one thing after the other has one
/// request under way at any time, and would double the load of a backend that fails.
///
/// The window moves on by the second. Requests are counted by each worker in words of its own, at the cost of one addition;
/// retries in words of all, atomically, so that several workers that ask at once are never given more than there is. A bucket
/// carries its second, so nothing has to be cleared: not as time passes, nor when a worker dies.
public struct RetryBudget: @unchecked Sendable {
    /// Of the requests in the window, as a percentage.
    public static let share: UInt64 = 20
    /// Retries in the window that are always allowed, ten for each of its seconds: a backend that is hardly asked may be
    /// asked again, too, as often as its route says.
    public static let least: UInt64 = 10 * UInt64(window)
    /// Seconds.
    public static let window = 10

    private static let bucketNanoseconds: Int64 = 1_000_000_000
    /// More than the window has, so that what is being written is never a place that still counts as something else.
    private static let buckets = 16

    private let common: UnsafeMutableRawPointer
    private let rows: UnsafeMutableRawPointer
    private let stride: Int
    private let workers: Int
    private let worker: Int

    /// Octets that all workers share.
    public static let commonSize = buckets * MemoryLayout<UInt64>.stride
    /// Octets of each worker's own.
    public static let ownSize = buckets * MemoryLayout<UInt64>.stride

    /// - Parameters:
    ///   - common: `commonSize` octets of shared memory, zero at first.
    ///   - rows: the first worker's `ownSize` octets; `stride` octets on, the next one's.
    ///   - worker: whose words are written through this value.
    public init(
        common: UnsafeMutableRawPointer, rows: UnsafeMutableRawPointer, stride: Int, workers: Int, worker: Int
    ) {
        precondition(worker >= 0 && worker < workers && stride >= Self.ownSize)
        self.common = common
        self.rows = rows
        self.stride = stride
        self.workers = workers
        self.worker = worker
    }

    // A bucket is a word: the second it counts for in the upper half, the count in the lower.

    private static func second(_ now: Instant) -> UInt64 { UInt64(max(0, now.nanoseconds) / bucketNanoseconds) }
    private static func count(_ word: UInt64, since first: UInt64) -> UInt64 {
        word >> 32 >= first ? word & 0xFFFF_FFFF : 0
    }

    private func sharedWord(_ bucket: Int) -> SharedWord { SharedWord(common + bucket * MemoryLayout<UInt64>.stride) }
    private func own(_ worker: Int) -> UnsafeMutablePointer<UInt64> {
        (rows + worker * stride).assumingMemoryBound(to: UInt64.self)
    }

    /// A request goes to the backend for the first time.
    public func requestBegan(now: Instant) {
        let second = Self.second(now)
        let word = own(worker) + Int(second % UInt64(Self.buckets))
        word.pointee = word.pointee >> 32 == second ? word.pointee &+ 1 : second << 32 | 1
    }

    /// Takes one retry out of the budget. False: there is none, and nothing was taken.
    public func takeRetry(now: Instant) -> Bool {
        let second = Self.second(now)
        // Counted first, looked at then: of two workers that take the last one, at most one sees it free.
        add(1, second)
        if retries(second) <= max(Self.least, requests(second) * Self.share / 100) { return true }
        add(-1, second)
        return false
    }

    private func add(_ change: Int64, _ second: UInt64) {
        let word = sharedWord(Int(second % UInt64(Self.buckets)))
        var known = word.value
        while true {
            let next: UInt64
            if known >> 32 == second {
                next = change < 0 && known & 0xFFFF_FFFF == 0 ? known : known &+ UInt64(bitPattern: change)
            } else if known >> 32 > second || change < 0 {
                // The place counts for a newer second already, or never did for this one: ours is out of the window.
                return
            } else {
                next = second << 32 | UInt64(change)
            }
            let (isDone, was) = word.replace(known, by: next)
            if isDone { return SharedWord.fence() }
            known = was
        }
    }

    private func first(_ second: UInt64) -> UInt64 {
        second >= UInt64(Self.window) ? second - UInt64(Self.window) + 1 : 0
    }

    private func retries(_ second: UInt64) -> UInt64 {
        let first = first(second)
        var sum: UInt64 = 0
        for bucket in 0..<Self.buckets {
            sum += Self.count(sharedWord(bucket).value, since: first)
        }
        return sum
    }

    private func requests(_ second: UInt64) -> UInt64 {
        let first = first(second)
        var sum: UInt64 = 0
        for worker in 0..<workers {
            for bucket in 0..<Self.buckets { sum += Self.count(own(worker)[bucket], since: first) }
        }
        return sum
    }

    // MARK: for those who look

    /// Requests and retries of the window.
    public func counted(now: Instant) -> (requests: UInt64, retries: UInt64) {
        (requests(Self.second(now)), retries(Self.second(now)))
    }
}
