import Core

/// A release that moves its own weights (annotation on a route).
public struct RolloutPlan: Equatable, Sendable {
    public init() {}
}
