import Config
import Core

private enum Keys {
    static let maxConnections = FieldKey("maxConnections")
    static let maxPendingRequests = FieldKey("maxPendingRequests")
    static let maxParallelRequests = FieldKey("maxParallelRequests")
    static let maxParallelRetries = FieldKey("maxParallelRetries")
    static let maxRequestsPerConnection = FieldKey("maxRequestsPerConnection")
    static let perEndpoint = FieldKey("perEndpoint")
    static let retryBudget = FieldKey("retryBudget")
    static let minRetryConcurrency = FieldKey("minRetryConcurrency")
}

extension CircuitBreakerPlan {
    /// - Parameter node: `spec.circuitBreaker`.
    init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        guard node.exists else { return }
        func limit(_ key: FieldKey, _ initial: UInt32) -> UInt32 {
            node[key].integer.map { UInt32(clamping: $0) } ?? initial
        }
        maxConnections = limit(Keys.maxConnections, maxConnections)
        maxPendingRequests = limit(Keys.maxPendingRequests, maxPendingRequests)
        maxParallelRequests = limit(Keys.maxParallelRequests, maxParallelRequests)
        maxParallelRetries = limit(Keys.maxParallelRetries, maxParallelRetries)
        maxRequestsPerConnection = limit(Keys.maxRequestsPerConnection, 0)
        let each = node[Keys.perEndpoint]
        if each.exists {
            maxConnectionsPerEndpoint =
                each[Keys.maxConnections].integer.map { UInt32(clamping: $0) } ?? Self.defaultLimit
        }
        let budget = node[Keys.retryBudget]
        guard budget.exists else { return }
        let percent = budget[.percent]
        retryBudget = RetryBudgetPlan(
            numerator: UInt32(clamping: percent[.numerator].integer ?? 0),
            denominator: UInt32(clamping: max(1, percent[.denominator].integer ?? 100)),
            minRetryConcurrency: UInt32(
                clamping: reading.count(budget[Keys.minRetryConcurrency]) ?? Int64(RetryBudgetPlan.defaultMinimum)))
    }
}
