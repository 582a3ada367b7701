import Config
import Telemetry
import Upstream

extension MetricsSource.Authorization {
    /// What the policies of a snapshot said of calls, for the metrics.
    static func read(_ snapshot: Snapshot, _ counts: AuthorizationCounts) -> [MetricsSource.Authorization] {
        let policies = snapshot.header.pointee.authorizationPolicies
        return (0..<Int(policies.count)).map { number in
            let policy = snapshot[policies, number].pointee
            return MetricsSource.Authorization(
                policy: snapshot.text(policy.name).string,
                outcomes: AuthorizationCounts.Outcome.allCases.map { ($0.text, counts.count(of: $0, policy.identity)) })
        }
    }
}
