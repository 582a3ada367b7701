import Core

/// One entry of BackendTrafficPolicy `responseOverride`.
public struct ResponseOverridePlan: Equatable, Sendable {
    public init() {}
}
