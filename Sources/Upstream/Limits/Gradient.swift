import Config
import Core

/// Adaptive concurrency of one rule: a limit on requests in flight that follows how round trips compare with the ideal one,
/// as Envoy's gradient controller does, in words that all workers share.
///
///     measuring (limit = minConcurrency) ─ enough samples ─▶ following ─ minRTTInterval, or five times at the least ─▶ measuring
///
/// Whoever finds that something is due wins it by one exchange of a word and does it. One who dies in the middle leaves
/// a limit that the next update corrects.
public struct Gradient {
    /// Eight samples' buckets for each doubling, from 16 µs to 68 s.
    static let buckets = 22 * 8
    private static let firstBucket = 8
    /// Common words; those of the workers lie behind.
    static let words = firstBucket + buckets
    /// Updates in a row at the least limit, after which the ideal round trip is doubted.
    private static let doubtedAfter: UInt64 = 5

    private enum Word: Int { case limit, minRTT, nextUpdate, nextMeasuring, deferred, epoch, atLeast, samples }

    private let place: UnsafeMutableRawPointer
    private let workers: Int
    private let worker: Int

    init(place: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        self.place = place
        self.workers = workers
        self.worker = worker
    }

    private func word(_ word: Word) -> SharedWord { SharedWord(place + word.rawValue * 8) }
    private func bucket(_ index: Int) -> SharedWord { SharedWord(place + (Self.firstBucket + index) * 8) }
    private func own(_ worker: Int) -> SharedWord { SharedWord(place + (Self.words + worker) * 8) }

    /// What this worker's predecessor had in flight is gone.
    func forget() { own(worker).value = 0 }

    public var limit: UInt64 { word(.limit).value }
    /// Zero: not measured yet.
    public var minRTT: TimeAmount { .nanoseconds(Int64(clamping: word(.minRTT).value)) }
    public var inFlight: UInt64 { (0..<workers).reduce(0) { $0 + own($1).value } }
    private var isMeasuring: Bool { word(.deferred).value != 0 }

    // MARK: requests

    /// Lets a request pass, or not. One that passes is ended by ``ended(began:now:_:isSample:chance:)``, once.
    public func begin(now: Instant, _ plan: AdaptiveConcurrencyPlan) -> Bool {
        update(now: now, plan)
        own(worker).value += 1
        SharedWord.fence()
        // All count themselves first and look then: two that come at once may both be refused, never both be one too many.
        if inFlight <= limit { return true }
        own(worker).value -= 1
        return false
    }

    /// - Parameters:
    ///   - isSample: the round trip tells something: the endpoint answered.
    ///   - chance: any number, for the jitter.
    public func ended(
        began: Instant, now: Instant, _ plan: AdaptiveConcurrencyPlan, isSample: Bool, chance: UInt64
    ) {
        let own = own(worker)
        // Zero: this worker is another process than the one that began it.
        if own.value > 0 { own.value -= 1 }
        guard isSample, began.nanoseconds >= Int64(clamping: word(.epoch).value) else { return }
        bucket(Self.index(now - began)).add(1)
        let samples = word(.samples).add(1)
        if isMeasuring, samples >= UInt64(plan.minRTTRequests) { measured(now: now, plan, chance) }
    }

    // MARK: the limit

    private func update(now: Instant, _ plan: AdaptiveConcurrencyPlan) {
        let moment = UInt64(max(0, now.nanoseconds))
        if limit == 0 { return measure(moment, plan, deferring: UInt64(plan.minConcurrency)) }
        if isMeasuring { return }
        let due = word(.nextMeasuring).value
        if moment >= due {
            // A moment far ahead: nobody else begins the same measurement.
            guard word(.nextMeasuring).replace(due, by: .max).isDone else { return }
            return measure(moment, plan, deferring: limit)
        }
        let next = word(.nextUpdate).value
        guard moment >= next,
            word(.nextUpdate).replace(next, by: moment + UInt64(plan.updateInterval.nanoseconds)).isDone
        else { return }
        follow(plan)
    }

