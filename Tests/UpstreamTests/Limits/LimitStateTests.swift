import Config
import Core
import Testing

@testable import Upstream

/// Shared memory of a test, with the view that each worker has of it.
private final class TestLimits {
    private let memory: UnsafeMutableRawPointer
    let workers: [LimitState]

    init(workers: Int = 2) {
        let size = LimitState.size(workers: workers)
        memory = .allocate(byteCount: size, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let memory = memory
        self.workers = (0..<workers).map { LimitState(base: memory, workers: workers, worker: $0) }
        self.workers[0].seed(7, 11)
    }

    deinit { memory.deallocate() }
}

private let begin = Instant(nanoseconds: 5_000_000_000_000)

@Suite("Buckets in shared memory") struct LimitStateTests {
    private static let hour = TimeAmount.seconds(3600)

    private func take(_ state: LimitState, _ bucket: LimitState.Bucket, limit: UInt32 = 3, now: Instant = begin) -> Bool
    {
        state.take(1, from: bucket, limit: limit, unit: Self.hour, now: now).isAllowed
    }

    @Test func allWorkersTakeFromOneBucket() {
        let limits = TestLimits()
        let verdicts = (0..<5).map { take(limits.workers[$0 % 2], limits.workers[$0 % 2].bucket(77)) }
        #expect(verdicts == [true, true, true, false, false])
        // A worker that starts anew finds the bucket as it was.
        limits.workers[1].begin()
        #expect(!take(limits.workers[1], limits.workers[1].bucket(77)))
        #expect(take(limits.workers[1], limits.workers[1].bucket(78)))
    }

