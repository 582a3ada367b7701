import Core

/// What all processes know of one backendRef of a rule whose release watches itself.
///
/// The common part has one writer, the controller: the share in force, and what it needs to go on when it has died. A
/// worker's own part has that worker as its only writer: what it has counted since it began.
public struct BackendRefCell: @unchecked Sendable {
    public static let layout = LiveArea.Layout(slots: 8192, common: 4096, own: 512)

    private let area: LiveArea
    private let slot: UInt32

    public init(_ live: LiveState, _ slot: UInt32) {
        area = live.backendRefs
        self.slot = slot
    }

    // MARK: the share

    /// The canary's share in thousandths, for the release of this hash. Nil: nothing is known of it.
    public func share(specHash: UInt64) -> UInt32? {
        let word = SharedWord(area.common(slot)).value
        guard (word >> 16) == (specHash >> 16), word & 0x8000 != 0 else { return nil }
        return UInt32(word & 0x7FFF)
    }

    public func setShare(_ share: UInt32, specHash: UInt64) {
        SharedWord(area.common(slot)).value = (specHash & ~0xFFFF) | 0x8000 | UInt64(share)
    }

    // MARK: the state

    private static let stateSize = (MemoryLayout<RolloutState>.size + 7) & ~7
    private static let firstState = 64

    /// As it was last kept; nil: never.
    public var state: RolloutState? {
        let base = area.common(slot)
        let number = SharedWord(base + 8).acquire()
        guard number > 0 else { return nil }
        return (base + Self.firstState + Int(number - 1) * Self.stateSize).loadUnaligned(as: RolloutState.self)
    }

    /// Keeps a state: beside the last one, which counts until this one is whole. A controller that dies here leaves one of
    /// the two.
    public func keep(_ state: RolloutState) {
        precondition(Self.firstState + 2 * Self.stateSize <= Self.layout.common, "a state is larger than its place")
        let base = area.common(slot)
        let number: UInt64 = SharedWord(base + 8).value == 1 ? 2 : 1
        withUnsafeBytes(of: state) {
            (base + Self.firstState + Int(number - 1) * Self.stateSize).copyMemory(
                from: $0.baseAddress!, byteCount: $0.count)
        }
        SharedWord(base + 8).release(number)
    }

    /// The release is over and forgotten.
    public func forget() {
        SharedWord(area.common(slot)).value = 0
        SharedWord(area.common(slot) + 8).release(0)
    }

    // MARK: what is counted

    private static let requests = 0
    private static let failures = 1
    private static let firstBucket = 2

    private func words(_ worker: Int) -> UnsafeMutablePointer<UInt64> {
        area.own(slot, worker: worker).assumingMemoryBound(to: UInt64.self)
    }

    /// One request that ended. To be called by the worker alone.
    public func count(worker: Int, isFailure: Bool, latency: TimeAmount?) {
        let words = words(worker)
        words[Self.requests] &+= 1
        if isFailure { words[Self.failures] &+= 1 }
        if let latency { words[Self.firstBucket + LatencyBuckets.bucket(latency)] &+= 1 }
    }

    /// What one worker has counted since it began.
    public func tally(worker: Int) -> RolloutTally {
        let words = words(worker)
        var tally = RolloutTally()
        tally.requests = words[Self.requests]
        tally.failures = words[Self.failures]
        for bucket in 0..<LatencyBuckets.count { tally.latencies[bucket] = words[Self.firstBucket + bucket] }
        return tally
    }
}
