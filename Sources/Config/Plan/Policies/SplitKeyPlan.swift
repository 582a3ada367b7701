import Core

/// A split by a key of the request (annotation on a route).
public struct SplitKeyPlan: Equatable, Sendable {
    public init() {}
}
