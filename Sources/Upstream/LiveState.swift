import Core

/// What all processes of the family know at this moment of endpoints, clusters, rules, backendRefs, listeners and members of groups, in shared
/// memory: health, requests in flight, breakers, budgets, limits. A slot belongs to an identity and is given by the
/// controller, so what is known outlives reloads and crashes.
///
/// A worker's own words have one writer, and a respawned worker clears them: what was in flight died with its predecessor.
/// All others are atomic.
///
/// An object, though it never changes: as a value it would be copied, all of its tables, at each question.
public final class LiveState: @unchecked Sendable {
    /// The tables, in the order in which they lie.
    public enum Kind: Int, CaseIterable, Sendable {
        case endpoint, cluster, rule, backendRef, listener, member

        public var layout: LiveArea.Layout {
            switch self {
            case .endpoint: EndpointCell.layout
            // Behind 256 common octets and 64 own ones: RetryBudget.
            case .cluster:
                LiveArea.Layout(slots: 8192, common: 256 + RetryBudget.commonSize, own: 64 + RetryBudget.ownSize)
            case .rule: LiveArea.Layout(slots: 8192, common: 256, own: 64)
            case .backendRef: BackendRefCell.layout
            case .listener: LiveArea.Layout(slots: 4096, common: 64, own: 64)
            case .member: MemberCell.layout
            }
        }
    }
    /// Endpoints that have a place of their own; as many as the shared statistics have.
    public static let endpointLimit = 32_768
    /// The first page: how many places of each kind are given away.
    private static let headerSize = 4096

    private let base: UnsafeMutableRawPointer
    /// Whose words are written through this value.
    public let worker: Int
    public let endpoints: LiveArea
    public let clusters: LiveArea
    public let rules: LiveArea
    public let backendRefs: LiveArea
    public let listeners: LiveArea
    public let members: LiveArea
    /// What limits count.
    public let limits: LimitState
    /// What calls of a trace carry on.
    public let carried: CarriedValues
    /// What flows of groups had to wait.
    public let flows: FlowCounts
    /// What authorization policies said.
    public let authorizations: AuthorizationCounts
    /// Connections by caller.
    public let callers: CallerConnections

    /// Octets for so many workers.
    public static func size(workers: Int) -> Int {
        offset(of: nil, workers: workers) + LimitState.size(workers: workers) + CarriedValues.size
            + FlowCounts.size(workers: workers) + AuthorizationCounts.size
            + CallerConnections.size(workers: workers)
    }

    private static func offset(of kind: Kind?, workers: Int) -> Int {
        var offset = headerSize
        for each in Kind.allCases {
            if each == kind { return offset }
            // With the identities of the slots before the table.
            offset += each.layout.slots * 8 + each.layout.size(workers: workers)
        }
        return offset
    }

    /// - Parameters:
    ///   - base: the mapped block, of at least `size(workers:)` octets.
    ///   - worker: whose words are written through this value.
    public init(base: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        precondition(worker >= 0 && worker < workers)
        func area(_ kind: Kind) -> LiveArea {
            let start = base + Self.offset(of: kind, workers: workers) + kind.layout.slots * 8
            return LiveArea(kind.layout, base: start, workers: workers)
        }
        self.base = base
        self.worker = worker
        endpoints = area(.endpoint)
        clusters = area(.cluster)
        rules = area(.rule)
        backendRefs = area(.backendRef)
        listeners = area(.listener)
        members = area(.member)
        let limitsBase = base + Self.offset(of: nil, workers: workers)
        limits = LimitState(base: limitsBase, workers: workers, worker: worker)
        let carriedBase = limitsBase + LimitState.size(workers: workers)
        carried = CarriedValues(base: carriedBase)
        let flowsBase = carriedBase + CarriedValues.size
        flows = FlowCounts(base: flowsBase, workers: workers, worker: worker)
        let authorizationsBase = flowsBase + FlowCounts.size(workers: workers)
        authorizations = AuthorizationCounts(base: authorizationsBase)
        callers = CallerConnections(
            base: authorizationsBase + AuthorizationCounts.size, workers: workers, worker: worker)
    }

