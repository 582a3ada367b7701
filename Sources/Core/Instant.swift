/// A length of time in nanoseconds. Shorter than Swift's 128-bit `Duration`, so that it can lie in shared records.
public struct TimeAmount: Comparable, Hashable, BitwiseCopyable, Sendable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    @inlinable public static func nanoseconds(_ n: Int64) -> TimeAmount { TimeAmount(nanoseconds: n) }
    @inlinable public static func milliseconds(_ n: Int64) -> TimeAmount { TimeAmount(nanoseconds: n * 1_000_000) }
    @inlinable public static func seconds(_ n: Int64) -> TimeAmount { TimeAmount(nanoseconds: n * 1_000_000_000) }
    @inlinable public static var zero: TimeAmount { TimeAmount(nanoseconds: 0) }
    /// Longer than any process lives: an instant that lies so far ahead is ``Instant/distantFuture``.
    @inlinable public static var forever: TimeAmount { TimeAmount(nanoseconds: .max) }
    @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: Self, b: Self) -> Self { Self(nanoseconds: a.nanoseconds &+ b.nanoseconds) }
    @inlinable public static func - (a: Self, b: Self) -> Self { Self(nanoseconds: a.nanoseconds &- b.nanoseconds) }
}

/// A moment on CLOCK_MONOTONIC, in nanoseconds. Comparable between the processes of one machine, not across boots.
public struct Instant: Comparable, Hashable, BitwiseCopyable, Sendable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    @inlinable public static var distantFuture: Instant { Instant(nanoseconds: .max) }
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: Self, b: TimeAmount) -> Self {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return overflow ? .distantFuture : Self(nanoseconds: sum)
    }
    @inlinable public static func - (a: Self, b: Instant) -> TimeAmount {
        TimeAmount(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
}
