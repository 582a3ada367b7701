import Core

/// Sums over all workers, on demand. For the controller.
public struct StatisticsReader {
    private let base: UnsafeRawPointer
    public let workers: Int

    public init(base: UnsafeRawPointer, workers: Int) {
        self.base = base
        self.workers = workers
    }

    private func page(_ worker: Int) -> UnsafePointer<UInt64> {
        (base + StatisticsLayout.workerOffset(worker)).assumingMemoryBound(to: UInt64.self)
    }

    private func sum(_ word: Int) -> UInt64 { (0..<workers).reduce(0) { $0 &+ page($1)[word] } }

    public func total(_ counter: Counter) -> UInt64 { sum(counter.rawValue) }
    public func value(_ counter: Counter, worker: Int) -> UInt64 { page(worker)[counter.rawValue] }
    public func requests(_ reason: ReasonCode) -> UInt64 { sum(StatisticsLayout.firstReason + Int(reason.rawValue)) }
    public func relays(_ reason: ReasonCode) -> UInt64 { sum(StatisticsLayout.firstRelayReason + Int(reason.rawValue)) }
    /// - Parameter statusClass: 0: no response; 1 to 5.
    public func requests(statusClass: Int) -> UInt64 { sum(StatisticsLayout.firstStatusClass + statusClass) }
    public var requests: UInt64 { (0..<StatisticsLayout.statusClasses).reduce(0) { $0 &+ requests(statusClass: $1) } }

    /// Not cumulative, one count a bucket.
    public var durationBuckets: [UInt64] {
        (0..<DurationHistogram.bucketCount).map { sum(StatisticsLayout.firstDurationBucket + $0) }
    }
    public var durationSum: TimeAmount { .nanoseconds(Int64(clamping: sum(StatisticsLayout.durationSum))) }

    /// Calls to hosts outside of a group that were denied, by host and caller, in the order of their names.
    public var denials: [(host: String, caller: String, count: UInt64)] {
        var sums: [String: [String: UInt64]] = [:]
        for worker in 0..<workers {
            let start = UnsafeMutableRawPointer(mutating: base + StatisticsLayout.denialsOffset(worker))
            for entry in DenialTable(base: start).entries {
                sums[entry.host, default: [:]][entry.caller, default: 0] &+= entry.count
            }
        }
        return sums.sorted { $0.key < $1.key }.flatMap { host, callers in
            callers.sorted { $0.key < $1.key }.map { (host, $0.key, $0.value) }
        }
    }

    /// What was counted for one route or endpoint.
    public struct Slot: Equatable, Sendable {
        /// No response, 2xx, 3xx, 4xx, 5xx.
        public var classes: [UInt64]
        public var durationSum: TimeAmount
        /// Not cumulative; bounds are ``SlotCounters/bounds``.
        public var buckets: [UInt64]
        public var requestBytes: UInt64
        public var responseBytes: UInt64
        public var connections: UInt64
        public var connectFailures: UInt64

        public var requests: UInt64 { classes.reduce(0, &+) }
        /// Mean duration; nil when nothing was counted.
        public var mean: TimeAmount? {
            requests == 0 ? nil : .nanoseconds(durationSum.nanoseconds / Int64(clamping: requests))
        }
    }

    public func slot(_ kind: SlotKind, _ index: UInt32) -> Slot {
        precondition(index < UInt32(StatisticsLayout.slotLimit), "no such slot")
        var words = [UInt64](repeating: 0, count: SlotCounters.words)
        for worker in 0..<workers {
            let start = base + StatisticsLayout.slotsOffset(kind, worker: worker) + Int(index) * SlotCounters.size
            let counters = start.assumingMemoryBound(to: UInt64.self)
            for word in words.indices { words[word] &+= counters[word] }
        }
        let firstBucket = SlotCounters.firstBucket
        return Slot(
            classes: Array(words[SlotCounters.classes..<(SlotCounters.classes + SlotCounters.classCount)]),
            durationSum: .nanoseconds(Int64(clamping: words[SlotCounters.durationSum])),
            buckets: Array(words[firstBucket..<(firstBucket + SlotCounters.bucketCount)]),
            requestBytes: words[SlotCounters.requestBytes], responseBytes: words[SlotCounters.responseBytes],
            connections: words[SlotCounters.connections], connectFailures: words[SlotCounters.connectFailures])
    }
}
