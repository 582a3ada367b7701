/// A ``ClusterTrafficPlan`` in the block. Its initial value is the plan that holds without a policy.
public struct ClusterTrafficConfig: BitwiseCopyable, Sendable {
    public var loadBalancer = LoadBalancerConfig()
    public var circuitBreaker = CircuitBreakerPlan()
    /// None or one.
    public var healthCheck = Table<HealthCheckConfig>()
    public var connectTimeout = TimeLimitConfig.none
    public var connection = UpstreamConnectionSettings()

    public init() {}
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClusterTrafficPlan) -> Table<ClusterTrafficConfig> {
        var config = ClusterTrafficConfig()
        config.loadBalancer = write(plan.loadBalancer)
        config.circuitBreaker = plan.circuitBreaker
        config.healthCheck = write(plan.healthCheck)
        config.connectTimeout = write(plan.connection.connectTimeout)
        config.connection = plan.connection.settings
        return block.append(contentsOf: [config])
    }
}
