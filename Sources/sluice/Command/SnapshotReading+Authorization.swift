import Config
import Core

extension SnapshotReading {
    /// The policies that say who may call a place.
    func authorization(_ table: Table<AuthorizationConfig>) -> [RequestExplanation.Policy] {
        if table.isEmpty { return [] }
        let config = snapshot[table, 0].pointee
        var policies = (0..<Int(config.policies.count)).map { index in
            let number = Int(snapshot[config.policies, index].pointee)
            let policy = snapshot[snapshot.header.pointee.authorizationPolicies, number].pointee
            let action = policy.action == .allow ? "ALLOW" : "DENY"
            return RequestExplanation.Policy(
                kind: "AuthorizationPolicy", name: snapshot.text(policy.name).string, role: "effective", problem: "",
                place: place(policy.position), action: policy.isDryRun ? "\(action), dry run" : action)
        }
        if config.isStrict {
            policies.append(
                RequestExplanation.Policy(
                    kind: "PeerAuthentication", name: snapshot.text(config.strictPolicy).string, role: "effective",
                    problem: "", place: place(config.strictPosition), action: "STRICT"))
        }
        return policies
    }
}
