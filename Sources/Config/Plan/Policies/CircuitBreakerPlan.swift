import Core

/// BackendTrafficPolicy `circuitBreaker`.
public struct CircuitBreakerPlan: Equatable, Sendable {
    public init() {}
}