    @Test func aSecretOnceGivenStays() {
        let limits = TestLimits()
        let bucket = "ann".withView { limits.workers[0].bucket(1, of: $0) }
        for _ in 0..<3 { #expect(take(limits.workers[0], bucket)) }
        limits.workers[1].seed(1000, 2000)
        let again = "ann".withView { limits.workers[1].bucket(1, of: $0) }
        #expect(!take(limits.workers[1], again))
    }

    @Test func eachValueHasABucketOfItsOwn() {
        let limits = TestLimits()
        let state = limits.workers[0]
        for value in ["", "ann", "bob", "ann bob"] {
            for rule in 1...2 as ClosedRange<UInt64> {
                let bucket = value.withView { state.bucket(rule, of: $0) }
                #expect((0..<4).map { _ in take(state, bucket) } == [true, true, true, false], "\(value) \(rule)")
            }
        }
    }

    @Test func aFloodOfValuesNeverTouchesTheRules() {
        let limits = TestLimits()
        let state = limits.workers[0]
        for _ in 0..<3 { #expect(take(state, state.bucket(5))) }
        // Twice as many as there is room for.
        for number in 0..<(2 * LimitState.valueLimit) {
            #expect(
                take(state, "\(number)".withView { state.bucket(6, of: $0) }, now: begin + .milliseconds(Int64(number)))
            )
        }
        #expect(!take(state, state.bucket(5)))
    }

    @Test func whoIsAskedOftenKeepsItsBucketInAFlood() {
        let limits = TestLimits()
        let state = limits.workers[0]
        let kept = "kept".withView { state.bucket(6, of: $0) }
        for _ in 0..<3 { #expect(take(state, kept)) }
        for number in 0..<(2 * LimitState.valueLimit) {
            let now = begin + .milliseconds(Int64(number))
            _ = take(state, "\(number)".withView { state.bucket(6, of: $0) }, now: now)
            if number % 1000 == 0 { #expect(!take(state, kept, now: now), "at \(number)") }
        }
    }

    @Test func outcomesAreCountedByRule() {
        let limits = TestLimits()
        limits.workers[0].count(.allowed, 9, now: begin)
        limits.workers[1].count(.allowed, 9, now: begin)
        limits.workers[1].count(.limited, 9, now: begin)
        #expect(limits.workers[0].count(of: .allowed, 9) == 2)
        #expect(limits.workers[0].count(of: .limited, 9) == 1)
        #expect(limits.workers[0].count(of: .shadowed, 9) == 0)
        #expect(limits.workers[0].count(of: .allowed, 10) == 0)
    }

    @Test func hashesTellLengthsApart() {
        let hash = KeyedHash(1, 2)
        var seen: Set<UInt64> = []
        for length in 0..<64 {
            #expect(seen.insert([UInt8](repeating: 0, count: length).withView { hash(3, $0) }).inserted, "\(length)")
        }
        #expect("a".withView { KeyedHash(1, 3)(3, $0) } != "a".withView { hash(3, $0) })
    }
}

@Suite("Bandwidth") struct BandwidthBucketTests {
    /// Moves a body as the exchange does, and tells how long it took.
    private func time(octets: Int, rate: UInt64, block: Int) -> TimeAmount {
        let limits = TestLimits(workers: 1)
        let bucket = limits.workers[0].requestBandwidth(3, now: begin)
        var now = begin
        var left = octets
        while left > 0 {
            switch bucket.allowance(rate: rate, now: now) {
            case .octets(let allowed):
                let moved = min(min(allowed, block), left)
                bucket.charge(moved, rate: rate, now: now)
                left -= moved
            case .wait(let moment):
                #expect(moment > now)
                now = moment
            }
        }
        return now - begin
    }

    @Test(
        "A second's worth passes at once, the rest at the rate",
        arguments: [
            (10_000_000, 1_000_000, 9000), (100_000, 1_000_000, 0), (60, 10, 5000), (5_000_000, 100_000, 49_000),
            (20_000_000_000, 8_000_000_000, 1500),
        ] as [(octets: Int, rate: UInt64, milliseconds: Int64)], [1_500, 65_536, 1 << 20])
    func pace(body: (octets: Int, rate: UInt64, milliseconds: Int64), block: Int) {
        let (octets, rate, milliseconds) = body
        guard octets / block < 1_000_000 else { return }
        let taken = time(octets: octets, rate: rate, block: block).milliseconds
        #expect(abs(taken - milliseconds) <= max(25, milliseconds / 50), "\(taken) ms")
    }

    @Test func theTwoDirectionsAreApart() {
        let limits = TestLimits(workers: 1)
        limits.workers[0].requestBandwidth(3, now: begin).charge(1_000_000, rate: 1000, now: begin)
        #expect(limits.workers[0].responseBandwidth(3, now: begin).allowance(rate: 1000, now: begin) == .octets(1000))
        guard case .wait = limits.workers[0].requestBandwidth(3, now: begin).allowance(rate: 1000, now: begin) else {
            Issue.record("what was used up is there")
            return
        }
    }
}

@Suite("BackendTrafficPolicy.admissionControl") struct AdmissionControlTests {
    @Test(
        "How many of 10,000 are refused",
        arguments: [
            // requests, successes, minSuccessRate, aggression, most, rejections
            (0, 0, 95, 1, 80, 0), (100, 100, 95, 1, 80, 0), (100, 95, 95, 1, 80, 0), (100, 50, 95, 1, 80, 4689),
            (100, 50, 95, 2, 100, 6848), (100, 0, 95, 1, 80, 8000), (100, 0, 95, 1, 100, 9900),
            (100, 90, 95, 1, 80, 521), (1, 0, 50, 1, 100, 5000),
        ] as [(UInt64, UInt64, UInt8, UInt32, UInt8, UInt32)])
    func formula(requests: UInt64, successes: UInt64, rate: UInt8, aggression: UInt32, most: UInt8, expected: UInt32) {
        var plan = AdmissionControlPlan()
        plan.minSuccessRate = rate
        plan.rejectionAggression = aggression
        plan.maxRejectionPercent = most
        #expect(abs(Int(plan.rejections(requests: requests, successes: successes)) - Int(expected)) <= 1)
    }

    @Test func fewRequestsAreLeftAlone() {
        var plan = AdmissionControlPlan()
        plan.minRequestRate = 10
        #expect(plan.rejections(requests: 299, successes: 0) == 0)
        #expect(plan.rejections(requests: 300, successes: 0) == 8000)
    }

    @Test func theWindowForgets() {
        let limits = TestLimits()
        let window = TimeAmount.seconds(30)
        let (one, other) = (limits.workers[0].successes(4, now: begin), limits.workers[1].successes(4, now: begin))
        for second in 0..<60 {
            let now = begin + .seconds(Int64(second))
            one.record(isSuccess: true, window: window, now: now)
            other.record(isSuccess: false, window: window, now: now)
            let counts = one.counts(window: window, now: now)
            #expect(counts.requests == counts.successes * 2)
            #expect(
                (min(second, 28) * 2...min(second + 1, 31) * 2).contains(Int(counts.requests)), "\(counts) at \(second)"
            )
        }
        #expect(one.counts(window: window, now: begin + .seconds(95)).requests == 0)
    }
}

@Suite("Adaptive concurrency") struct GradientTests {
    /// A service that answers `capacity` requests at once in `base`, and slower in proportion when there are more; driven
    /// by clients that always want more. Returns the limit at the end.
    private func settle(
        _ limits: TestLimits, _ plan: AdaptiveConcurrencyPlan, base: TimeAmount, capacity: Int, from start: Instant,
        seconds: Int64
    ) -> (limit: UInt64, now: Instant) {
        var now = start
        var underWay: [(began: Instant, ends: Instant, worker: Int)] = []
        var turn = 0
        while now < start + .seconds(seconds) {
            now = now + .milliseconds(1)
            for request in underWay where request.ends <= now {
                limits.workers[request.worker].gradient(8, now: now).ended(
                    began: request.began, now: now, plan, isSample: true, chance: UInt64(turn))
            }
            underWay.removeAll { $0.ends <= now }
            for _ in 0..<50 {
                turn += 1
                guard limits.workers[turn % 2].gradient(8, now: now).begin(now: now, plan) else { continue }
                let load = max(1, Double(underWay.count + 1) / Double(capacity))
                underWay.append(
                    (now, now + .nanoseconds(Int64(Double(base.nanoseconds) * load)), turn % 2))
            }
        }
        let limit = limits.workers[0].gradient(8, now: now).limit
        for request in underWay {
            limits.workers[request.worker].gradient(8, now: now).ended(
                began: request.began, now: now, plan, isSample: false, chance: 0)
        }
        #expect(limits.workers[0].gradient(8, now: now).inFlight == 0)
        return (limit, now)
    }

    @Test func theLimitFindsWhatTheServiceCarries() {
        let limits = TestLimits()
        let (limit, _) = settle(
            limits, AdaptiveConcurrencyPlan(), base: .milliseconds(20), capacity: 40, from: begin, seconds: 20)
        // The buffer of 25 % and the headroom of a square root let it stand somewhat above.
        #expect((30...90).contains(limit), "\(limit)")
        let ideal = limits.workers[0].gradient(8, now: begin).minRTT
        #expect((18...23).contains(ideal.milliseconds), "\(ideal)")
    }

    @Test func itFollowsAServiceThatSlowsDown() {
        let limits = TestLimits()
        let plan = AdaptiveConcurrencyPlan()
        let (before, now) = settle(limits, plan, base: .milliseconds(20), capacity: 60, from: begin, seconds: 15)
        let (after, _) = settle(limits, plan, base: .milliseconds(20), capacity: 10, from: now, seconds: 15)
        #expect(after < before / 2, "\(before) → \(after)")
    }

    @Test func untilItIsMeasuredTheLeastLimitHolds() {
        let limits = TestLimits()
        let plan = AdaptiveConcurrencyPlan()
        let verdicts = (0..<5).map { limits.workers[$0 % 2].gradient(8, now: begin).begin(now: begin, plan) }
        #expect(verdicts == [true, true, true, false, false])
        // What a worker had in flight goes with it.
        limits.workers[0].begin()
        #expect(limits.workers[1].gradient(8, now: begin).inFlight == 1)
        #expect(limits.workers[1].gradient(8, now: begin).begin(now: begin, plan))
    }

    @Test(
        "The new limit",
        arguments: [
            (100, 10, 10, 136), (100, 10, 40, 57), (100, 10, 12, 114), (3, 10, 1000, 3), (900, 10, 5, 1000),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func formula(old: UInt64, minRTT: UInt64, sample: UInt64, expected: UInt64) {
        #expect(Gradient.nextLimit(old, minRTT: minRTT, sample: sample, AdaptiveConcurrencyPlan()) == expected)
    }

    @Test func bucketsOfSamplesFollowEachOther() {
        #expect(Gradient.index(.zero) == 0)
        #expect(Gradient.index(.seconds(3600)) == Gradient.buckets - 1)
        for index in 0..<Gradient.buckets {
            let low = Gradient.floor(index)
            #expect(Gradient.index(.nanoseconds(Int64(low))) == index)
            #expect(Gradient.index(.nanoseconds(Int64(Gradient.floor(index + 1) - 1))) == index)
        }
    }
}
