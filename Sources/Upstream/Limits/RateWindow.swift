import Core

/// How much of a limit is used, in one 64-bit word, so that all workers can share it with one compare-and-exchange a request.
///
/// A window begins with the first request after a rest of a whole window, and the next ones follow it without a gap, so
/// `limit` requests pass in each and no window drifts. Who is still being refused as a window ends finds the next one
/// *paced*, as long as refusals go on: its share is given out evenly instead of at once, and what was left over of one such
/// window is there in the next, as in a token bucket. So a load above the limit passes at the limit's rate at any moment
/// (never twice the limit around a boundary), in whatever bunches it comes; who rests for a window has all of the limit again.
///
///     bits 0–33 used, below zero what was left over · 34–61 start of the window, in thousandths of the unit · 62 refused
///     · 63 paced
public struct RateWindow: BitwiseCopyable, Equatable, Sendable {
    /// Parts of a window that its start and its pace are told in.
    public static let ticks: UInt64 = 1000
    /// Refusals within these last ticks of a window make the next one a paced one.
    static let lateTicks: UInt64 = 50
    /// In a paced window so much of it is given ahead: requests that come in bunches take their share all the same, and
    /// nothing is left over when no request comes in the last moments.
    static let aheadTicks: UInt64 = 100
    /// Starts are kept modulo this; one that was left alone for 268,000 windows may be taken for a fresh one.
    private static let modulus: UInt64 = 1 << 28

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

    private static let usedMask: UInt64 = 0x3_FFFF_FFFF
    private static let most = Int64(UInt32.max)

    /// Sign-extended from its 34 bits.
    private var used: Int64 {
        get { Int64(bitPattern: word << 30) >> 30 }
        set { word = word & ~Self.usedMask | UInt64(bitPattern: newValue) & Self.usedMask }
    }
    private var start: UInt64 { word >> 34 & (Self.modulus - 1) }
    private var isRefused: Bool { word >> 62 & 1 == 1 }
    private var isPaced: Bool { word >> 63 == 1 }

    private init(used: Int64, start: UInt64, isPaced: Bool = false) {
        word = UInt64(bitPattern: used) & Self.usedMask | start << 34 | (isPaced ? 1 << 63 : 0)
    }

    /// Takes `cost` of the limit, all or nothing. A cost of 0 asks whether anything is left.
    /// - Parameters:
    ///   - unit: the window's length; at least a microsecond.
    ///   - now: as this worker has it; a little earlier than another worker's is harmless.
    /// - Returns: the verdict; the word is to be stored when it has changed.
    public mutating func take(_ cost: UInt32, of limit: UInt32, unit: TimeAmount, now: Instant) -> Verdict {
        let elapsed = moveOn(limit: limit, unit: unit, now: now)
        let given = Int64(isPaced ? Self.share(limit, elapsed) : UInt64(limit))
        let isAllowed = cost == 0 ? used < given : used + Int64(cost) <= given
        if isAllowed {
            used += Int64(cost)
        } else if isPaced || elapsed >= Self.ticks - Self.lateTicks {
            word |= 1 << 62
        }
        let tick = unit.nanoseconds / Int64(Self.ticks)
        return Verdict(
            isAllowed: isAllowed, remaining: UInt32(clamping: given - used),
            reset: .nanoseconds(Int64(Self.ticks - elapsed) * tick))
    }

    /// Counts what was used up already (a response's cost), limit or not.
    public mutating func charge(_ cost: UInt32, unit: TimeAmount, now: Instant) {
        _ = moveOn(limit: 0, unit: unit, now: now)
        used = min(used + Int64(cost), Self.most)
    }

    /// What an evenly given share has come to, rounded up: of a small limit the first part is there at once.
    private static func share(_ limit: UInt32, _ elapsed: UInt64) -> UInt64 {
        (UInt64(limit) * min(ticks, elapsed + aheadTicks) + ticks - 1) / ticks
    }

    /// Begins the window that `now` is in.
    /// - Parameter limit: what a paced window may leave to the next one is up to it.
    /// - Returns: ticks since it began, below `ticks`.
    private mutating func moveOn(limit: UInt32, unit: TimeAmount, now: Instant) -> UInt64 {
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
            let leftOver = isPaced && isRefused ? min(max(0, Int64(limit) - used), Int64(limit)) : 0
            self = RateWindow(used: -leftOver, start: (start + Self.ticks) & (Self.modulus - 1), isPaced: isRefused)
            return elapsed - Self.ticks
        }
        self = RateWindow(used: 0, start: current)
        return 0
    }
}
