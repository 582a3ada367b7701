import Core
import Testing

@testable import Upstream

@Suite("A limit's window in one word") struct RateWindowTests {
    private static let second = TimeAmount.seconds(1)

    /// A moment that is no multiple of anything.
    private static let begin = Instant(nanoseconds: 98_765_432_109_876)

    private static func at(_ milliseconds: Int64) -> Instant { begin + .milliseconds(milliseconds) }

    /// How many of the requests at these times pass.
    private func passed(_ times: some Sequence<Int64>, limit: UInt32, unit: TimeAmount = second) -> Int {
        var window = RateWindow(word: 0)
        return times.filter { window.take(1, of: limit, unit: unit, now: Self.at($0)).isAllowed }.count
    }

    @Test(
        "A load above the limit passes at its rate, whenever one stops counting",
        arguments: [1_000, 5_000, 60_000, 60_020, 60_500, 60_999, 59_980] as [Int64], [1, 3, 6] as [Int64])
    func rate(until end: Int64, every step: Int64) {
        let count = passed(stride(from: 0, to: end, by: Int(step)), limit: 100)
        // A tenth of the limit may be given ahead.
        #expect((Double(end) / 10 - 1...Double(end) / 10 + 11).contains(Double(count)), "\(count) of \(end) ms")
    }

    @Test("100 a second for 60 seconds are 6,000", arguments: 1...20 as ClosedRange<UInt64>)
    func sixtySeconds(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var time = 0.0
        var times: [Int64] = []
        // Between 120 and 4,000 requests a second, at random times.
        let mean = 1000 / Double(120 + random.next() % 3_880)
        while time < 60_000 {
            times.append(Int64(time))
            time += mean * 2 * Double(random.next() % 1_000_000) / 1_000_000
        }
        #expect((5_940...6_060).contains(passed(times, limit: 100)), "seed \(seed)")
    }

    @Test("Requests in bunches take their share", arguments: [10, 20, 50, 90] as [Int64])
    func bunches(every step: Int64) {
        var window = RateWindow(word: 0)
        var count = 0
        for time in stride(from: 0 as Int64, to: 60_000, by: Int(step)) {
            for _ in 0..<20 where window.take(1, of: 100, unit: Self.second, now: Self.at(time)).isAllowed {
                count += 1
            }
        }
        #expect((5_940...6_060).contains(count), "\(count)")
    }

    @Test("So do bunches with long gaps between them", arguments: 1...30 as ClosedRange<UInt64>)
    func gaps(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var window = RateWindow(word: 0)
        var count = 0
        var time: Int64 = 0
        while time < 60_000 {
            for _ in 0..<220 where window.take(1, of: 100, unit: Self.second, now: Self.at(time)).isAllowed {
                count += 1
            }
            time += Int64(1 + random.next() % 700)
        }
        // What the last bunch finds is up to a limit more or less.
        #expect((5_850...6_110).contains(count), "\(count) with seed \(seed)")
    }

    @Test func whoRestsHasAllOfTheLimitAgain() {
        var window = RateWindow(word: 0)
        for burst in [0, 1_010, 3_500, 5_000] as [Int64] {
            let verdicts = (0..<7).map { _ in window.take(1, of: 5, unit: Self.second, now: Self.at(burst)).isAllowed }
            #expect(verdicts == [true, true, true, true, true, false, false], "at \(burst)")
        }
    }

    @Test func neverTwiceTheLimitAroundABoundaryUnderLoad() {
        var window = RateWindow(word: 0)
        var passed: [Int64] = []
        for time in 0..<20_000 as Range<Int64>
        where window.take(1, of: 50, unit: Self.second, now: Self.at(time)).isAllowed {
            passed.append(time)
        }
        for time in stride(from: 900 as Int64, to: 19_000, by: 50) {
            let inWindow = passed.filter { $0 >= time && $0 < time + 1_000 }.count
            #expect(inWindow <= 57, "\(inWindow) from \(time)")
        }
    }

    @Test(
        "Units from a second to a year",
        arguments: [1, 60, 3_600, 86_400, 604_800, 2_592_000, 31_536_000] as [Int64])
    func units(seconds: Int64) {
        let unit = TimeAmount.seconds(seconds)
        var window = RateWindow(word: 0)
        func take(_ second: Int64) -> RateWindow.Verdict {
            window.take(1, of: 2, unit: unit, now: Self.begin + .seconds(second))
        }
        #expect(take(0) == RateWindow.Verdict(isAllowed: true, remaining: 1, reset: unit))
        #expect(take(0).isAllowed)
        #expect(take(0) == RateWindow.Verdict(isAllowed: false, remaining: 0, reset: unit))
        #expect(take(seconds * 9 / 10).isAllowed == false)
        #expect(take(seconds).isAllowed)
        #expect(take(seconds * 5).isAllowed)
    }

    @Test func costsAreAllOrNothing() {
        var window = RateWindow(word: 0)
        func take(_ cost: UInt32) -> Bool { window.take(cost, of: 10, unit: Self.second, now: Self.at(0)).isAllowed }
        #expect(take(7))
        #expect(!take(4))
        #expect(take(0))
        #expect(take(3))
        #expect(!take(0))
        #expect(!take(11))
    }

    @Test func aLimitOfNothingPassesNothing() {
        #expect(passed(0..<3_000, limit: 0) == 0)
    }

    @Test func whatAResponseCostIsPaidByTheNextRequests() {
        var window = RateWindow(word: 0)
        #expect(window.take(0, of: 10, unit: Self.second, now: Self.at(0)).isAllowed)
        window.charge(.max, unit: Self.second, now: Self.at(10))
        window.charge(.max, unit: Self.second, now: Self.at(10))
        #expect(!window.take(0, of: 10, unit: Self.second, now: Self.at(20)).isAllowed)
        #expect(window.take(0, of: 10, unit: Self.second, now: Self.at(1_100)).isAllowed)
    }

    @Test func theLargestLimitDoesNotOverflow() {
        var window = RateWindow(word: 0)
        #expect(window.take(.max, of: .max, unit: Self.second, now: Self.at(0)).isAllowed)
        #expect(!window.take(.max, of: .max, unit: Self.second, now: Self.at(999)).isAllowed)
        // Paced from here on.
        #expect(!window.take(.max, of: .max, unit: Self.second, now: Self.at(1_400)).isAllowed)
        #expect(window.take(1 << 30, of: .max, unit: Self.second, now: Self.at(1_400)).isAllowed)
        // What was left over of a paced window is there in the next, and no more than a limit of it.
        #expect(!window.take(.max, of: .max, unit: Self.second, now: Self.at(1_500)).isAllowed)
        #expect(window.take(1 << 31, of: .max, unit: Self.second, now: Self.at(2_010)).isAllowed)
    }

    @Test func aClockThatIsBehindAnothersTakesNothingBack() {
        var window = RateWindow(word: 0)
        for _ in 0..<3 { #expect(window.take(1, of: 3, unit: Self.second, now: Self.at(100)).isAllowed) }
        #expect(!window.take(1, of: 3, unit: Self.second, now: Self.at(60)).isAllowed)
    }
}
