import Config
import Core

/// How a cluster's endpoints are chosen from, with zones as numbers.
public struct BalancingPolicy: Equatable, Sendable {
    public enum Zones: Equatable, Sendable {
        case all
        /// `own`: of the gateway; 0: it was not told.
        case preferLocal(PreferLocalPlan, own: UInt32)
        /// Zones that are not listed have weight 1.
        case weighted([ZoneWeight])
    }
    public struct ZoneWeight: Equatable, Sendable {
        public var zone: UInt32
        public var weight: UInt32
        public init(zone: UInt32, weight: UInt32) {
            self.zone = zone
            self.weight = weight
        }
    }
    public var algorithm = LoadBalancerPlan.Algorithm.leastRequest
    public var slowStart = TimeAmount.zero
    public var tableSize = HashKeyPlan.defaultTableSize
    public var zones = Zones.all
    /// Per cent of endpoints that must be usable; below it all are used, as if they were. 0: never.
    public var panicThreshold: UInt32 = 0

    public init() {}

    public init(_ config: LoadBalancerConfig, in snapshot: Snapshot, panicThreshold: UInt32 = 0) {
        algorithm = config.algorithm
        slowStart = config.slowStart
        tableSize = config.tableSize
        self.panicThreshold = panicThreshold
        switch config.zones {
        case .all: break
        case .preferLocal: zones = .preferLocal(config.preferLocal, own: snapshot.header.pointee.zone.offset)
        case .weighted:
            zones = .weighted(
                (0..<Int(config.zoneWeights.count)).map {
                    let each = snapshot[config.zoneWeights, $0].pointee
                    return ZoneWeight(zone: each.zone.offset, weight: each.weight)
                })
        }
    }
}
