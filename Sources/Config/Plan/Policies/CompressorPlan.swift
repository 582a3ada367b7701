import Core

/// One entry of BackendTrafficPolicy `compression`.
public struct CompressorPlan: Equatable, Sendable {
    public init() {}
}
