import Config
import Core
import Testing
import Upstream

@Suite("loadBalancer") struct BalancerTests {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)

    /// Endpoints with slots from 1, in zones as told.
    private static func candidates(_ zones: [UInt32], weights: [UInt32]? = nil) -> [Candidate] {
        zones.enumerated().map { index, zone in
            Candidate(
                slot: UInt32(index + 1), weight: weights?[index] ?? 1, zone: zone,
                key: Candidate.key(
                    of: SocketAddress(ip: IPAddress(v4: 10, 0, 0, UInt8(index + 1)), port: 80)))
        }
    }

    private static func balancer(
        _ candidates: [Candidate], _ change: (inout BalancingPolicy) -> Void = { _ in }
    ) -> Balancer {
        var policy = BalancingPolicy()
        change(&policy)
        let balancer = Balancer(turn: 0, tables: RendezvousTables())
        balancer.adopt(candidates, policy)
        return balancer
    }

    /// How often each endpoint is chosen.
    private static func counts(
        _ balancer: Balancer, _ live: LiveState, _ rounds: Int, now: Instant = start, tried: TriedEndpoints = .init(),
        hash: (Int) -> UInt64? = { _ in nil }
    ) -> [Int] {
        var random = SeededRandom(seed: 7)
        var counts = Array(repeating: 0, count: balancer.candidates.count)
        for round in 0..<rounds {
            if let found = balancer.choose(live, now: now, hash: hash(round), tried: tried, using: &random) {
                counts[found] += 1
            }
        }
        return counts
    }

    private static let algorithms: [LoadBalancerPlan.Algorithm] = [
        .leastRequest, .roundRobin, .random, .consistentHash, .peakEWMA,
    ]

    /// Those that look at weights.
    private static let weighing: [LoadBalancerPlan.Algorithm] = [.leastRequest, .roundRobin, .random, .consistentHash]

    @Test("Every algorithm spreads requests over equal endpoints", arguments: algorithms, [1, 2, 3, 5, 12])
    func spreads(algorithm: LoadBalancerPlan.Algorithm, count: Int) {
        let memory = LiveMemory()
        let balancer = Self.balancer(Self.candidates(Array(repeating: 0, count: count))) { $0.algorithm = algorithm }
        let counts = Self.counts(balancer, memory.worker(), 6000) { HashMix.mix(UInt64($0)) }
        for each in counts { #expect(abs(each - 6000 / count) < 6000 / count / 3 + 1, "\(counts)") }
    }

    @Test("An endpoint that is not usable gets nothing, and is seen at once", arguments: algorithms, [2, 3, 9])
    func leavesOut(algorithm: LoadBalancerPlan.Algorithm, count: Int) {
        let memory = LiveMemory()
        let live = memory.worker()
        let balancer = Self.balancer(Self.candidates(Array(repeating: 0, count: count))) { $0.algorithm = algorithm }
        let hash: (Int) -> UInt64 = { HashMix.mix(UInt64($0)) }
        #expect(Self.counts(balancer, live, 300, hash: hash).allSatisfy { $0 > 0 })
        for isEjected in [false, true] {
            live.endpoint(2).faults.value = isEjected ? 0 : EndpointCell.Faults.failedChecks.rawValue
            live.endpoint(2).ejectedUntil.value = isEjected ? 1 : 0
            let counts = Self.counts(balancer, live, 300, hash: hash)
            #expect(counts[1] == 0)
            #expect(counts.reduce(0, +) == 300)
        }
        live.endpoint(2).ejectedUntil.value = 0
        let later = Self.start + Balancer.refreshPause
        #expect(Self.counts(balancer, live, 300, now: later, hash: hash)[1] > 0)
    }

    @Test("One goes while another comes: the other is found", arguments: algorithms)
    func takesTurnsAtBeingThere(algorithm: LoadBalancerPlan.Algorithm) {
        let memory = LiveMemory()
        let live = memory.worker()
        let balancer = Self.balancer(Self.candidates([0, 0, 0])) { $0.algorithm = algorithm }
        let gone = EndpointCell.Faults.failedChecks.rawValue
        live.endpoint(2).faults.value = gone
        live.endpoint(3).faults.value = gone
        #expect(Self.counts(balancer, live, 10) { UInt64($0) } == [10, 0, 0])
        live.endpoint(1).faults.value = gone
        live.endpoint(2).faults.value = 0
        #expect(Self.counts(balancer, live, 10) { UInt64($0) } == [0, 10, 0])
    }

    @Test("When none is usable there is none, unless a panic threshold is set", arguments: algorithms)
    func panics(algorithm: LoadBalancerPlan.Algorithm) {
        let memory = LiveMemory()
        let live = memory.worker()
        for slot in 1...4 { live.endpoint(UInt32(slot)).faults.value = EndpointCell.Faults.failedChecks.rawValue }
        let strict = Self.balancer(Self.candidates([0, 0, 0, 0])) { $0.algorithm = algorithm }
        #expect(Self.counts(strict, live, 10) { UInt64($0) } == [0, 0, 0, 0])
        let panicking = Self.balancer(Self.candidates([0, 0, 0, 0])) {
            $0.algorithm = algorithm
            $0.panicThreshold = 50
        }
        #expect(Self.counts(panicking, live, 10) { UInt64($0) }.reduce(0, +) == 10)
        #expect(panicking.isPanicking)
        for slot in 1...2 { live.endpoint(UInt32(slot)).faults.value = 0 }
        let later = Self.start + Balancer.refreshPause
        let counts = Self.counts(panicking, live, 40, now: later) { HashMix.mix(UInt64($0)) }
        #expect(counts[2] + counts[3] == 0, "half of them are enough")
    }

    @Test("Another attempt prefers endpoints that have not been tried", arguments: algorithms, [2, 3, 8])
    func prefersUntried(algorithm: LoadBalancerPlan.Algorithm, count: Int) {
        let memory = LiveMemory()
        let candidates = Self.candidates(Array(repeating: 0, count: count))
        let balancer = Self.balancer(candidates) { $0.algorithm = algorithm }
        var tried = TriedEndpoints()
        tried.add(candidates[0].key)
        let counts = Self.counts(balancer, memory.worker(), 200, tried: tried) { HashMix.mix(UInt64($0)) }
        #expect(counts[0] == 0)
        #expect(counts.reduce(0, +) == 200)
        for each in candidates { tried.add(each.key) }
        let again = Self.counts(balancer, memory.worker(), 200, tried: tried) { HashMix.mix(UInt64($0)) }
        #expect(again.reduce(0, +) == 200, "when all were tried, one of them serves again")
    }

    @Test("LeastRequest counts the requests of all workers", arguments: [2, 3, 10])
    func leastRequest(count: Int) {
        let memory = LiveMemory(workers: 3)
        let balancer = Self.balancer(Self.candidates(Array(repeating: 0, count: count)))
        // At another worker's.
        for _ in 0..<10 { memory.worker(2).requestBegan(1) }
        let counts = Self.counts(balancer, memory.worker(0), 1000)
        // Of ten, the busy one is drawn twice in a hundred pairs only.
        #expect(counts[0] <= 20, "\(counts)")
    }

    @Test("A slow endpoint keeps as many requests under way as the others, so it gets few")
    func slowEndpoint() {
        let memory = LiveMemory(workers: 2)
        let live = memory.worker()
        let balancer = Self.balancer(Self.candidates([0, 0, 0]))
        var random = SeededRandom(seed: 3)
        var ends: [(at: Int, slot: UInt32)] = []
        var counts = [0, 0, 0]
        // Twenty clients, a millisecond a step: one endpoint takes 200, the others one.
        for step in 0..<5000 {
            ends.removeAll {
                if $0.at <= step { live.requestEnded($0.slot) }
                return $0.at <= step
            }
            while ends.count < 20 {
                let found = balancer.choose(
                    live, now: Self.start + .milliseconds(Int64(step)), hash: nil, tried: .init(), using: &random)
                guard let found else { break }
                counts[found] += 1
                live.requestBegan(UInt32(found + 1))
                ends.append((step + (found == 0 ? 200 : 1), UInt32(found + 1)))
            }
        }
        #expect(counts[0] * 20 < counts.reduce(0, +), "\(counts)")
    }

    @Test("PeakEWMA leaves a slow endpoint alone, and tries it again when its latency is long ago")
    func peakEWMA() {
        let memory = LiveMemory()
        let live = memory.worker()
        let balancer = Self.balancer(Self.candidates([0, 0, 0])) { $0.algorithm = .peakEWMA }
        for slot in 1...3 {
            LatencyAverage.add(.milliseconds(slot == 1 ? 200 : 2), to: live.endpoint(UInt32(slot)), now: Self.start)
        }
        #expect(Self.counts(balancer, live, 1000)[0] == 0)
        // The others are asked all the time.
        let later = Self.start + .seconds(60)
        for slot in 2...3 { LatencyAverage.add(.milliseconds(2), to: live.endpoint(UInt32(slot)), now: later) }
        #expect(Self.counts(balancer, live, 1000, now: later)[0] == 1000)
        LatencyAverage.add(.milliseconds(200), to: live.endpoint(1), now: later)
        #expect(Self.counts(balancer, live, 1000, now: later)[0] == 0)
    }

    @Test("Endpoints with weights get their shares", arguments: weighing)
    func weights(algorithm: LoadBalancerPlan.Algorithm) {
        let memory = LiveMemory()
        let balancer = Self.balancer(Self.candidates([0, 0, 0], weights: [1, 2, 5])) { $0.algorithm = algorithm }
        let counts = Self.counts(balancer, memory.worker(), 16_000) { HashMix.mix(UInt64($0)) }
        for (count, share) in zip(counts, [2000, 4000, 10_000]) {
            #expect(abs(count - share) < share / 8, "\(counts)")
        }
    }

    @Test(
        "Slow start: an endpoint's share grows with its age, from a tenth", arguments: weighing.prefix(2),
        [(5, 100), (50, 500), (99, 990), (200, 1000)])
    func slowStart(algorithm: LoadBalancerPlan.Algorithm, age: (seconds: Int, share: Int)) {
        let memory = LiveMemory()
        let live = memory.worker()
        let balancer = Self.balancer(Self.candidates([0, 0])) {
            $0.algorithm = algorithm
            $0.slowStart = .seconds(100)
        }
        live.endpoint(1).usableSince.value = UInt64(Self.start.nanoseconds - Int64(age.seconds) * 1_000_000_000)
        let counts = Self.counts(balancer, live, 20_000)
        let expected = 20_000 * age.share / (1000 + age.share)
        #expect(abs(counts[0] - expected) < expected / 10 + 60, "\(counts), \(expected)")
    }

    // MARK: zones

    private static func local(
        _ zones: [UInt32], own: UInt32 = 1, _ change: (inout PreferLocalPlan) -> Void = { _ in }
    ) -> Balancer {
        var plan = PreferLocalPlan()
        change(&plan)
        return balancer(candidates(zones)) { $0.zones = .preferLocal(plan, own: own) }
    }

    @Test("preferLocal keeps requests in the own zone as far as that has its part of the endpoints")
    func preferLocal() {
        let live = LiveMemory().worker()
        let even = Self.counts(Self.local([1, 1, 2, 2, 3, 3]), live, 600)
        #expect(even[2...].reduce(0, +) == 0, "a third of the endpoints for a third of the gateways: \(even)")
        // One of six: it takes a half of what this zone's gateways send; the rest goes where there is more room.
        let scarce = Self.counts(Self.local([1, 2, 2, 3, 3, 3]), live, 6000)
        #expect(abs(scarce[0] - 3000) < 300, "\(scarce)")
        #expect(scarce[1] + scarce[2] == 0, "two of six are their own zone's part: \(scarce)")
    }

    @Test(
        "preferLocal does nothing below its threshold, without endpoints here, or where no zone was told",
        arguments: [
            ([1, 2, 3], 1), ([2, 2, 2, 3, 3, 3], 1), ([1, 1, 2, 2, 3, 3], 0), ([1, 1, 1, 1, 1, 1], 1),
        ] as [([UInt32], UInt32)])
    func preferLocalNot(zones: [UInt32], own: UInt32) {
        let counts = Self.counts(Self.local(zones, own: own), LiveMemory().worker(), 6000)
        for each in counts { #expect(abs(each - 6000 / zones.count) < 400, "\(counts)") }
    }

    @Test("preferLocal with force keeps everything here while enough endpoints of the zone are usable")
    func force() {
        let live = LiveMemory().worker()
        let balancer = Self.local([1, 1, 2, 2, 2, 2, 2, 2]) { $0.forceMinimum = 2 }
        #expect(Self.counts(balancer, live, 600)[2...].reduce(0, +) == 0)
        live.endpoint(1).ejectedUntil.value = 1
        let counts = Self.counts(balancer, live, 600, now: Self.start + .seconds(1))
        #expect(counts[0] == 0)
        #expect(counts[2...].reduce(0, +) > 300, "one is not enough: \(counts)")
    }

    @Test("preferLocal for a part of the requests")
    func percentage() {
        let balancer = Self.local([1, 2, 2, 2, 2, 2]) {
            $0.percentage = 40
            $0.forceMinimum = 1
        }
        let counts = Self.counts(balancer, LiveMemory().worker(), 6000)
        #expect(abs(counts[0] - (2400 + 600)) < 300, "\(counts)")
    }

    @Test(
        "weightedZones share requests out by zone, whatever the number of endpoints; a zone not listed weighs 1",
        arguments: weighing)
    func weightedZones(algorithm: LoadBalancerPlan.Algorithm) {
        let live = LiveMemory().worker()
        let balancer = Self.balancer(Self.candidates([1, 2, 2, 3])) {
            $0.algorithm = algorithm
            $0.zones = .weighted([.init(zone: 1, weight: 3), .init(zone: 2, weight: 4)])
        }
        let counts = Self.counts(balancer, live, 8000) { HashMix.mix(UInt64($0)) }
        #expect(abs(counts[0] - 3000) < 300, "\(counts)")
        #expect(abs(counts[1] + counts[2] - 4000) < 300, "\(counts)")
        #expect(abs(counts[3] - 1000) < 200, "\(counts)")
    }

    @Test("A weighted zone loses of its share what it cannot serve, past the overprovisioning factor")
    func weightedZonesByHealth() {
        let zones = [
            ZoneShares.Zone(number: 1, total: 10, usable: 10), ZoneShares.Zone(number: 2, total: 10, usable: 8),
            ZoneShares.Zone(number: 3, total: 10, usable: 0),
        ]
        #expect(ZoneShares.weighted(zones) { _ in 1 } == [0.5, 0.5, 0])
        #expect(ZoneShares.weighted([zones[2]]) { _ in 1 } == nil)
        let half = [zones[0], ZoneShares.Zone(number: 2, total: 10, usable: 5)]
        let shares = ZoneShares.weighted(half) { _ in 1 } ?? []
        #expect(abs(shares[1] - 0.7 / 1.7) < 1e-9)
    }

    @Test(
        "fallback: the second priority gets what the first cannot take",
        arguments: [
            (10, 10, 2, 2, 100), (8, 10, 2, 2, 100), (5, 10, 2, 2, 70), (1, 10, 2, 2, 14), (0, 10, 2, 2, 0),
            (0, 10, 0, 2, 100), (5, 10, 0, 2, 100), (2, 10, 1, 10, 66), (0, 0, 1, 1, 0),
        ])
    func priorities(usable: Int, total: Int, fallbackUsable: Int, fallbackTotal: Int, expected: Int) {
        #expect(
            PriorityShares.first(usable: usable, of: total, fallbackUsable: fallbackUsable, of: fallbackTotal)
                == expected)
    }
}
