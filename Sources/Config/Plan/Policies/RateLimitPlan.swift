import Core

/// BackendTrafficPolicy `rateLimit`.
public struct RateLimitPlan: Equatable, Sendable {
    public init() {}
}
