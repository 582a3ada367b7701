import Core

/// Adaptive concurrency (annotation on a BackendTrafficPolicy).
public struct AdaptiveConcurrencyPlan: Equatable, Sendable {
    public init() {}
}
