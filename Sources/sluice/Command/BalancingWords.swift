import Config
import Core

/// How the endpoints of a backend are chosen from and how much of them is used at once: as `explain` tells it.
enum BalancingWords {
    /// - Returns: nil where all is as it is without a policy.
    static func text(_ cluster: ClusterPlan) -> String? {
        let breaker = words(cluster.traffic.circuitBreaker)
        let isPlain = cluster.traffic.loadBalancer == LoadBalancerPlan() && breaker.isEmpty && !cluster.isFallback
        guard !isPlain else { return nil }
        return ([words(cluster.traffic.loadBalancer)] + breaker + (cluster.isFallback ? ["fallback"] : []))
            .joined(separator: "; ")
    }

    private static func words(_ plan: LoadBalancerPlan) -> String {
        var text =
            switch plan.algorithm {
            case .leastRequest: "LeastRequest"
            case .roundRobin: "RoundRobin"
            case .random: "Random"
            case .peakEWMA: "PeakEWMA"
            case .consistentHash: "ConsistentHash" + (plan.hash.map { " by \(words($0))" } ?? "")
            }
        if plan.slowStart > .zero { text += ", slow start of \(plan.slowStart.words)" }
        switch plan.zones {
        case .all: break
        case .preferLocal(let local):
            text += local.forceMinimum > 0 ? ", kept in the own zone" : ", the own zone preferred"
        case .weighted(let zones):
            text += ", zones by weight (\(zones.map { "\($0.zone) \($0.weight)" }.joined(separator: ", ")))"
        }
        if !plan.overrideHeaders.isEmpty {
            text += ", unless \(plan.overrideHeaders.joined(separator: " or ")) names an endpoint"
        }
        return text
    }

    private static func words(_ plan: HashKeyPlan) -> String {
        let names = plan.names.joined(separator: ", ")
        return switch plan.source {
        case .sourceIP: "the client's address"
        case .headers: "header \(names)"
        case .cookie: "cookie \(names)"
        case .queryParams: "query parameter \(names)"
        }
    }

    private static func words(_ plan: CircuitBreakerPlan) -> [String] {
        let initial = CircuitBreakerPlan()
        var words: [String] = []
        func tell(_ value: UInt32, _ initial: UInt32, _ what: String) {
            if value != initial { words.append("at most \(value) \(what)") }
        }
        tell(plan.maxParallelRequests, initial.maxParallelRequests, "requests at once")
        tell(plan.maxConnections, initial.maxConnections, "connections")
        tell(plan.maxPendingRequests, initial.maxPendingRequests, "requests waiting")
        tell(plan.maxParallelRetries, initial.maxParallelRetries, "retries at once")
        tell(plan.maxRequestsPerConnection, 0, "requests a connection")
        if let limit = plan.maxConnectionsPerEndpoint { words.append("at most \(limit) connections an endpoint") }
        return words
    }
}
