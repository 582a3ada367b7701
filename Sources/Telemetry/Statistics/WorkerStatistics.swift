import Core

/// A worker's own pages of the shared statistics. It is their only writer, so a count is one plain addition to memory: an
/// aligned word is read whole by the controller, old or new, never torn (on every 64-bit machine we run on), and no other
/// writer can be lost. An atomic addition would cost ten times as much for nothing.
public struct WorkerStatistics: @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<UInt64>
    private let routes: UnsafeMutablePointer<UInt64>
    private let endpoints: UnsafeMutablePointer<UInt64>
    private let denials: DenialTable

    /// - Parameters:
    ///   - base: the mapped block, of at least ``StatisticsRegion/size(workers:)`` octets.
    ///   - worker: from 0.
    public init(base: UnsafeMutableRawPointer, worker: Int) {
        precondition(worker >= 0 && worker < StatisticsLayout.workerLimit, "no such worker")
        func words(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
            (base + offset).assumingMemoryBound(to: UInt64.self)
        }
        self.words = words(StatisticsLayout.workerOffset(worker))
        routes = words(StatisticsLayout.slotsOffset(.route, worker: worker))
        endpoints = words(StatisticsLayout.slotsOffset(.endpoint, worker: worker))
        denials = DenialTable(base: base + StatisticsLayout.denialsOffset(worker))
    }

    /// To be called once when a worker's process begins: levels start at zero, sums go on where the one before stopped.
    public func begin() {
        for counter in Counter.allCases where counter.isLevel { words[counter.rawValue] = 0 }
    }

    @inlinable public func increment(_ counter: Counter, by amount: UInt64 = 1) { words[counter.rawValue] &+= amount }

    /// For levels.
    @inlinable public func decrement(_ counter: Counter, by amount: UInt64 = 1) { words[counter.rawValue] &-= amount }
    @inlinable public func set(_ counter: Counter, _ value: UInt64) { words[counter.rawValue] = value }

    /// One request of a downstream has ended.
    /// - Parameters:
    ///   - status: 0 when there was no response.
    ///   - route: the route's slot; 0 when no route matched.
    public func requestEnded(
        status: UInt16, reason: ReasonCode, duration: TimeAmount, received: UInt64, sent: UInt64, route: UInt32
    ) {
        let statusClass = min(Int(status) / 100, StatisticsLayout.statusClasses - 1)
        words[StatisticsLayout.firstStatusClass + statusClass] &+= 1
        words[StatisticsLayout.firstReason + Int(reason.rawValue)] &+= 1
        let nanoseconds = UInt64(max(0, duration.nanoseconds))
        words[StatisticsLayout.durationSum] &+= nanoseconds
        words[StatisticsLayout.firstDurationBucket + DurationHistogram.bucket(duration)] &+= 1
        words[Counter.requestBodyBytes.rawValue] &+= received
        words[Counter.responseBodyBytes.rawValue] &+= sent
        count(in: slot(routes, route), statusClass, nanoseconds, duration, received, sent)
    }

    /// A call to a host outside of a group was denied (`sluice.dev/egress`).
    /// - Parameters:
    ///   - caller: `namespace/name`, or an address.
    ///   - now: of the wall clock, nanoseconds since 1970.
    /// - Returns: whether `quiet` has passed since the last time that this was true of host and caller.
    public func denied(host: ByteView, caller: ByteView, now: Int64, quiet: TimeAmount) -> Bool {
        denials.note(host: host, caller: caller, now: now, quiet: quiet)
    }

    /// A connection that was relayed below HTTP has ended.
    public func relayEnded(reason: ReasonCode) { words[StatisticsLayout.firstRelayReason + Int(reason.rawValue)] &+= 1 }

    /// Octets that a relay or a datagram session passed on in all; those of the worker are counted as they pass.
    /// - Parameters:
    ///   - route: the route's slot; 0 when there is none.
    ///   - endpoint: the endpoint's slot.
    public func relayed(received: UInt64, sent: UInt64, route: UInt32, endpoint: UInt32) {
        slot(routes, route)[SlotCounters.requestBytes] &+= received
        slot(routes, route)[SlotCounters.responseBytes] &+= sent
        slot(endpoints, endpoint)[SlotCounters.requestBytes] &+= received
        slot(endpoints, endpoint)[SlotCounters.responseBytes] &+= sent
    }

    /// One attempt at an endpoint has ended.
    /// - Parameter status: 0 when there was no response head.
    public func upstreamRequestEnded(
        status: UInt16, duration: TimeAmount, sent: UInt64, received: UInt64, endpoint: UInt32
    ) {
        let statusClass = min(Int(status) / 100, StatisticsLayout.statusClasses - 1)
        count(
            in: slot(endpoints, endpoint), statusClass, UInt64(max(0, duration.nanoseconds)), duration, sent, received)
    }

    /// A connection to an endpoint was made.
    public func upstreamConnected(endpoint: UInt32) {
        words[Counter.upstreamConnections.rawValue] &+= 1
        slot(endpoints, endpoint)[SlotCounters.connections] &+= 1
    }

    /// A connection to an endpoint could not be made; a timeout is counted in ``Counter/upstreamConnectTimeouts`` too.
    public func upstreamConnectFailed(endpoint: UInt32) {
        words[Counter.upstreamConnectFailures.rawValue] &+= 1
        slot(endpoints, endpoint)[SlotCounters.connectFailures] &+= 1
    }

    @inline(__always)
    private func slot(_ slots: UnsafeMutablePointer<UInt64>, _ index: UInt32) -> UnsafeMutablePointer<UInt64> {
        // The controller gave the number; one out of bounds would be its broken invariant.
        precondition(index < UInt32(StatisticsLayout.slotLimit), "no such slot")
        return slots + Int(index) * SlotCounters.words
    }

    @inline(__always)
    private func count(
        in slot: UnsafeMutablePointer<UInt64>, _ statusClass: Int, _ nanoseconds: UInt64, _ duration: TimeAmount,
        _ received: UInt64, _ sent: UInt64
    ) {
        slot[SlotCounters.classes + max(0, statusClass - 1)] &+= 1
        slot[SlotCounters.durationSum] &+= nanoseconds
        slot[SlotCounters.firstBucket + SlotCounters.bucket(duration)] &+= 1
        slot[SlotCounters.requestBytes] &+= received
        slot[SlotCounters.responseBytes] &+= sent
    }
}
