import Core

/// HTTPRoute and GRPCRoute `rules[].sessionPersistence`: a client stays with the backendRef and the endpoint that served it
/// first.
public struct SessionPersistencePlan: Equatable, Sendable {
    public enum Carrier: UInt8, BitwiseCopyable, Sendable { case cookie, header }

    /// What carries the token.
    public var carrier: Carrier
    /// The cookie's or header's name.
    public var name: String
    /// The cookie's `Path`.
    public var path: String
    /// `lifetimeType: Permanent`: the cookie outlives the browser's session.
    public var isPermanent: Bool
    /// Seconds since its beginning after which a session is over; 0: never.
    public var absoluteTimeout: UInt32
    /// Seconds without a request after which it is over (`sluice.dev/session-idle-timeout`); 0: never.
    public var idleTimeout: UInt32
    public var position: SourcePosition

    public init(
        carrier: Carrier, name: String, path: String = "/", isPermanent: Bool = false, absoluteTimeout: UInt32 = 0,
        idleTimeout: UInt32 = 0, position: SourcePosition = SourcePosition()
    ) {
        self.carrier = carrier
        self.name = name
        self.path = path
        self.isPermanent = isPermanent
        self.absoluteTimeout = absoluteTimeout
        self.idleTimeout = idleTimeout
        self.position = position
    }
}
