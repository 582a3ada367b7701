import Core

/// The buckets in which the latencies of one side of a release are counted: three in each doubling from 100 µs to 105 s, so
/// that a bound is never further off than a quarter. Fine enough to compare two 99th percentiles, coarse enough to lie in
/// one half kilobyte a worker.
public enum LatencyBuckets {
    /// The last one holds what is longer than every bound.
    public static let count = 61
    private static let least: Int64 = 100_000
    /// In each doubling: 2^(1/3) and 2^(2/3), in thousandths.
    private static let firstThird: Int64 = 1260
    private static let secondThird: Int64 = 1587

    /// The bucket of a duration: the first whose bound is not below it.
    public static func bucket(_ duration: TimeAmount) -> Int {
        let ns = duration.nanoseconds
        if ns <= least { return 0 }
        // The whole doublings that lie below it.
        let ratio = UInt64((ns - 1) / least)
        let doublings = 63 - ratio.leadingZeroBitCount
        if doublings >= 20 { return count - 1 }
        let base = least << Int64(doublings)
        let scaled = ns * 1000 / base
        let third = scaled <= firstThird ? 1 : scaled <= secondThird ? 2 : 3
        return doublings * 3 + third
    }

    /// The longest duration of a bucket; of the last, the longest that can be told.
    public static func bound(_ bucket: Int) -> TimeAmount {
        let base = least << Int64(bucket / 3)
        switch bucket % 3 {
        case 0: return .nanoseconds(base)
        case 1: return .nanoseconds(base * firstThird / 1000)
        default: return .nanoseconds(base * secondThird / 1000)
        }
    }
}

/// How many durations fell into each bucket.
public struct LatencyHistogram: Equatable, BitwiseCopyable, Sendable {
    private var counts = InlineCounts()

    public init() {}

    public subscript(bucket: Int) -> UInt64 {
        get {
            precondition(bucket >= 0 && bucket < LatencyBuckets.count, "no such bucket")
            return counts[bucket]
        }
        set {
            precondition(bucket >= 0 && bucket < LatencyBuckets.count, "no such bucket")
            counts[LatencyBuckets.count] &+= newValue &- counts[bucket]
            counts[bucket] = newValue
        }
    }

    /// Kept beside the buckets, in the word behind the last.
    public var total: UInt64 { counts[LatencyBuckets.count] }

    public mutating func add(_ other: LatencyHistogram) {
        guard other.total > 0 else { return }
        for bucket in 0...LatencyBuckets.count { counts[bucket] &+= other.counts[bucket] }
    }

    public mutating func add(_ duration: TimeAmount) { self[LatencyBuckets.bucket(duration)] += 1 }

    /// The bucket in which the share `share` (0 to 1) of the durations is reached; nil when there are none.
    public func bucket(of share: Double) -> Int? {
        let total = total
        guard total > 0 else { return nil }
        let wanted = UInt64((Double(total) * share).rounded(.up))
        var sum: UInt64 = 0
        for bucket in 0..<LatencyBuckets.count {
            sum &+= counts[bucket]
            if sum >= wanted { return bucket }
        }
        return LatencyBuckets.count - 1
    }

    /// Durations in buckets behind `bucket`.
    public func count(above bucket: Int) -> UInt64 {
        var sum: UInt64 = 0
        for each in (bucket + 1)..<max(bucket + 1, LatencyBuckets.count) { sum &+= counts[each] }
        return sum
    }
}

/// As many words as there are buckets and some more, in place: the state of a release lies in shared memory as it is.
private struct InlineCounts: Equatable, BitwiseCopyable, Sendable {
    private typealias Eight = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private static let zero: Eight = (0, 0, 0, 0, 0, 0, 0, 0)
    private var words = (zero, zero, zero, zero, zero, zero, zero, zero)

    subscript(index: Int) -> UInt64 {
        get { withUnsafeBytes(of: words) { $0.load(fromByteOffset: index * 8, as: UInt64.self) } }
        set {
            withUnsafeMutableBytes(of: &words) { $0.storeBytes(of: newValue, toByteOffset: index * 8, as: UInt64.self) }
        }
    }

    static func == (a: Self, b: Self) -> Bool { (0..<64).allSatisfy { a[$0] == b[$0] } }
}
