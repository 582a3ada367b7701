import Core

/// A second attempt while the first is slow (annotation on a BackendTrafficPolicy).
public struct HedgePlan: Equatable, Sendable {
    public init() {}
}
