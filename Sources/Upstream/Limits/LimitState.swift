import Core

/// The part of the live state that limits count in: buckets of rate limits, bandwidth, success rates, adaptive concurrency.
/// Each is found by a key, a hash of its identity, so that it survives reloads and crashes.
public struct LimitState: @unchecked Sendable {
    /// Rules of rate limits, with the route that each counts for, that have a bucket at once.
    public static let ruleLimit = 4096
    /// Buckets of distinct values of clients, of all rules together.
    public static let valueLimit = 65_536
    /// Rules of routes with a bandwidth limit, with admission control, and with adaptive concurrency.
    public static let bandwidthLimit = 2048
    public static let admissionLimit = 1024
    public static let concurrencyLimit = 512

    private static let headerSize = 64

    private let base: UnsafeMutableRawPointer
    private let worker: Int
    private let rules: KeyedTable
    private let values: KeyedTable
    private let bandwidths: KeyedTable
    private let admissions: KeyedTable
    private let concurrencies: KeyedTable
    private let workers: Int

    private static func layouts(_ workers: Int) -> [(sets: Int, words: Int)] {
        [
            (ruleLimit / KeyedTable.ways, 1 + Outcome.allCases.count), (valueLimit / KeyedTable.ways, 1),
            (bandwidthLimit / KeyedTable.ways, 2),
            (admissionLimit / KeyedTable.ways, SuccessWindow.words),
            (concurrencyLimit / KeyedTable.ways, Gradient.words + workers),
        ]
    }

    /// Octets for so many workers.
    public static func size(workers: Int) -> Int {
        layouts(workers).reduce(headerSize) { $0 + KeyedTable.size(sets: $1.sets, words: $1.words) }
    }

    init(base: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        self.base = base
        self.worker = worker
        self.workers = workers
        var at = base + Self.headerSize
        let tables = Self.layouts(workers).map { layout in
            defer { at += KeyedTable.size(sets: layout.sets, words: layout.words) }
            return KeyedTable(base: at, sets: layout.sets, words: layout.words)
        }
        rules = tables[0]
        values = tables[1]
        bandwidths = tables[2]
        admissions = tables[3]
        concurrencies = tables[4]
    }

    /// Nothing of a worker's predecessor is in flight.
    func begin() {
        concurrencies.forEachPlace { Gradient(place: $0, workers: workers, worker: worker).forget() }
    }

    /// Gives the family its secret, unless it has one: under it distinct values are told apart.
    public func seed(_ first: UInt64, _ second: UInt64) {
        _ = SharedWord(base).replace(0, by: first | 1)
        _ = SharedWord(base + 8).replace(0, by: second | 1)
    }

    /// What is known of `octets` in the matter of `identity` is known under this; nobody outside can choose it.
    public func key(_ identity: UInt64, of octets: ByteView) -> UInt64 {
        KeyedHash(SharedWord(base).value, SharedWord(base + 8).value)(identity, octets)
    }

    // MARK: rate limits

    /// The bucket of a rule, or of one of its distinct values.
    public struct Bucket: BitwiseCopyable, Sendable {
        fileprivate let key: UInt64
        fileprivate let isOfValue: Bool
    }

    public func bucket(_ identity: UInt64) -> Bucket { Bucket(key: identity, isOfValue: false) }

    public func bucket(_ identity: UInt64, of values: ByteView) -> Bucket {
        Bucket(key: key(identity, of: values), isOfValue: true)
    }

    private func word(_ bucket: Bucket, _ now: Instant) -> SharedWord {
        SharedWord((bucket.isOfValue ? values : rules).place(of: bucket.key, now: now))
    }

    /// Takes `cost` of a limit, all or nothing; see ``RateWindow/take(_:of:unit:now:)``.
    public func take(
        _ cost: UInt32, from bucket: Bucket, limit: UInt32, unit: TimeAmount, now: Instant
    ) -> RateWindow.Verdict {
        let word = word(bucket, now)
        var known = word.value
        while true {
            var window = RateWindow(word: known)
            let verdict = window.take(cost, of: limit, unit: unit, now: now)
            if window.word == known { return verdict }
            let result = word.replace(known, by: window.word)
            if result.isDone { return verdict }
            known = result.was
        }
    }

    /// Counts what a response has cost.
    public func charge(_ cost: UInt32, to bucket: Bucket, unit: TimeAmount, now: Instant) {
        let word = word(bucket, now)
        var known = word.value
        while true {
            var window = RateWindow(word: known)
            window.charge(cost, unit: unit, now: now)
            let result = word.replace(known, by: window.word)
            if result.isDone { return }
            known = result.was
        }
    }

    // MARK: what became of requests

    /// What a rule of a rate limit said of a request.
    public enum Outcome: Int, CaseIterable, Sendable { case allowed, limited, shadowed }

    /// Counts for the metrics.
    public func count(_ outcome: Outcome, _ identity: UInt64, now: Instant) {
        SharedWord(rules.place(of: identity, now: now) + (1 + outcome.rawValue) * 8).add(1)
    }

    /// How often the rule said so; 0 for one that was never asked.
    public func count(of outcome: Outcome, _ identity: UInt64) -> UInt64 {
        guard let place = rules.find(identity) else { return 0 }
        return SharedWord(place + (1 + outcome.rawValue) * 8).value
    }

    // MARK: the others

    /// - Parameter identity: of route and rule; likewise of the others.
    public func requestBandwidth(_ identity: UInt64, now: Instant) -> BandwidthBucket {
        BandwidthBucket(bandwidths.place(of: identity, now: now))
    }

    public func responseBandwidth(_ identity: UInt64, now: Instant) -> BandwidthBucket {
        BandwidthBucket(bandwidths.place(of: identity, now: now) + 8)
    }

    public func successes(_ identity: UInt64, now: Instant) -> SuccessWindow {
        SuccessWindow(admissions.place(of: identity, now: now))
    }

    public func gradient(_ identity: UInt64, now: Instant) -> Gradient {
        Gradient(place: concurrencies.place(of: identity, now: now), workers: workers, worker: worker)
    }
}
