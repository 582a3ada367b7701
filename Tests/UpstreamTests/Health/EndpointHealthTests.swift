import Config
import Core
import Testing

@testable import Upstream

/// Cells in memory of their own.
final class Cells {
    let base: UnsafeMutableRawPointer
    let state: LiveState

    init() {
        let size = LiveState.size(workers: 1)
        // Sparse, as the family's memory is.
        base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: 1 << 16)
        state = LiveState(base: base, workers: 1, worker: 0)
        for slot in 0..<64 {
            state.endpoints.common(UInt32(slot)).initializeMemory(as: UInt8.self, repeating: 0, count: 128)
        }
    }

    deinit { base.deallocate() }

    subscript(slot: UInt32) -> EndpointCell { state.endpoint(slot) }
}

@Suite("An endpoint's health in shared memory")
struct EndpointHealthTests {
    let cells = Cells()
    let now = Instant(nanoseconds: 1_000_000_000)

    private func plan(_ change: (inout PassiveCheckPlan) -> Void = { _ in }) -> PassiveCheckPlan {
        var plan = PassiveCheckPlan()
        plan.maxEjectionPercent = 100
        change(&plan)
        return plan
    }

    typealias Step = AttemptOutcome
    static let streaks:
        [(name: String, change: @Sendable (inout PassiveCheckPlan) -> Void, steps: [Step], EjectionCause?)] = [
            ("five 5xx", { _ in }, Array(repeating: .serverError, count: 5), .consecutive5Xx),
            ("four", { _ in }, Array(repeating: .serverError, count: 4), nil),
            (
                "a success between", { _ in },
                [.serverError, .serverError, .success, .serverError, .serverError, .serverError],
                nil
            ),
            (
                "gateway errors are 5xx too", { _ in },
                [.gatewayError, .serverError, .gatewayError, .serverError, .gatewayError],
                .consecutive5Xx
            ),
            (
                "so are local failures while nothing is split", { _ in }, Array(repeating: .localOrigin, count: 5),
                .consecutive5Xx
            ),
            (
                "gateway errors in a row", { $0.consecutiveGatewayErrors = 2 }, [.gatewayError, .localOrigin],
                .consecutiveGateway
            ),
            (
                "another error between", { $0.consecutiveGatewayErrors = 2 },
                [.gatewayError, .serverError, .gatewayError], nil
            ),
            (
                "split: local failures alone", { $0.splitExternalLocalOriginErrors = true },
                Array(repeating: .localOrigin, count: 5), .consecutiveLocalOrigin
            ),
            (
                "split: an answer, even a bad one, between",
                { $0.splitExternalLocalOriginErrors = true },
                [.localOrigin, .localOrigin, .localOrigin, .localOrigin, .serverError, .localOrigin], nil
            ),
            (
                "split: local failures are no 5xx",
                {
                    $0.splitExternalLocalOriginErrors = true
                    $0.consecutiveLocalOriginFailures = 0
                }, Array(repeating: .localOrigin, count: 20), nil
            ),
            ("off", { $0.consecutive5XxErrors = 0 }, Array(repeating: .serverError, count: 20), nil),
            ("what says nothing", { _ in }, Array(repeating: .unknown, count: 20), nil),
        ]

    @Test("failures in a row", arguments: streaks)
    func streak(
        _ name: String, _ change: @Sendable (inout PassiveCheckPlan) -> Void, _ steps: [Step],
        _ expected: EjectionCause?
    ) {
        let plan = plan(change)
        let verdicts = steps.map { cells[1].note($0, plan) }.filter { $0 != .nothing }
        #expect(verdicts == (expected.map { [.excessive($0)] } ?? []), "\(name)")
    }

    @Test("ejections grow with each, up to the cap, and shrink again")
    func lengths() throws {
        let plan = plan { $0.baseEjectionTime = .seconds(100) }
        let cell = cells[1]
        var time = now
        for expected in [100, 200, 300, 300, 300] as [Int64] {
            let length = try #require(cell.eject(plan, cause: .consecutive5Xx, others: [cells[2]], now: time))
            #expect(length == .seconds(expected))
            #expect(!cell.isUsable)
            #expect(!cell.beginProbation(now: time + .seconds(expected) + .nanoseconds(-1)))
            time = time + .seconds(expected)
            #expect(cell.beginProbation(now: time))
            #expect(!cell.beginProbation(now: time), "one request at a time")
            #expect(cell.note(.success, plan) == .isBack)
            #expect(cell.isUsable)
        }
        #expect(cell.ejectionHistory.total == 5)
        cell.forgive()
        #expect(cell.eject(plan, cause: .consecutive5Xx, others: [cells[2]], now: time) == .seconds(300))
        for _ in 0..<10 { cell.forgive() }
        cell.ejectedUntil.value = 0
        #expect(cell.eject(plan, cause: .consecutive5Xx, others: [cells[2]], now: time) == .seconds(100))
    }

