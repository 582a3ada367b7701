import Core
import Testing

@testable import Upstream

@Suite struct ShortageTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    @Test func aLongTurnOrWorkLeftOverIsAShortageForAWhile() {
        var shortage = Shortage()
        shortage.turnEnded(began: at(0), ended: at(2), leftOver: false)
        #expect(!shortage.isOn)
        shortage.turnEnded(began: at(2), ended: at(5), leftOver: false)
        #expect(shortage.isOn)
        shortage.turnEnded(began: at(5), ended: at(100), leftOver: true)
        shortage.turnEnded(began: at(150), ended: at(151), leftOver: false)
        #expect(shortage.isOn)
        shortage.turnEnded(began: at(200), ended: at(201), leftOver: false)
        #expect(!shortage.isOn)
    }

    /// Held, total, limit, weight, and whether there is more.
    @Test(
        arguments: [
            (0, 0, 10, 1, true), (5, 5, 10, 1, false), (4, 4, 10, 1, true), (6, 6, 10, 2, true), (7, 7, 10, 2, false),
            (0, 10, 10, 5, false), (0, 9, 10, 1, true), (3, 7, 10, 1, false), (2, 7, 10, 1, true),
        ] as [(UInt64, UInt64, UInt64, UInt32, Bool)])
    func eachMayHoldAsMuchAsIsFree(held: UInt64, total: UInt64, limit: UInt64, weight: UInt32, admits: Bool) {
        #expect(DynamicThreshold.admits(held: held, total: total, limit: limit, weight: weight) == admits)
    }

    @Test(arguments: 1...5)
    func whoNeverGivesBackLeavesSomethingToTheRest(hoarders: Int) {
        var held = [UInt64](repeating: 0, count: hoarders)
        var grew = true
        while grew {
            grew = false
            for index in held.indices
            where DynamicThreshold.admits(held: held[index], total: held.reduce(0, +), limit: 1200) {
                held[index] += 1
                grew = true
            }
        }
        let each = 1200 / UInt64(hoarders + 1)
        #expect(held.allSatisfy { $0 >= each - 1 && $0 <= each + 1 }, "\(held)")
        #expect(DynamicThreshold.admits(held: 0, total: held.reduce(0, +), limit: 1200))
    }
}
