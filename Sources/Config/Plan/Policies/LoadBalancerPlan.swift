import Core

/// BackendTrafficPolicy `loadBalancer`: which endpoint of a backend takes a request.
public struct LoadBalancerPlan: Equatable, Sendable {
    /// `type`, and what the annotation `sluice.dev/load-balancer` adds to it.
    public enum Algorithm: UInt8, BitwiseCopyable, Sendable {
        case leastRequest, roundRobin, random, consistentHash
        /// The least product of latency (peak EWMA) and requests in flight.
        case peakEWMA
    }
    public var algorithm = Algorithm.leastRequest
    /// Of `consistentHash`; nil for all others.
    public var hash: HashKeyPlan?
    /// `slowStart.window`; zero: none.
    public var slowStart = TimeAmount.zero
    public var zones = ZonePlan.all
    /// `endpointOverride.extractFrom[].header`, in order, in lower case.
    public var overrideHeaders: [String] = []

    public init() {}
}

/// `loadBalancer.consistentHash`: what of a request is hashed, and into how large a table.
public struct HashKeyPlan: Equatable, Sendable {
    public enum Source: UInt8, BitwiseCopyable, Sendable { case sourceIP, headers, cookie, queryParams }
    public static let defaultTableSize: UInt32 = 65_537

    public var source: Source
    /// Of headers (in lower case) or query parameters, all of them; a cookie's one.
    public var names: [String]
    /// What follows name and value of a cookie that is made here: `; Max-Age=60; Path=/`.
    public var cookieAttributes: String
    public var tableSize: UInt32

    public init(
        _ source: Source, names: [String] = [], cookieAttributes: String = "",
        tableSize: UInt32 = HashKeyPlan.defaultTableSize
    ) {
        self.source = source
        self.names = names
        self.cookieAttributes = cookieAttributes
        self.tableSize = tableSize
    }
}

/// `loadBalancer.zoneAware`: what zones have to do with the choice.
public enum ZonePlan: Equatable, Sendable {
    /// Nothing.
    case all
    case preferLocal(PreferLocalPlan)
    /// Requests are shared out among zones by weight; a zone that is not listed has weight 1.
    case weighted([ZoneWeightPlan])
}

/// `zoneAware.preferLocal`.
public struct PreferLocalPlan: Equatable, BitwiseCopyable, Sendable {
    /// Envoy's `min_cluster_size`.
    public static let defaultMinEndpoints: UInt64 = 6
    /// Endpoints of all zones below which zones do not matter.
    public var minEndpoints = PreferLocalPlan.defaultMinEndpoints
    /// Of a hundred requests, those for which zones matter.
    public var percentage: UInt32 = 100
    /// `force`: everything stays in the own zone while so many of its endpoints are usable; 0: not forced.
    public var forceMinimum: UInt32 = 0

    public init() {}
}

public struct ZoneWeightPlan: Equatable, Sendable {
    public var zone: String
    public var weight: UInt32

    public init(zone: String, weight: UInt32) {
        self.zone = zone
        self.weight = weight
    }
}
