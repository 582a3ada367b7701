import Core

/// BackendTrafficPolicy `admissionControl`.
public struct AdmissionControlPlan: Equatable, Sendable {
    public init() {}
}
