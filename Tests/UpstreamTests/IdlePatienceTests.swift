import Core
import Testing
import Upstream

@Suite struct IdlePatienceTests {
    /// What it says of connections of these ages, one after the other.
    private func runningOut(_ learnt: [Int64], at ages: Int64...) -> [Bool] {
        var patience = IdlePatience()
        for age in learnt { patience.ended(after: .milliseconds(age)) }
        return ages.map { patience.isRunningOut(at: .milliseconds($0)) }
    }

    @Test func nothingLearntNothingFeared() { #expect(runningOut([], at: 0, 3_600_000) == [false, false]) }

    @Test(arguments: [(0, false), (500, false), (899, false), (900, true), (999, true), (1000, true), (1200, true)])
    func whatIsNearTheEndIsLeftAlone(age: Int64, expected: Bool) {
        #expect(runningOut([1400, 1000, 1100], at: age) == [expected])
    }

    /// All connections of a backend that is stopped end at once, however young they are; that is no timeout.
    @Test func aConnectionThatOutlivesItProvesItWrong() {
        #expect(runningOut([5], at: 10, 100, 10) == [true, false, false])
    }
}
