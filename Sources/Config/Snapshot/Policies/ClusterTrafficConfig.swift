/// A ``ClusterTrafficPlan`` in the block.
public struct ClusterTrafficConfig: BitwiseCopyable, Sendable {
    /// None or one.
    public var healthCheck: Table<HealthCheckConfig>
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClusterTrafficPlan) -> Table<ClusterTrafficConfig> {
        let config = ClusterTrafficConfig(healthCheck: write(plan.healthCheck))
        return block.append(contentsOf: [config])
    }
}
