import Core
import Testing

@testable import Supervisor

@Suite struct RespawnPolicyTests {
    private func delays(_ lifetimes: [Int64]) -> [Int64] {
        var policy = RespawnPolicy()
        return lifetimes.map { policy.died(after: .milliseconds($0)).milliseconds }
    }

    @Test func whoDiesAtOnceIsStartedEverMoreRarely() {
        #expect(
            delays(Array(repeating: 5, count: 12)) == [0, 0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    }

    @Test func rareDeathsAreForgiven() { #expect(delays(Array(repeating: 2_500, count: 20)).allSatisfy { $0 == 0 }) }

    @Test func aLongLifeClearsTheRecord() {
        #expect(delays([5, 5, 5, 5, 5, 60_000, 5, 5, 5, 5]) == [0, 0, 0, 100, 200, 0, 0, 0, 0, 100])
    }
}
