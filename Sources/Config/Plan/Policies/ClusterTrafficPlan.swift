import Core

/// How policies say that a backend is used: which endpoint, how many requests at once, how connections are made. Each
/// member is a topic with a file of its own; its initial value is what holds where no policy says anything.
public struct ClusterTrafficPlan: Equatable, Sendable {
    public var loadBalancer = LoadBalancerPlan()
    public var circuitBreaker = CircuitBreakerPlan()
    public var healthCheck = HealthCheckPlan()
    public var connection = UpstreamConnectionPlan()
    public var dns = DNSPlan()

    public init() {}
    public var isEmpty: Bool { self == ClusterTrafficPlan() }
}
