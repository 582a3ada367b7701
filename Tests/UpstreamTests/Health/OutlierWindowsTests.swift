import Config
import Core
import Testing

@testable import Upstream

@Suite("Windows of outcomes")
struct OutlierWindowsTests {
    typealias Counts = OutlierWindows.Counts

    /// Endpoints that fail with these probabilities, for so many intervals with so many requests each.
    private func verdicts(
        _ failing: [Double], each: Int, intervals: Int, seed: UInt64 = 1,
        _ change: (inout PassiveCheckPlan) -> Void = { _ in }
    ) -> [(interval: Int, slot: UInt32, cause: EjectionCause)] {
        var plan = PassiveCheckPlan()
        change(&plan)
        var random = SeededRandom(seed: seed)
        var windows = OutlierWindows()
        var counts = [Counts](repeating: Counts(), count: failing.count)
        var found: [(Int, UInt32, EjectionCause)] = []
        for interval in 0...intervals {
            let endpoints = counts.indices.map { (slot: UInt32($0 + 1), counts: counts[$0]) }
            for verdict in windows.judge(endpoints, plan) { found.append((interval, verdict.slot, verdict.cause)) }
            for index in counts.indices {
                for _ in 0..<each {
                    counts[index].total &+= 1
                    if Double(random.next() % 1000) < failing[index] * 1000 { counts[index].failed &+= 1 }
                }
            }
        }
        return found
    }

    @Test("an endpoint that fails 40 % is told from two that do not, at the first look with enough requests")
    func evenFailures() {
        let found = verdicts([0.4, 0, 0], each: 60, intervals: 3)
        #expect(found.first?.interval == 1)
        #expect(Set(found.map(\.slot)) == [1])
        #expect(found.allSatisfy { $0.cause == .successRate })
    }

    @Test("little traffic is judged later, not never")
    func littleTraffic() {
        let found = verdicts([0.4, 0, 0], each: 10, intervals: 6)
        #expect(found.map(\.interval).first == 5)
        #expect(verdicts([0.9, 0, 0], each: 2, intervals: 60).isEmpty, "fewer than 50 in the longest window")
    }

    @Test("a share of failures that is written counts by itself, also where all endpoints fail alike")
    func threshold() {
        #expect(verdicts([0.5, 0.5, 0.5], each: 200, intervals: 1).isEmpty)
        let found = verdicts([0.5, 0.5, 0.5], each: 200, intervals: 1) { $0.failurePercentageThreshold = 30 }
        #expect(found.count == 3)
        #expect(found.allSatisfy { $0.cause == .failurePercentage })
        #expect(verdicts([0.5], each: 200, intervals: 1) { $0.failurePercentageThreshold = 30 }.count == 1)
    }

    @Test("85 % is the threshold where none is written, and 0 none at all")
    func defaultThreshold() {
        #expect(verdicts([0.95, 0.95], each: 200, intervals: 1).count == 2)
        #expect(verdicts([0.95, 0.95], each: 200, intervals: 1) { $0.failurePercentageThreshold = 0 }.isEmpty)
    }

    @Test("endpoints that are alike are left alone, whatever chance does", arguments: [0.0, 0.01, 0.1, 0.3, 0.5])
    func noFalseVerdicts(rate: Double) {
        let found = (0..<50).flatMap { verdicts([rate, rate, rate, rate], each: 60, intervals: 20, seed: $0) }
        #expect(found.count <= 2, "of 4,000 windows")
    }

    @Test("the worst comes first")
    func order() {
        let found = verdicts([0.4, 0.8, 0, 0, 0], each: 100, intervals: 1)
        #expect(found.map(\.slot) == [2, 1])
    }

    @Test("one that was out begins anew: what it did before is not held against it")
    func anew() {
        var windows = OutlierWindows()
        let plan = PassiveCheckPlan()
        let well = Counts(total: 0, failed: 0)
        _ = windows.judge([(1, well), (2, well)], plan)
        #expect(windows.judge([(1, Counts(total: 100, failed: 40)), (2, Counts(total: 100))], plan).count == 1)
        // Out for one interval, in which late outcomes arrive.
        #expect(windows.judge([(2, Counts(total: 200))], plan).isEmpty)
        #expect(windows.judge([(1, Counts(total: 160, failed: 100)), (2, Counts(total: 300))], plan).isEmpty)
        #expect(windows.judge([(1, Counts(total: 220, failed: 100)), (2, Counts(total: 400))], plan).isEmpty)
    }

    @Test("counters may wrap around")
    func wrap() {
        var windows = OutlierWindows()
        let plan = PassiveCheckPlan()
        let start = Counts(total: .max - 10, failed: .max - 5)
        _ = windows.judge([(1, start), (2, start)], plan)
        let found = windows.judge([(1, Counts(total: 89, failed: 34)), (2, Counts(total: 89, failed: .max - 5))], plan)
        #expect(found.map(\.slot) == [1])
    }
}
