import Core

/// BackendTrafficPolicy `timeout.http`, as far as it concerns a request.
public struct RouteTimeoutsPlan: Equatable, Sendable {
    public init() {}
}
