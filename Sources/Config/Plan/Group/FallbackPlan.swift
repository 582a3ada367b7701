/// Where a request or connection goes that cannot be served from here (`sluice.dev/fallback-gateway`): the central gateway,
/// as clusters of its addresses. Indexes into ``GatewayPlan/clusters``.
public struct FallbackPlan: Equatable, Sendable {
    /// HTTP/1.1.
    public var http1: Int
    /// HTTP/2 by prior knowledge: for gRPC, and what is served by HTTP/2.
    public var http2: Int
    /// Octets.
    public var opaque: Int

    public init(http1: Int, http2: Int, opaque: Int) {
        self.http1 = http1
        self.http2 = http2
        self.opaque = opaque
    }
}
