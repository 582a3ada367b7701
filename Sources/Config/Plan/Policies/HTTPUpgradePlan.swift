import Core

/// BackendTrafficPolicy `httpUpgrade`.
public struct HTTPUpgradePlan: Equatable, Sendable {
    public init() {}
}
