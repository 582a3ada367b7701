import Core

/// A ``LoadBalancerPlan`` in the block. Its initial value is the plan that holds without a policy.
public struct LoadBalancerConfig: BitwiseCopyable, Sendable {
    /// Which case of ``ZonePlan`` it is.
    public enum Zones: UInt8, BitwiseCopyable, Sendable { case all, preferLocal, weighted }

    public var algorithm = LoadBalancerPlan.Algorithm.leastRequest
    public var zones = Zones.all
    public var hashSource = HashKeyPlan.Source.sourceIP
    public var tableSize = HashKeyPlan.defaultTableSize
    /// Of headers or query parameters; a cookie's one.
    public var hashNames = Table<TextRef>()
    public var cookieAttributes = TextRef()
    public var slowStart = TimeAmount.zero
    public var preferLocal = PreferLocalPlan()
    public var zoneWeights = Table<ZoneWeightConfig>()
    public var overrideHeaders = Table<TextRef>()

    public init() {}
}

public struct ZoneWeightConfig: BitwiseCopyable, Sendable {
    /// Equal texts of a block have equal places, so zones are compared by their offset.
    public var zone: TextRef
    public var weight: UInt32
}

extension SnapshotWriter {
    mutating func write(_ plan: LoadBalancerPlan) -> LoadBalancerConfig {
        var config = LoadBalancerConfig()
        config.algorithm = plan.algorithm
        config.slowStart = plan.slowStart
        config.overrideHeaders = texts(plan.overrideHeaders)
        if let hash = plan.hash {
            config.hashSource = hash.source
            config.tableSize = hash.tableSize
            config.hashNames = texts(hash.names)
            config.cookieAttributes = text(hash.cookieAttributes)
        }
        switch plan.zones {
        case .all: break
        case .preferLocal(let plan):
            config.zones = .preferLocal
            config.preferLocal = plan
        case .weighted(let weights):
            config.zones = .weighted
            var records: [ZoneWeightConfig] = []
            for each in weights { records.append(ZoneWeightConfig(zone: text(each.zone), weight: each.weight)) }
            config.zoneWeights = block.append(contentsOf: records)
        }
        return config
    }
}
