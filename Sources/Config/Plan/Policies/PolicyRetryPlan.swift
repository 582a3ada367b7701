import Core

/// BackendTrafficPolicy `retry`.
public struct PolicyRetryPlan: Equatable, Sendable {
    /// An HTTPRoute's own `retry` goes before it, whole.
    public var retry: RetryPlan
    /// `perRetry.timeout`: each attempt, the first included. An HTTPRoute's `timeouts.backendRequest` goes before it.
    public var attemptTimeout: TimeLimit?

    public init(retry: RetryPlan, attemptTimeout: TimeLimit? = nil) {
        self.retry = retry
        self.attemptTimeout = attemptTimeout
    }
}
