import Core

/// HTTPRoute and GRPCRoute `rules[].sessionPersistence`.
public struct SessionPersistencePlan: Equatable, Sendable {
    public init() {}
}
