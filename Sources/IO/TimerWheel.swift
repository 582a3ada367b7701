import Core

/// Something that may wait for a moment. One deadline each: whoever has several reasons keeps the nearest here.
/// Owned by its connection or exchange; the wheel only borrows it, so the deadline must be cleared before it goes.
open class Timed {
    fileprivate var previous: Unmanaged<Timed>?
    fileprivate var next: Unmanaged<Timed>?
    fileprivate var slot: Int16 = -1
    fileprivate var tick: UInt64 = 0
    /// When ``deadlinePassed(now:)`` is due; `distantFuture`: never.
    public fileprivate(set) var deadline = Instant.distantFuture

    public init() {}

    deinit { precondition(slot < 0, "a timed thing went while the wheel still knew it") }

    /// The deadline has passed and is cleared. Never early; late by less than two ticks (the wheel's and the wait's
    /// rounding) and the turn's work.
    open func deadlinePassed(now: Instant) {}
}

/// Deadlines in four levels of 64 slots (Varghese and Lauck, 1987): setting, clearing and finding the next are constant
/// time. A tick is a millisecond; the top level reaches 4.6 hours, further deadlines are taken up again from there.
///
/// A deadline that moves later costs nothing: the entry stays where it is, and is put further off when its slot comes up.
public struct TimerWheel: ~Copyable {
    private static let levels = 4
    private static let slotBits: UInt64 = 6
    private static let tickNanoseconds: Int64 = 1_000_000

    private var heads: [Unmanaged<Timed>?] = Array(repeating: nil, count: levels * 64)
    private var occupied: [UInt64] = Array(repeating: 0, count: levels)
    /// The next tick to be looked at.
    private var current: UInt64
    /// The tick at which something may be due, `max`: never; nil: to be looked for, since something came or went. Most turns of
    /// the loop change nothing here.
    private var nextTick: UInt64?

    public init(now: Instant) { current = Self.ticks(now) }

    private static func ticks(_ instant: Instant) -> UInt64 { UInt64(max(0, instant.nanoseconds / tickNanoseconds)) }

    public mutating func set(_ timed: Timed, _ deadline: Instant) {
        guard deadline < .distantFuture else { return clear(timed) }
        timed.deadline = deadline
        // Rounded up, so that nothing fires early.
        let tick = max(current, Self.ticks(deadline) + 1)
        if timed.slot >= 0 {
            if timed.tick <= tick { return }
            unlink(timed)
        }
        link(timed, tick)
    }

    public mutating func clear(_ timed: Timed) {
        timed.deadline = .distantFuture
        if timed.slot >= 0 { unlink(timed) }
    }

    /// As `clear`, but the entry stays where it is until its slot comes up: for those who set a deadline again soon, which
    /// then costs nothing, too. Like any other it must be cleared before it goes.
    public mutating func suspend(_ timed: Timed) { timed.deadline = .distantFuture }

    /// Milliseconds until something may be due; nil: nothing waits.
    public mutating func untilNext(now: Instant) -> Int32? {
        let best = nextTick ?? findNext()
        nextTick = best
        guard best < .max else { return nil }
        let wait = Int64(best) * Self.tickNanoseconds - now.nanoseconds
        return wait <= 0 ? 0 : Int32(clamping: (wait + Self.tickNanoseconds - 1) / Self.tickNanoseconds)
    }

    /// The first tick of the nearest slot that holds something; it stays the same while time passes.
    private func findNext() -> UInt64 {
        var best = UInt64.max
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = Self.slotBits * UInt64(level)
            let position = (current >> shift) & 63
            let rotated = occupied[level] >> position | (position == 0 ? 0 : occupied[level] << (64 - position))
            // A higher level's slot at the present position was emptied when its first tick began: what is in it now is
            // a whole round ahead. Taken for due, it would keep the loop from sleeping until the position moves on.
            let ahead: UInt64 =
                if level > 0, rotated & 1 != 0 {
                    rotated == 1 ? 64 : UInt64((rotated & ~1).trailingZeroBitCount)
                } else {
                    UInt64(rotated.trailingZeroBitCount)
                }
            // A slot of a higher level is due when its first tick begins.
            let tick = max(current, ((current >> shift) + ahead) << shift)
            best = min(best, tick)
        }
        return best
    }

    /// Takes out the next one whose deadline has passed; call until nil.
    public mutating func popExpired(now: Instant) -> Timed? {
        let target = Self.ticks(now)
        while current <= target {
            let slot = Int(truncatingIfNeeded: current & 63)
            while let head = heads[slot] {
                let timed = head.takeUnretainedValue()
                unlink(timed)
                if timed.deadline <= now {
                    timed.deadline = .distantFuture
                    return timed
                }
                // Suspended; or moved later since it was entered, or entered early by a rounding.
                if timed.deadline < .distantFuture {
                    link(timed, max(current + 1, Self.ticks(timed.deadline) + 1))
                }
            }
            advance(target)
        }
        return nil
    }

    private mutating func advance(_ target: UInt64) {
        // Empty stretches are jumped over, up to the next boundary of the lowest level that holds something.
        var level = 0
        while level < Self.levels, occupied[level] == 0 { level += 1 }
        if level < Self.levels {
            let shift = Self.slotBits * UInt64(max(level, 1))
            current = level == 0 ? current + 1 : min(((current >> shift) + 1) << shift, target + 1)
        } else {
            current = target + 1
        }
        guard current & 63 == 0 else { return }
        for level in 1..<Self.levels {
            let shift = Self.slotBits * UInt64(level)
            cascade(level, Int(truncatingIfNeeded: (current >> shift) & 63))
            if (current >> shift) & 63 != 0 { break }
        }
    }

    private mutating func cascade(_ level: Int, _ position: Int) {
        let slot = level * 64 + position
        while let head = heads[slot] {
            let timed = head.takeUnretainedValue()
            unlink(timed)
            if timed.deadline < .distantFuture { link(timed, max(current, Self.ticks(timed.deadline) + 1)) }
        }
    }

    private mutating func link(_ timed: Timed, _ tick: UInt64) {
        nextTick = nil
        var entered = tick
        var level = 0
        while level < Self.levels - 1, entered - current >= 1 << (Self.slotBits * UInt64(level + 1)) { level += 1 }
        let reach = UInt64(1) << (Self.slotBits * UInt64(Self.levels))
        if entered - current >= reach { entered = current + reach - 1 }
        let position = Int(truncatingIfNeeded: (entered >> (Self.slotBits * UInt64(level))) & 63)
        let slot = level * 64 + position
        timed.tick = entered
        timed.slot = Int16(slot)
        timed.previous = nil
        timed.next = heads[slot]
        heads[slot]?._withUnsafeGuaranteedRef { $0.previous = Unmanaged.passUnretained(timed) }
        heads[slot] = Unmanaged.passUnretained(timed)
        occupied[level] |= 1 << UInt64(position)
    }

    private mutating func unlink(_ timed: Timed) {
        nextTick = nil
        let slot = Int(timed.slot)
        let next = timed.next
        if let previous = timed.previous {
            previous._withUnsafeGuaranteedRef { $0.next = next }
        } else {
            heads[slot] = next
            if next == nil { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        }
        next?._withUnsafeGuaranteedRef { $0.previous = timed.previous }
        timed.previous = nil
        timed.next = nil
        timed.slot = -1
    }
}
