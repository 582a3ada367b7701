import Core
import Testing

@testable import Upstream

@Suite struct MemberCellTests {
    private static let second: Int64 = 1_000_000_000

    /// Deaths as (input, second), and whether the last one isolates.
    @Test(
        arguments: [
            ([(.requestHead, 100)], false), ([(.requestHead, 100), (.requestHead, 200)], true),
            ([(.requestHead, 100), (.responseHead, 200)], false),
            ([(.requestHead, 100), (.requestHead, 701)], false), ([(.requestHead, 100), (.requestHead, 700)], true),
            ([(.requestHead, 100), (.tunnel, 150), (.requestHead, 200)], false),
            ([(.tunnel, 100), (.requestHead, 150), (.requestHead, 200)], true),
        ] as [([(InputKind, Int64)], Bool)])
    func twoDeathsOfTheSameInputIsolate(deaths: [(InputKind, Int64)], isolates: Bool) {
        let memory = LiveMemory(workers: 2)
        let cell = memory.worker(0).member(3)
        var isIsolated = false
        for (input, second) in deaths { isIsolated = cell.noteDeath(input, now: second * Self.second) }
        #expect(isIsolated == isolates)
        let now = (deaths.last?.1 ?? 0) * Self.second
        // What one worker finds all see.
        let seen = memory.worker(1).member(3)
        #expect((seen.isolation(now: now) != nil) == isolates)
        #expect(seen.isolation(now: now + Isolation.lasts.nanoseconds) == nil)
        #expect(seen.deaths == UInt64(deaths.count))
        #expect(seen.lastInput == deaths.last?.0)
        #expect(memory.worker(1).member(4).deaths == 0)
    }

    @Test func whatADeadWorkerHeldIsFreedAndWhatItDiedOfStays() {
        let memory = LiveMemory(workers: 2)
        _ = memory.worker(0).slots(.member).slot(for: 11)
        let dead = memory.worker(1)
        #expect(dead.member(1).take(limit: 1) && memory.worker(0).member(1).take(limit: 2))
        dead.member(1).add(octets: 4096)
        dead.work.begin(1, .requestHead)
        dead.work.signalWord.pointee = 4
        #expect(!memory.worker(0).member(1).take(limit: 2))
        memory.worker(1).end()
        let others = memory.worker(0).member(1)
        #expect(others.allCalls == 1 && others.allOctets == 0 && others.take(limit: 2))
        #expect(memory.worker(1).work.fatal?.slot == 1 && memory.worker(1).work.fatal?.input == .requestHead)
    }

    @Test func whatAWorkerWorkedOnIsKnownToItsSuccessorIfASignalEndedIt() {
        let memory = LiveMemory(workers: 2)
        let first = memory.worker(1)
        first.work.begin(7, .responseHead)
        #expect(memory.worker(1).work.fatal == nil, "it was killed from outside")
        first.work.signalWord.pointee = 4
        let fatal = memory.worker(1).work.fatal
        #expect(fatal?.slot == 7 && fatal?.input == .responseHead)
        #expect(memory.worker(0).work.fatal == nil)
        memory.worker(1).begin()
        #expect(memory.worker(1).work.fatal == nil)
        first.work.begin(7, .requestHead)
        first.work.end()
        first.work.signalWord.pointee = 4
        #expect(memory.worker(1).work.fatal == nil, "it was busy with nobody's call")
    }

    @Test func aQuotaIsOfAllWorkers() {
        let memory = LiveMemory(workers: 2)
        let (a, b) = (memory.worker(0).member(2), memory.worker(1).member(2))
        #expect(a.take(limit: 3) && b.take(limit: 3) && a.take(limit: 3))
        #expect(!a.take(limit: 3) && !b.take(limit: 3))
        #expect(a.calls == 2 && b.calls == 1 && a.allCalls == 3)
        b.give()
        #expect(a.take(limit: 3))
        #expect(a.take(limit: 0) && a.take(limit: 0))
        a.add(octets: 4096)
        b.add(octets: 1024)
        b.add(octets: -24)
        #expect(a.allOctets == 5096)
    }

    @Test func flowsAreCountedByNameAndThoseWithoutAPlaceTogether() {
        let memory = LiveMemory(workers: 2)
        let now = Instant(nanoseconds: 5 * Self.second)
        func flow(_ key: UInt64) -> String { "shop/caller-\(key)" }
        for worker in 0..<2 {
            for key in 1...2 as ClosedRange<UInt64> {
                flow(key).withView {
                    let flow = FlowCounts.Flow(key: key, member: 77, caller: $0)
                    memory.worker(worker).flows.waited(flow, .milliseconds(5), now: now)
                    memory.worker(worker).flows.rejected(flow, now: now)
                }
            }
        }
        let rows = memory.worker(0).flows.rows()
        #expect(rows.count == 3)
        #expect(rows[0].caller == "shop/caller-1" && rows[0].queued == 2 && rows[0].rejected == 2)
        #expect(rows[0].delay == 10_000_000 && rows[0].member == 77)
        #expect(rows[2].queued == 0)
        // Far more flows than places: none is lost, and no sum shrinks.
        for key in 10..<3000 as Range<UInt64> {
            flow(key).withView { memory.worker(0).flows.rejected(.init(key: key, member: 77, caller: $0), now: now) }
        }
        let many = memory.worker(0).flows.rows()
        #expect(many.count <= 2 * FlowCounts.flowLimit + 1)
        #expect(many.reduce(0) { $0 + $1.rejected } == 4 + 2990)
        #expect((many.last?.rejected ?? 0) > 2000)
        // Left alone for long, a place is given to another flow.
        let later = now + FlowCounts.patience
        for key in 5000..<5100 as Range<UInt64> {
            flow(key).withView { memory.worker(0).flows.rejected(.init(key: key, member: 78, caller: $0), now: later) }
        }
        let after = memory.worker(0).flows.rows()
        #expect(after.reduce(0) { $0 + $1.rejected } == 4 + 2990 + 100)
        #expect(after.contains { $0.caller == "shop/caller-5000" })
    }
}
