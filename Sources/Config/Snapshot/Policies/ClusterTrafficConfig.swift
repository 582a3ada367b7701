/// A ``ClusterTrafficPlan`` in the block.
public struct ClusterTrafficConfig: BitwiseCopyable, Sendable {
    /// None or one.
    public var healthCheck: Table<HealthCheckConfig>
    public var connectTimeout = TimeLimitConfig.none
    public var connection = UpstreamConnectionSettings()
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClusterTrafficPlan) -> Table<ClusterTrafficConfig> {
        var config = ClusterTrafficConfig(healthCheck: write(plan.healthCheck))
        config.connectTimeout = write(plan.connection.connectTimeout)
        config.connection = plan.connection.settings
        return block.append(contentsOf: [config])
    }
}
