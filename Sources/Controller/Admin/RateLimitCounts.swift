import Config
import Telemetry
import Upstream

/// What the rate limits of a snapshot said of requests, by policy, for the metrics.
enum RateLimitCounts {
    static func read(_ snapshot: Snapshot, _ state: LimitState) -> [MetricsSource.RateLimit] {
        let header = snapshot.header.pointee
        // A rule that several routes share has one bucket and is counted once.
        var seen: Set<UInt64> = []
        var limits: [String: MetricsSource.RateLimit] = [:]
        func add(_ rules: Table<RateLimitRuleConfig>) {
            for number in 0..<Int(rules.count) {
                let rule = snapshot[rules, number].pointee
                guard seen.insert(rule.identity).inserted else { continue }
                let policy = snapshot.text(rule.policy).string
                limits[policy, default: .init(policy: policy, allowed: 0, limited: 0, shadowed: 0)].add(rule, state)
            }
        }
        for number in 0..<Int(header.rules.count) {
            let traffic = snapshot[header.rules, number].pointee.traffic
            if traffic.isEmpty { continue }
            let limit = snapshot[traffic, 0].pointee.rateLimit
            if limit.isEmpty { continue }
            add(snapshot[limit, 0].pointee.local)
            add(snapshot[limit, 0].pointee.global)
        }
        return limits.values.sorted { $0.policy < $1.policy }
    }
}

extension MetricsSource.RateLimit {
    fileprivate mutating func add(_ rule: RateLimitRuleConfig, _ state: LimitState) {
        allowed &+= state.count(of: .allowed, rule.identity)
        limited &+= state.count(of: .limited, rule.identity)
        shadowed &+= state.count(of: .shadowed, rule.identity)
    }
}
