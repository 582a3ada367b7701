import Core

/// BackendTrafficPolicy `loadBalancer`.
public struct LoadBalancerPlan: Equatable, Sendable {
    public init() {}
}
