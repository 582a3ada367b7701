import Core

/// BackendTrafficPolicy `healthCheck`.
public struct HealthCheckPlan: Equatable, Sendable {
    public init() {}
}