    private func measure(_ moment: UInt64, _ plan: AdaptiveConcurrencyPlan, deferring limit: UInt64) {
        clearSamples()
        // Requests that began under another limit say nothing of the ideal round trip.
        word(.epoch).value = moment
        word(.deferred).value = max(1, limit)
        word(.atLeast).value = 0
        word(.limit).value = UInt64(max(1, plan.minConcurrency))
    }

    private func measured(now: Instant, _ plan: AdaptiveConcurrencyPlan, _ chance: UInt64) {
        let deferred = word(.deferred).value
        let moment = UInt64(max(0, now.nanoseconds))
        guard deferred != 0 else { return }
        let jitter = UInt64(plan.minRTTInterval.nanoseconds) / 100 * UInt64(plan.jitter)
        let next = moment + UInt64(plan.minRTTInterval.nanoseconds) + (jitter > 0 ? chance % jitter : 0)
        word(.nextMeasuring).value = next
        word(.nextUpdate).value = moment + UInt64(plan.updateInterval.nanoseconds)
        guard word(.deferred).replace(deferred, by: 0).isDone else { return }
        if let sample = takeSample(plan.percentile) { word(.minRTT).value = sample }
        word(.limit).value = clamped(deferred, plan)
    }

    private func follow(_ plan: AdaptiveConcurrencyPlan) {
        guard let sample = takeSample(plan.percentile) else { return }
        let old = limit
        let next = Self.nextLimit(old, minRTT: word(.minRTT).value, sample: sample, plan)
        word(.limit).value = next
        let least = UInt64(max(1, plan.minConcurrency))
        guard old == least, next == least else {
            word(.atLeast).value = 0
            return
        }
        // The limit is where a measurement needs it; perhaps the ideal round trip has changed for good.
        if word(.atLeast).add(1) >= Self.doubtedAfter { word(.nextMeasuring).value = 0 }
    }

    private func clamped(_ limit: UInt64, _ plan: AdaptiveConcurrencyPlan) -> UInt64 {
        min(max(limit, UInt64(max(1, plan.minConcurrency))), UInt64(max(1, plan.maxConcurrency)))
    }

    /// `limit × gradient + √(limit × gradient)`, where the gradient is the ideal round trip with its buffer over the one
    /// that was sampled, from one half to two.
    static func nextLimit(_ old: UInt64, minRTT: UInt64, sample: UInt64, _ plan: AdaptiveConcurrencyPlan) -> UInt64 {
        let ideal = Double(minRTT) * (1 + Double(plan.buffer) / 100)
        let gradient = min(max(ideal / Double(max(1, sample)), 0.5), 2)
        let limit = Double(old) * gradient
        let next = UInt64(limit + limit.squareRoot())
        return min(max(next, UInt64(max(1, plan.minConcurrency))), UInt64(max(1, plan.maxConcurrency)))
    }

    // MARK: samples

    static func index(_ time: TimeAmount) -> Int {
        let value = UInt64(min(max(time.nanoseconds, 1 << 14), 0xF_FFFF_FFFF))
        let octave = 63 - value.leadingZeroBitCount
        return (octave - 14) * 8 + Int(value >> UInt64(octave - 3) & 7)
    }

    /// The lower end of a bucket.
    static func floor(_ index: Int) -> UInt64 { UInt64(8 + (index & 7)) << UInt64(index / 8 + 11) }

    private func clearSamples() {
        for index in 0..<Self.buckets where bucket(index).value != 0 { bucket(index).value = 0 }
        word(.samples).value = 0
    }

    /// The percentile of the samples, in nanoseconds, read between the ends of its bucket; nil: there are none.
    private func takeSample(_ percentile: UInt8) -> UInt64? {
        let total = (0..<Self.buckets).reduce(0) { $0 + bucket($1).value }
        defer { clearSamples() }
        guard total > 0 else { return nil }
        let rank = Double(total) * Double(percentile) / 100
        var before = 0.0
        for index in 0..<Self.buckets where bucket(index).value > 0 {
            let count = Double(bucket(index).value)
            if before + count >= rank {
                let part = max(0, min(1, (rank - before) / count))
                let low = Double(Self.floor(index))
                return UInt64(low + (Double(Self.floor(index + 1)) - low) * part)
            }
            before += count
        }
        return nil
    }
}
