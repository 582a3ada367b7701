import Core

/// BackendTrafficPolicy `dns`.
public struct DNSPlan: Equatable, Sendable {
    public init() {}
}
