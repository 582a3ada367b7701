import Core

/// BackendTrafficPolicy `requestBuffer`.
public struct RequestBufferPlan: Equatable, Sendable {
    public init() {}
}
