import Core

/// BackendTrafficPolicy `timeout.http`, as far as it concerns a request.
public struct RouteTimeoutsPlan: Equatable, Sendable {
    /// `requestTimeout`: until the response's last octet. An HTTPRoute's own `timeouts.request` goes before it.
    public var request: TimeLimit?
    /// `streamIdleTimeout`: without an octet in either direction.
    public var streamIdle: TimeLimit?
    /// `maxStreamDuration`: the exchange's whole life, tunnels included.
    public var maxStreamDuration: TimeLimit?

    public init() {}
}
