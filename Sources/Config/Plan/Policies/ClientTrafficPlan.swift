import Core

/// What a ClientTrafficPolicy says of the connections and requests of one listener, beyond TLS and the PROXY protocol.
public struct ClientTrafficPlan: Equatable, Sendable {
    public init() {}
    public var isEmpty: Bool { self == ClientTrafficPlan() }
}
