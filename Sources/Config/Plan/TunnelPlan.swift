/// How a cluster's connections are carried by HBONE: HTTP/2 over mutual TLS to each endpoint's side, and a CONNECT stream for
/// each connection.
public struct TunnelPlan: Equatable, Sendable {
    /// Where those who speak HBONE listen, by Istio's convention.
    public static let usualPort: UInt16 = 15008

    /// With a client certificate, which the other side asks for, and ALPN `h2`.
    public var tls: UpstreamTLSPlan
    /// At the endpoint's address; 0: at the endpoint's own port, where the endpoint is a gateway that speaks HBONE itself.
    public var port: UInt16
    /// What the CONNECT names, host and port; empty: the endpoint's address and port.
    public var authority: String
    /// The endpoint is a gateway, to which the CONNECT of each call names its own destination; such a tunnel carries one
    /// request, or one connection, and ends with it.
    public var isPerCall = false
    /// What the CONNECT says of the caller (W3C Baggage), as Istio's proxies do; empty: nothing.
    public var baggage = ""

    public init(tls: UpstreamTLSPlan, port: UInt16 = usualPort, authority: String = "") {
        self.tls = tls
        self.port = port
        self.authority = authority
        self.tls.parameters.alpn = ["h2"]
    }
}
