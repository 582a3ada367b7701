import Core

/// BackendTrafficPolicy `retry`.
public struct PolicyRetryPlan: Equatable, Sendable {
    public init() {}
}
