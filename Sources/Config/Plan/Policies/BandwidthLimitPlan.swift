import Core

/// BackendTrafficPolicy `bandwidthLimit`.
public struct BandwidthLimitPlan: Equatable, Sendable {
    public init() {}
}
