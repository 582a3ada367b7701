import Core
import Glibc
import Testing
import Upstream

/// 20 % of the requests of ten seconds, at least ten for each of them, of all workers together.
@Suite struct RetryBudgetTests {
    /// The same memory as each of several workers sees it.
    private func with(_ workers: Int, _ body: ([RetryBudget]) -> Void) {
        let size = LiveState.size(workers: workers)
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            base != MAP_FAILED
        else { preconditionFailure("no memory") }
        defer { munmap(base, size) }
        body((0..<workers).map { LiveState(base: base, workers: workers, worker: $0).retryBudget(5) })
    }

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: (1000 * 1000 + milliseconds) * 1_000_000) }

    @Test(arguments: [1, 4]) func aFifthOfAThousand(workers: Int) {
        with(workers) { budgets in
            var taken = 0
            for request in 0..<1000 {
                let budget = budgets[request % workers]
                // A millisecond each: one window.
                budget.requestBegan(now: at(Int64(request)))
                for _ in 0..<2 where budget.takeRetry(now: at(Int64(request))) { taken += 1 }
            }
            #expect(taken == 200)
        }
    }

    @Test func tenForEachSecondAreAlwaysThere() {
        with(1) { budgets in
            budgets[0].requestBegan(now: at(0))
            #expect((0..<150).map { _ in budgets[0].takeRetry(now: at(1)) }.filter { $0 }.count == 100)
            // Until they are out of the window.
            #expect(!budgets[0].takeRetry(now: at(9_900)))
            #expect(budgets[0].takeRetry(now: at(10_100)))
        }
    }

    /// However slow the requests come, ten seconds never see more than a fifth of theirs, or a hundred.
    @Test(arguments: [1, 10, 90, 1000, 3000] as [Int64]) func noWindowHasMore(interval: Int64) {
        with(2) { budgets in
            var requests: [Int64] = []
            var retries: [Int64] = []
            for number in 0..<2000 {
                let now = Int64(number) * interval
                let budget = budgets[number % 2]
                budget.requestBegan(now: at(now))
                requests.append(now / 1000)
                for _ in 0..<2 where budget.takeRetry(now: at(now)) { retries.append(now / 1000) }
            }
            for last in stride(from: 0, through: requests[requests.count - 1], by: 1) {
                let window = (last - 9)...last
                let allowed = max(100, requests.filter(window.contains).count / 5)
                #expect(retries.filter(window.contains).count <= allowed, "the ten seconds up to \(last)")
            }
            #expect(retries.count > 3)
        }
    }

    @Test func whatWasBeforeTheWindowIsForgotten() {
        with(3) { budgets in
            for number in 0..<300 { budgets[number % 3].requestBegan(now: at(0)) }
            #expect(budgets[0].counted(now: at(0)).requests == 300)
            #expect(budgets[1].counted(now: at(9_999)).requests == 300)
            #expect(budgets[2].counted(now: at(10_000)).requests == 0)
        }
    }
}
