import Core
import IO
import Testing

/// The wheel against the obvious model: a list of deadlines.
@Suite struct TimerWheelTests {
    private final class Probe: Timed {
        var expected: Instant?
        /// One that was set into the past is due when it was set.
        var due = Instant(nanoseconds: 0)
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    private static let tick: Int64 = 1_000_000

    /// Random settings, moves, clearings and suspensions; the clock jumps as a loop that sleeps would.
    @Test(arguments: 0..<40)
    func firesNeverEarlyAndLessThanTwoTicksLate(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // From where in the wheel's rounds it starts must not matter.
        var now = Instant(nanoseconds: Int64.random(in: 0..<1 << 50, using: &random))
        var wheel = TimerWheel(now: now)
        let probes = (0..<30).map { Probe($0) }
        let reaches: [Int64] = [3, 70, 5_000, 300_000, 20_000_000, 40_000_000]
        let reach = reaches[Int(seed) % reaches.count]
        for _ in 0..<400 {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let probe = probes.randomElement(using: &random)!
                if Int.random(in: 0..<5, using: &random) == 0 {
                    if Bool.random(using: &random) { wheel.clear(probe) } else { wheel.suspend(probe) }
                    probe.expected = nil
                } else {
                    let ahead = Int64.random(in: -2 * Self.tick..<reach * Self.tick, using: &random)
                    probe.expected = Instant(nanoseconds: max(0, now.nanoseconds + ahead))
                    probe.due = max(probe.expected!, now)
                    wheel.set(probe, probe.expected!)
                    #expect(probe.deadline == probe.expected)
                }
            }
            let earliest = probes.compactMap(\.expected).min()
            if let wait = wheel.untilNext(now: now) {
                // It may wake early to look again, but not later than a tick after the nearest deadline.
                if let earliest {
                    let limit = max(0, earliest.nanoseconds - now.nanoseconds) / Self.tick + 2
                    #expect(Int64(wait) <= limit, "seed \(seed)")
                }
                // As a loop does: exactly as long as asked, or woken by something else before.
                let asked = Int64(wait) * Self.tick
                let slept = Bool.random(using: &random) ? asked : Int64.random(in: 0...asked, using: &random)
                now = Instant(nanoseconds: now.nanoseconds + slept)
            } else {
                #expect(earliest == nil, "seed \(seed)")
                now = Instant(nanoseconds: now.nanoseconds + Int64.random(in: 0...reach * Self.tick, using: &random))
            }
            while let fired = wheel.popExpired(now: now) as? Probe {
                #expect(fired.expected != nil && fired.expected! <= now, "seed \(seed): early")
                #expect(fired.deadline == .distantFuture)
                fired.expected = nil
            }
            for probe in probes {
                guard probe.expected != nil else { continue }
                #expect(probe.due.nanoseconds > now.nanoseconds - 2 * Self.tick, "seed \(seed): late")
            }
        }
        for probe in probes { wheel.clear(probe) }
    }

    /// With one deadline ahead the loop wakes a handful of times, wherever the deadline falls in the wheel: each level is
    /// looked into once.
    @Test(
        arguments: [1, 62, 63, 64, 65, 127, 128, 4_031, 4_032, 4_095, 4_096, 262_143, 262_144, 16_777_215, 20_000_000]
            as [Int64])
    func sleepsUntilADeadline(milliseconds: Int64) {
        for start in [0, 1, 62, 63, 64, 4_033, 4_095, 262_143, 16_777_215] as [Int64] {
            var now = Instant(nanoseconds: start * Self.tick + 250_000)
            var wheel = TimerWheel(now: now)
            let probe = Probe(0)
            let deadline = now + .milliseconds(milliseconds)
            wheel.set(probe, deadline)
            var wakes = 0
            var fired: Timed?
            while fired == nil, wakes < 50 {
                let wait = wheel.untilNext(now: now)
                now = now + .milliseconds(Int64(wait ?? 1))
                fired = wheel.popExpired(now: now)
                wakes += 1
            }
            #expect(fired === probe)
            #expect(wakes <= 6, "\(wakes) wakes from \(start)")
            #expect(now >= deadline && now.nanoseconds <= deadline.nanoseconds + 2 * Self.tick)
            wheel.clear(probe)
        }
    }

    @Test func movingADeadlineLaterFiresOnce() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        let probe = Probe(0)
        for end in 1...100 { wheel.set(probe, Instant(nanoseconds: Int64(end) * 10 * Self.tick)) }
        #expect(wheel.popExpired(now: Instant(nanoseconds: 999 * Self.tick)) == nil)
        #expect(wheel.popExpired(now: Instant(nanoseconds: 1_001 * Self.tick)) === probe)
        #expect(wheel.untilNext(now: Instant(nanoseconds: 1_001 * Self.tick)) == nil)
    }

    @Test func aMonthAsleepIsMadeUpFor() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        let near = Probe(0)
        let far = Probe(1)
        wheel.set(near, Instant(nanoseconds: Self.tick))
        wheel.set(far, Instant(nanoseconds: 20 * 24 * 3600 * 1000 * Self.tick))
        let month = Instant(nanoseconds: 30 * 24 * 3600 * 1000 * Self.tick)
        #expect(wheel.popExpired(now: month) === near)
        #expect(wheel.popExpired(now: month) === far)
        #expect(wheel.popExpired(now: month) == nil)
    }
}