    @Test("a failed probation is the next ejection; one without an outcome lets another try after a while")
    func probation() throws {
        let plan = plan { $0.baseEjectionTime = .seconds(10) }
        let cell = cells[1]
        _ = try #require(cell.eject(plan, cause: .successRate, others: [cells[2]], now: now))
        // Outcomes of what was under way when it was ejected.
        #expect(cell.note(.success, plan) == .nothing)
        #expect(cell.note(.serverError, plan) == .nothing)
        #expect(cell.isEjected)
        let due = now + .seconds(10)
        #expect(cell.beginProbation(now: due))
        #expect(cell.ejection?.isProbation == true)
        #expect(cell.note(.gatewayError, plan) == .excessive(.probation))
        #expect(cell.eject(plan, cause: .probation, others: [cells[2]], now: due) == .seconds(20))
        #expect(cell.ejectionHistory.cause == .probation)
        let again = due + .seconds(20)
        #expect(cell.beginProbation(now: again))
        #expect(cell.note(.unknown, plan) == .nothing)
        #expect(!cell.beginProbation(now: again + .seconds(9)))
        #expect(cell.beginProbation(now: again + EjectionRules.probation))
    }

    @Test(
        "how many may be out at once",
        arguments: [
            (10, false, 3, 0), (10, false, 10, 1), (10, true, 3, 1), (33, false, 3, 0), (34, false, 3, 1),
            (50, false, 4, 2),
            (50, false, 3, 1), (100, false, 3, 3), (0, false, 3, 0), (0, true, 3, 1), (10, true, 1, 1),
        ])
    func share(_ percent: UInt32, _ alwaysOne: Bool, _ count: Int, _ expected: Int) {
        let plan = plan {
            $0.maxEjectionPercent = percent
            $0.alwaysEjectOneEndpoint = alwaysOne
        }
        let all = (1...UInt32(count)).map { cells[$0] }
        var ejected = 0
        for index in all.indices {
            let others = all.indices.filter { $0 != index }.map { all[$0] }
            if all[index].eject(plan, cause: .consecutive5Xx, others: others, now: now) != nil { ejected += 1 }
        }
        #expect(ejected == expected)
        #expect(all.count { $0.isEjected } == expected)
        // Refused ones have left no trace.
        #expect(all.reduce(0) { $0 + Int($1.ejectionHistory.total) } == expected)
    }

    @Test("an endpoint is ejected once, whoever finds it out too")
    func once() {
        let plan = plan()
        #expect(cells[1].eject(plan, cause: .consecutive5Xx, others: [cells[2]], now: now) != nil)
        #expect(cells[1].eject(plan, cause: .successRate, others: [cells[2]], now: now) == nil)
        #expect(cells[1].eject(plan, cause: .probation, others: [cells[2]], now: now) == nil)
        #expect(cells[1].ejectionHistory.total == 1)
    }

    @Test("outcomes are counted for the window: all that reached it, and failures on the way unless they are split")
    func counts() {
        let split = plan { $0.splitExternalLocalOriginErrors = true }
        for outcome in [.success, .serverError, .localOrigin, .unknown] as [AttemptOutcome] {
            _ = cells[1].note(outcome, plan())
            _ = cells[2].note(outcome, split)
        }
        #expect(cells[1].counts == .init(total: 3, failed: 2))
        #expect(cells[2].counts == .init(total: 2, failed: 1))
    }

    @Test("what probes say is kept as it was written")
    func probes() {
        for standing in [nil, .pending, .passing, .failing] as [ProbeSeries.Standing?] {
            for isStale in [false, true] {
                let state = ProbeState(standing: standing, isStale: isStale)
                cells[3].probeState = state
                #expect(cells[3].probeState == state)
            }
        }
        #expect(cells[3].isUsable, "only faults take it out")
        cells[3].faults.value = EndpointCell.Faults.failedChecks.rawValue
        #expect(!cells[3].isUsable)
    }

    static let statuses: [(UInt16, AttemptOutcome)] = [
        (0, .unknown), (200, .success), (404, .success), (500, .serverError), (501, .serverError),
        (502, .gatewayError), (503, .gatewayError), (504, .gatewayError), (505, .serverError), (599, .serverError),
    ]

    @Test("outcomes by status", arguments: statuses)
    func outcome(_ status: UInt16, _ expected: AttemptOutcome) { #expect(AttemptOutcome(status: status) == expected) }
}
