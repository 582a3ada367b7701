import Core

/// How connections to endpoints are made and kept: BackendTrafficPolicy `timeout.tcp`, `connection`, `tcpKeepalive`, `http2`, `useClientProtocol`.
public struct UpstreamConnectionPlan: Equatable, Sendable {
    public init() {}
}
