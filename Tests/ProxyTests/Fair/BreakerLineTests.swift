import Config
import Core
import Testing

@testable import Proxy

/// Who waits for a permit of a circuit breaker, by flows.
@Suite struct BreakerLineTests {
    /// Flow of each who joins, with its weight, and the order in which they are served.
    @Test(
        arguments: [
            // Of nobody in particular: in the order of arrival.
            ([(0, 1), (0, 1), (0, 1), (0, 1)], [0, 1, 2, 3]),
            // Turns.
            ([(1, 1), (1, 1), (1, 1), (2, 1), (2, 1)], [0, 3, 1, 4, 2]),
            ([(1, 1), (1, 1), (1, 1), (2, 1), (3, 1)], [0, 3, 4, 1, 2]),
            // Twice as many turns.
            ([(1, 1), (1, 1), (2, 2), (2, 2), (2, 2), (2, 2)], [2, 0, 3, 4, 1, 5]),
        ] as [([(flow: UInt64, weight: UInt32)], [Int])])
    func flowsTakeTurns(joining: [(flow: UInt64, weight: UInt32)], order: [Int]) throws {
        let harness = try WorkerHarness()
        let breaker = Breaker(slot: 0, worker: harness.worker)
        var limits = CircuitBreakerPlan()
        limits.maxParallelRequests = 1
        breaker.adopt(limits)
        #expect(breaker.takeRequest(nil))
        var served: [Int] = []
        var places: [WaitingPlace] = []
        for (number, each) in joining.enumerated() {
            // One permit a time: whoever takes it gives it back in a later turn.
            let place = WaitingPlace { [unowned breaker] in
                guard breaker.takeRequest(places[number]) else { return false }
                breaker.leave(places[number])
                served.append(number)
                return true
            }
            place.flow = each.flow
            place.weight = each.weight
            places.append(place)
            #expect(breaker.join(place))
        }
        for count in 0..<joining.count {
            breaker.giveRequest()
            harness.until("the next one") { served.count == count + 1 }
        }
        breaker.giveRequest()
        #expect(served == order)
    }

    @Test func whoCameLateDoesNotCollectTurns() throws {
        let harness = try WorkerHarness()
        let breaker = Breaker(slot: 0, worker: harness.worker)
        var limits = CircuitBreakerPlan()
        limits.maxParallelRequests = 1
        breaker.adopt(limits)
        #expect(breaker.takeRequest(nil))
        var served: [UInt64] = []
        var places: [WaitingPlace] = []
        func join(_ flow: UInt64) {
            let number = places.count
            let place = WaitingPlace {
                guard breaker.takeRequest(places[number]) else { return false }
                breaker.leave(places[number])
                served.append(flow)
                return true
            }
            place.flow = flow
            places.append(place)
            #expect(breaker.join(place))
        }
        for _ in 0..<6 { join(1) }
        for count in 1...3 {
            breaker.giveRequest()
            harness.until("the next one") { served.count == count }
        }
        // It has not waited while the first flow was served: from now on they take turns.
        for _ in 0..<3 { join(2) }
        for count in 4...9 {
            breaker.giveRequest()
            harness.until("the next one") { served.count == count }
        }
        breaker.giveRequest()
        #expect(served == [1, 1, 1, 2, 1, 2, 1, 2, 1] || served == [1, 1, 1, 1, 2, 1, 2, 1, 2], "\(served)")
    }
}
