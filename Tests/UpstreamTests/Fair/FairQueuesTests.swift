import Core
import Testing

@testable import Upstream

/// Flows that always have something waiting, or ask now and then, and what each has been served after a while.
@Suite struct FairQueuesTests {
    private final class Place: FairPlace {
        let number: Int
        let cost: Int64
        init(flow: UInt64, number: Int = 0, cost: Int64 = 1, weight: UInt32 = 1) {
            self.number = number
            self.cost = cost
            super.init()
            self.flow = flow
            self.weight = weight
        }
    }

    private func serve(_ queues: FairQueues) -> Place? {
        guard let next = queues.next else { return nil }
        guard let place = next as? Place else { preconditionFailure("a place of another kind") }
        let queue = place.queue
        queues.leave(place)
        queues.charge(queue, place.cost)
        return place
    }

    private static func flows(_ count: Int, seed: UInt64) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in random.next() }
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func aHandHasFourDifferentQueues(seed: UInt64) {
        for flow in Self.flows(1000, seed: seed) {
            let hand = ShuffleShard.hand(of: flow, deck: FairQueues.queueCount)
            let cards = Set((0..<4).map { hand[$0] })
            #expect(cards.count == 4)
            #expect(cards.allSatisfy { $0 >= 0 && $0 < Int32(FairQueues.queueCount) })
            #expect(hand == ShuffleShard.hand(of: flow, deck: FairQueues.queueCount))
        }
    }

    @Test func everyQueueIsDealtAboutAsOften() {
        var dealt = [Int](repeating: 0, count: 16)
        for flow in Self.flows(16_000, seed: 9) {
            let hand = ShuffleShard.hand(of: flow, deck: 16)
            for card in 0..<4 { dealt[Int(hand[card])] += 1 }
        }
        #expect(dealt.allSatisfy { abs($0 - 4000) < 400 }, "\(dealt)")
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func aHeavyFlowSharesItsHandWithHardlyAnybody(seed: UInt64) {
        let flows = Self.flows(10_001, seed: seed)
        let heavy = ShuffleShard.hand(of: flows[0], deck: FairQueues.queueCount)
        let taken = Set((0..<4).map { heavy[$0] })
        let enclosed = flows.dropFirst().filter { flow in
            let hand = ShuffleShard.hand(of: flow, deck: FairQueues.queueCount)
            return (0..<4).allSatisfy { taken.contains(hand[$0]) }
        }
        #expect(enclosed.count <= 1)
    }

    /// Each row: costs, weights, and how the service is to be shared.
    @Test(arguments: [
        ([1, 1, 1, 1], [1, 1, 1, 1] as [UInt32]), ([1, 10, 100, 3], [1, 1, 1, 1]), ([5, 5, 5, 5], [1, 2, 3, 4]),
        ([1, 50, 7, 20], [4, 1, 2, 3]), ([900, 1, 1, 1], [1, 1, 1, 1]),
    ])
    func backloggedFlowsGetTheirShareWithinARound(costs: [Int64], weights: [UInt32]) {
        let quantum: Int64 = 100
        let queues = FairQueues(quantum: quantum, limit: 4096)
        let flows = Self.flows(4, seed: 3)
        var served = [Int64](repeating: 0, count: 4)
        let places = (0..<8).map {
            Place(flow: flows[$0 % 4], number: $0 % 4, cost: costs[$0 % 4], weight: weights[$0 % 4])
        }
        for place in places { queues.join(place) }
        var total: Int64 = 0
        while total < 400_000 {
            guard let place = serve(queues) else { break }
            served[place.number] += place.cost
            total += place.cost
            // Its next piece comes at once.
            queues.join(place)
        }
        let shares = weights.reduce(0) { $0 + Int64($1) }
        for number in 0..<4 {
            let due = total * Int64(weights[number]) / shares
            // At most two rounds, and what one piece of anybody is too large.
            let bound = 2 * quantum * Int64(weights[number]) + 2 * (costs.max() ?? 0)
            #expect(abs(served[number] - due) <= bound, "flow \(number): \(served), due \(due)")
        }
        while serve(queues) != nil {}
    }

    @Test func whoAsksForLittleGoesBeforeWhoAsksForMuch() {
        let queues = FairQueues(quantum: 10, limit: 4096)
        let flows = Self.flows(2, seed: 5)
        let heavy = (0..<1000).map { Place(flow: flows[0], number: $0, cost: 10) }
        for place in heavy { queues.join(place) }
        for _ in 0..<5 { #expect(serve(queues) != nil) }
        let light = Place(flow: flows[1], number: -1, cost: 10)
        queues.join(light)
        #expect(serve(queues) === light)
        while serve(queues) != nil {}
    }

    @Test func leavingAndComingAgainIsNoWayToBeAlwaysFirst() {
        let queues = FairQueues(quantum: 10, limit: 4096)
        let flows = Self.flows(2, seed: 6)
        let steady = (0..<100).map { Place(flow: flows[0], number: $0, cost: 10) }
        for place in steady { queues.join(place) }
        let eager = Place(flow: flows[1], number: -1, cost: 30)
        var turns = (eager: 0, steady: 0)
        queues.join(eager)
        for _ in 0..<80 {
            guard let place = serve(queues) else { break }
            if place === eager {
                turns.eager += 1
                queues.join(eager)
            } else {
                turns.steady += 1
                queues.join(place)
            }
        }
        // Three times as dear: a third of the turns of the other.
        #expect(turns.eager >= 18 && turns.eager <= 22, "\(turns)")
        while serve(queues) != nil {}
    }

    @Test(arguments: [11, 12, 13, 14, 15, 16] as [UInt64])
    func nobodyStarvesAndNothingIdlesWhileSomebodyWaits(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let queues = FairQueues(quantum: 50, limit: 512)
        // More flows than queues.
        let flows = Self.flows(400, seed: seed &+ 1)
        var waiting: [ObjectIdentifier: Int] = [:]
        var places: [ObjectIdentifier: Place] = [:]
        var step = 0
        var longest = 0
        while step < 20_000 {
            step += 1
            if queues.count < 400, random.next() % 3 > 0 {
                let heavy = random.next() % 2 == 0
                let flow = heavy ? flows[0] : flows[Int(random.next() % 400)]
                let place = Place(
                    flow: flow, number: step, cost: Int64(random.next() % 100), weight: UInt32(1 + random.next() % 3))
                queues.join(place)
                waiting[ObjectIdentifier(place)] = step
                places[ObjectIdentifier(place)] = place
            }
            if random.next() % 17 == 0, let gone = places.values.first {
                queues.leave(gone)
                waiting[ObjectIdentifier(gone)] = nil
                places[ObjectIdentifier(gone)] = nil
            }
            let before = queues.count
            let place = serve(queues)
            #expect((place == nil) == (before == 0))
            if let place {
                let since = waiting.removeValue(forKey: ObjectIdentifier(place)) ?? step
                places[ObjectIdentifier(place)] = nil
                if place.flow != flows[0] { longest = max(longest, step - since) }
            }
            #expect(queues.count == waiting.count)
        }
        #expect(longest < 2000, "somebody waited \(longest) turns")
        while serve(queues) != nil {}
        #expect(queues.count == 0 && queues.busyQueues <= FairQueues.queueCount)
    }

    @Test func whoGoesForWantOfRoomIsTheNewestOfTheLongest() {
        let queues = FairQueues(quantum: 1, limit: 16)
        let flows = Self.flows(3, seed: 21)
        let long = (0..<10).map { Place(flow: flows[0], number: $0) }
        let others = [Place(flow: flows[1]), Place(flow: flows[2])]
        for place in long + others { queues.join(place) }
        #expect(queues.newestOfLongest === long[9])
        #expect(queues.length(for: flows[0]) == 10)
        #expect(queues.length(for: flows[1]) == 1)
        for place in long + others { queues.leave(place) }
        #expect(queues.next == nil)
        #expect(queues.newestOfLongest == nil)
    }

    @Test func whereNoneOfTheLongestMayGoItIsOneOfTheNextLongest() {
        let queues = FairQueues(quantum: 1, limit: 16)
        let flows = Self.flows(3, seed: 22)
        let long = (0..<6).map { Place(flow: flows[0], number: $0) }
        let middle = (6..<9).map { Place(flow: flows[1], number: $0) }
        let short = Place(flow: flows[2], number: 9)
        for place in long + middle + [short] { queues.join(place) }
        func newest(from number: Int) -> Place? {
            queues.newestOfLongest(where: { ($0 as? Place).map { $0.number >= number } ?? false }) as? Place
        }
        #expect(newest(from: 0) === long[5])
        #expect(newest(from: 6) === middle[2])
        #expect(newest(from: 9) === short)
        #expect(newest(from: 10) == nil)
        #expect(queues.length(around: middle[0]) == 3)
        for place in long + middle + [short] { queues.leave(place) }
        #expect(queues.length(around: short) == 0)
    }

    @Test func oneDearPieceOfWorkSilencesItsFlowForABoundedWhile() {
        let queues = FairQueues(quantum: 10, limit: 64)
        let flows = Self.flows(2, seed: 31)
        let dear = Place(flow: flows[0], number: 0, cost: 1_000_000)
        let cheap = Place(flow: flows[1], number: 1, cost: 10)
        queues.join(dear)
        queues.join(cheap)
        var turns: [Int] = []
        while turns.count < 200, let place = serve(queues) {
            turns.append(place.number)
            queues.join(place)
        }
        #expect(turns.first == 0)
        let again = turns.dropFirst().firstIndex(of: 0)
        #expect(again.map { $0 > 20 && $0 < 50 } == true, "\(turns)")
        while let place = queues.next { queues.leave(place) }
    }

    @Test func theTurnOfWhoCannotGoOnIsLetToOthers() {
        let queues = FairQueues(quantum: 10, limit: 64)
        let flows = Self.flows(2, seed: 33)
        let (held, free) = (Place(flow: flows[0]), Place(flow: flows[1]))
        queues.join(held)
        queues.join(free)
        #expect(queues.next === held)
        queues.letOthersGo()
        #expect(queues.next === free)
        queues.leave(free)
        #expect(queues.next === held)
        queues.leave(held)
    }
}