    private func used(_ kind: Kind) -> UnsafeMutablePointer<UInt64> {
        base.assumingMemoryBound(to: UInt64.self) + kind.rawValue
    }

    /// Who has which place. The controller's alone.
    public func slots(_ kind: Kind) -> SlotTable {
        let identities = base + Self.offset(of: kind, workers: endpoints.workerCount)
        return SlotTable(
            used: used(kind), identities: identities.assumingMemoryBound(to: UInt64.self), limit: kind.layout.slots)
    }

    /// The endpoints' places are those of the statistics; how many there are is told here. The controller's alone.
    public func note(endpointsUsed: Int) { used(.endpoint).pointee = UInt64(endpointsUsed) }

    /// To be called when a worker's process begins: nothing of its predecessor is in flight.
    public func begin() {
        for kind in Kind.allCases {
            let area =
                switch kind {
                case .endpoint: endpoints
                case .cluster: clusters
                case .rule: rules
                case .backendRef: backendRefs
                case .listener: listeners
                case .member: members
                }
            area.clear(worker: worker, used: Int(clamping: used(kind).pointee))
        }
        limits.begin()
        callers.begin()
    }

    /// To be called when a worker's process has ended and none takes its place at once. What it worked on at its end stays, for
    /// its successor to find.
    public func end() {
        let mark = work.kept
        begin()
        work.kept = mark
    }

    /// A cluster's budget of retries.
    public func retryBudget(_ slot: UInt32) -> RetryBudget {
        RetryBudget(
            common: clusters.common(slot) + 256, rows: clusters.own(slot, worker: 0) + 64,
            stride: clusters.layout.own, workers: clusters.workerCount, worker: worker)
    }

    // MARK: the key of persistent sessions

    /// What tokens of sessions are signed with (``SessionToken``). The controller sets it before anything is published; as
    /// long as it has not, no token is accepted or given.
    public var sessionKey: SipHash.Key? {
        let (low, high) = (SharedWord(base + 1024).acquire(), SharedWord(base + 1032).value)
        return low == 0 ? nil : SipHash.Key(low: low, high: high)
    }

    public func setSessionKey(_ key: SipHash.Key) {
        precondition(key.low != 0, "no key")
        SharedWord(base + 1032).value = key.high
        SharedWord(base + 1024).release(key.low)
    }

    // MARK: requests in flight

    public func requestBegan(_ slot: UInt32) { inFlight(slot, worker).pointee &+= 1 }
    public func requestEnded(_ slot: UInt32) { inFlight(slot, worker).pointee &-= 1 }

    private func inFlight(_ slot: UInt32, _ worker: Int) -> UnsafeMutablePointer<UInt32> {
        endpoints.own(slot, worker: worker).assumingMemoryBound(to: UInt32.self)
    }

    /// Requests in flight at an endpoint, of all workers.
    public func inFlight(_ slot: UInt32) -> Int {
        // The workers' parts lie one after the other, two words each.
        let first = inFlight(slot, 0)
        var sum: UInt32 = 0
        for worker in 0..<endpoints.workerCount { sum &+= first[worker &* 2] }
        return Int(sum)
    }

    // MARK: connections

    /// Connections to an endpoint, for `perEndpoint.maxConnections`: taken and given back as ``ClusterCell``'s counts are.
    public func takeConnection(_ slot: UInt32, limit: UInt32) -> Bool {
        connections(slot).take(.requests, limit: limit)
    }
    public func connectionBegan(_ slot: UInt32) { connections(slot).add(.requests) }
    public func connectionEnded(_ slot: UInt32) { connections(slot).give(.requests) }
    /// Of all workers.
    public func connectionCount(_ slot: UInt32) -> Int { connections(slot).sum(.requests) }

    /// The second half of a worker's part.
    private func connections(_ slot: UInt32) -> ClusterCell {
        ClusterCell(
            base: endpoints.own(slot, worker: 0) + 4, stride: endpoints.layout.own, workers: endpoints.workerCount,
            worker: worker)
    }

    /// What all know of an endpoint.
    public func endpoint(_ slot: UInt32) -> EndpointCell { EndpointCell(endpoints.common(slot)) }
}
