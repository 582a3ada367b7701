import Core

/// BackendTrafficPolicy `circuitBreaker`: how much of a backend is used at once. The initial values are those of the schema,
/// which hold without a policy too.
public struct CircuitBreakerPlan: Equatable, BitwiseCopyable, Sendable {
    public static let defaultLimit: UInt32 = 1024

    public var maxConnections = CircuitBreakerPlan.defaultLimit
    /// Requests that wait for one of the limits.
    public var maxPendingRequests = CircuitBreakerPlan.defaultLimit
    public var maxParallelRequests = CircuitBreakerPlan.defaultLimit
    public var maxParallelRetries = CircuitBreakerPlan.defaultLimit
    /// 0: any number.
    public var maxRequestsPerConnection: UInt32 = 0
    /// `perEndpoint.maxConnections`; nil: the backend's limit alone.
    public var maxConnectionsPerEndpoint: UInt32?
    /// Nil: what holds where no policy says anything.
    public var retryBudget: RetryBudgetPlan?

    public init() {}
}

/// `circuitBreaker.retryBudget`: retries at once, as a share of the requests under way or waiting.
public struct RetryBudgetPlan: Equatable, BitwiseCopyable, Sendable {
    public static let defaultMinimum: UInt32 = 3

    /// `percent` as a fraction.
    public var numerator: UInt32
    public var denominator: UInt32
    /// Retries that are always allowed.
    public var minRetryConcurrency: UInt32

    public init(numerator: UInt32, denominator: UInt32, minRetryConcurrency: UInt32 = RetryBudgetPlan.defaultMinimum) {
        self.numerator = numerator
        self.denominator = denominator
        self.minRetryConcurrency = minRetryConcurrency
    }

    /// Retries at once while so many requests are under way or waiting.
    @inlinable public func allowed(requests: Int) -> Int {
        max(Int(minRetryConcurrency), requests * Int(numerator) / Int(max(1, denominator)))
    }
}
