import Config
import Core
import Testing
import Upstream

@Suite("circuitBreaker") struct ClusterCellTests {
    @Test(
        "Never more than the limit, of all workers together; what is given back can be taken", arguments: [0, 1, 2, 10])
    func limit(limit: UInt32) {
        let memory = LiveMemory(workers: 4)
        let cells = (0..<4).map { memory.worker($0).cluster(3) }
        var random = SeededRandom(seed: UInt64(limit))
        var held = [0, 0, 0, 0]
        for _ in 0..<5000 {
            let worker = Int(random.next() % 4)
            if random.next() % 3 > 0 {
                let isTaken = cells[worker].take(.requests, limit: limit)
                #expect(isTaken == (held.reduce(0, +) < Int(limit)))
                if isTaken { held[worker] += 1 }
            } else if held[worker] > 0 {
                cells[worker].give(.requests)
                held[worker] -= 1
            }
            #expect(cells[0].sum(.requests) == held.reduce(0, +))
            #expect(cells[worker].own(.requests) == held[worker])
        }
    }

    @Test("Counts are apart, and so are clusters")
    func apart() {
        let memory = LiveMemory(workers: 2)
        let cell = memory.worker(1).cluster(5)
        for count in ClusterCell.Count.allCases { #expect(cell.take(count, limit: 1)) }
        for count in ClusterCell.Count.allCases { #expect(!cell.take(count, limit: 1)) }
        #expect(memory.worker(0).cluster(6).take(.requests, limit: 1))
    }

    @Test("What a worker had goes with it")
    func death() {
        let memory = LiveMemory(workers: 2)
        _ = memory.worker(0).slots(.cluster).slot(for: 77)
        let cell = memory.worker(1).cluster(1)
        #expect(cell.take(.requests, limit: 1))
        cell.noteOldest(milliseconds: 5)
        #expect(!memory.worker(0).cluster(1).take(.requests, limit: 1))
        memory.worker(1).begin()
        #expect(!memory.worker(0).cluster(1).isAnyOlder(than: 1000, slack: 1))
        #expect(memory.worker(0).cluster(1).take(.requests, limit: 1))
    }

    @Test("Who has waited longer elsewhere is known, round the clock's end too")
    func oldest() {
        let memory = LiveMemory(workers: 3)
        let mine = memory.worker(0).cluster(1)
        let other = memory.worker(2).cluster(1)
        #expect(!mine.isAnyOlder(than: 1000, slack: 5))
        other.noteOldest(milliseconds: 990)
        #expect(mine.isAnyOlder(than: 1000, slack: 5))
        #expect(!mine.isAnyOlder(than: 995, slack: 5))
        #expect(!other.isAnyOlder(than: 2000, slack: 5), "its own does not count")
        other.noteOldest(milliseconds: .max - 3)
        #expect(mine.isAnyOlder(than: 10, slack: 5))
        other.noteOldest(milliseconds: nil)
        #expect(!mine.isAnyOlder(than: 10, slack: 5))
    }

    @Test("Connections of an endpoint are counted beside its requests")
    func connections() {
        let memory = LiveMemory(workers: 2)
        let live = memory.worker(1)
        live.requestBegan(9)
        #expect(live.takeConnection(9, limit: 1))
        #expect(!memory.worker(0).takeConnection(9, limit: 1))
        memory.worker(0).connectionBegan(9)
        #expect(live.connectionCount(9) == 2)
        #expect(live.inFlight(9) == 1)
        live.connectionEnded(9)
        #expect(live.connectionCount(9) == 1)
    }

    @Test(
        "retryBudget: a share of what is under way, and never less than the minimum",
        arguments: [
            (0, 3), (2, 3), (15, 3), (25, 5), (1000, 200),
        ])
    func budget(requests: Int, allowed: Int) {
        #expect(RetryBudgetPlan(numerator: 20, denominator: 100).allowed(requests: requests) == allowed)
    }
}
