import Core

/// BackendTrafficPolicy `faultInjection`.
public struct FaultInjectionPlan: Equatable, Sendable {
    public init() {}
}
