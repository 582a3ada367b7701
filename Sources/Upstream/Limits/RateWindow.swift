import Core

/// How much of a limit is used, in one 64-bit word, so that all workers can share it with one compare-and-exchange a request.
///
/// A window begins with the first request after a rest of a whole window, and the next ones follow it without a gap, so
/// `limit` requests pass in each and no window drifts. Who is still being refused as a window ends finds the next one
/// *paced*: its share is given out evenly instead of at once. So a load above the limit passes at the limit's rate at any
/// moment (never twice the limit around a boundary), while who rests for a window has all of the limit again.
///
///     bits 0–31 used · 32–61 start of the window, in thousandths of the unit · 62 refused as it ended · 63 paced
public struct RateWindow: BitwiseCopyable, Equatable, Sendable {
    /// Parts of a window that its start and its pace are told in.
    public static let ticks: UInt64 = 1000
    /// Refusals within these last ticks of a window make the next one a paced one.
    static let lateTicks: UInt64 = 50
    /// In a paced window so much of it is given ahead: requests that come in bunches take their share all the same, and
    /// nothing is left over when no request comes in the last moments.
    static let aheadTicks: UInt64 = 100
    /// Starts are kept modulo this; a window that was left alone for a million of windows may be taken for a fresh one.
    private static let modulus: UInt64 = 1 << 30

    public private(set) var word: UInt64

    /// A word of 0 is a limit that nothing was ever taken of.
    public init(word: UInt64) { self.word = word }

    /// What came of one request.
    public struct Verdict: BitwiseCopyable, Equatable, Sendable {
        public var isAllowed: Bool
        /// What the window still gives at this moment.
        public var remaining: UInt32
        /// Until the window ends.
        public var reset: TimeAmount

        public init(isAllowed: Bool, remaining: UInt32, reset: TimeAmount) {
            self.isAllowed = isAllowed
            self.remaining = remaining
            self.reset = reset
        }
    }

    private var used: UInt64 { word & 0xFFFF_FFFF }
    private var start: UInt64 { word >> 32 & (Self.modulus - 1) }
    private var isRefusedLate: Bool { word >> 62 & 1 == 1 }
    private var isPaced: Bool { word >> 63 == 1 }

    private init(used: UInt64, start: UInt64, isRefusedLate: Bool = false, isPaced: Bool = false) {
        word = used | start << 32 | (isRefusedLate ? 1 << 62 : 0) | (isPaced ? 1 << 63 : 0)
    }

    /// Takes `cost` of the limit, all or nothing. A cost of 0 asks whether anything is left.
    /// - Parameters:
    ///   - unit: the window's length; at least a microsecond.
    ///   - now: as this worker has it; a little earlier than another worker's is harmless.
    /// - Returns: the verdict; the word is to be stored when it has changed.
    public mutating func take(_ cost: UInt32, of limit: UInt32, unit: TimeAmount, now: Instant) -> Verdict {
        let elapsed = moveOn(unit: unit, now: now)
        let given = isPaced ? Self.share(limit, elapsed) : UInt64(limit)
        let isAllowed = cost == 0 ? used < given : used + UInt64(cost) <= given
        if isAllowed {
            word += UInt64(cost)
        } else if elapsed >= Self.ticks - Self.lateTicks {
            word |= 1 << 62
        }
        let tick = unit.nanoseconds / Int64(Self.ticks)
        return Verdict(
            isAllowed: isAllowed, remaining: UInt32(clamping: given - min(given, used)),
            reset: .nanoseconds(Int64(Self.ticks - elapsed) * tick))
    }

    /// Counts what was used up already (a response's cost), limit or not.
    public mutating func charge(_ cost: UInt32, unit: TimeAmount, now: Instant) {
        _ = moveOn(unit: unit, now: now)
        word += min(UInt64(cost), UInt64(UInt32.max) - used)
    }

    /// What an evenly given share has come to, rounded up: of a small limit the first part is there at once.
    private static func share(_ limit: UInt32, _ elapsed: UInt64) -> UInt64 {
        (UInt64(limit) * min(ticks, elapsed + aheadTicks) + ticks - 1) / ticks
    }

    /// Begins the window that `now` is in.
    /// - Returns: ticks since it began, below `ticks`.
    private mutating func moveOn(unit: TimeAmount, now: Instant) -> UInt64 {
        precondition(unit.nanoseconds >= Int64(Self.ticks), "a window of no length")
        let tick = UInt64(unit.nanoseconds) / Self.ticks
        let current = UInt64(max(0, now.nanoseconds)) / tick & (Self.modulus - 1)
        guard word != 0 else {
            self = RateWindow(used: 0, start: current)
            return 0
        }
        let elapsed = (current &- start) & (Self.modulus - 1)
        // Another worker has begun the window at a moment that this one's clock, read once a turn, has not reached.
        if elapsed > Self.modulus - Self.ticks { return 0 }
        if elapsed < Self.ticks { return elapsed }
        if elapsed < 2 * Self.ticks {
            self = RateWindow(
                used: 0, start: (start + Self.ticks) & (Self.modulus - 1), isPaced: isRefusedLate)
            return elapsed - Self.ticks
        }
        self = RateWindow(used: 0, start: current)
        return 0
    }
}
