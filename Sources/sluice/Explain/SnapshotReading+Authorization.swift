import Config
import Core
import Routing

/// Policies that say who may call, in words.
extension SnapshotReading {
    /// Rules of one policy whose obstacles are told.
    private static let obstacleLimit = 8
    /// Values of one predicate that are told.
    private static let valueLimit = 4

    /// Those of a place, with what each of them says of a call.
    func authorization(
        _ config: UnsafePointer<AuthorizationConfig>, _ findings: [AuthorizationFinding], _ call: AuthorizedCall
    ) -> [Explanation.Policy] {
        let isVerified = call.isVerified
        let isNamespaceKnown = isVerified || config.pointee.trustsAddresses && !call.namespace.isEmpty
        func isShown(_ attribute: AuthorizationPredicatePlan.Attribute) -> Bool {
            !attribute.isIdentity || isVerified || attribute == .sourceNamespace && isNamespaceKnown
        }
        var policies = findings.map { policy($0, isShown) }
        if config.pointee.isStrict {
            policies.append(
                Explanation.Policy(
                    kind: "PeerAuthentication", name: snapshot.text(config.pointee.strictPolicy).string,
                    role: "effective", problem: "", place: place(config.pointee.strictPosition), action: "STRICT",
                    outcome: isVerified ? "the caller shows a certificate" : "the caller shows no certificate"))
        }
        return policies
    }

    private func policy(
        _ finding: AuthorizationFinding, _ isShown: (AuthorizationPredicatePlan.Attribute) -> Bool
    ) -> Explanation.Policy {
        let record = snapshot[header.authorizationPolicies, Int(finding.policy)].pointee
        let action =
            switch record.action {
            case .allow: "ALLOW"
            case .deny: "DENY"
            case .audit: "AUDIT"
            }
        var policy = Explanation.Policy(
            kind: "AuthorizationPolicy", name: snapshot.text(record.name).string, role: "effective", problem: "",
            place: place(record.position), action: record.isDryRun ? "\(action), dry run" : action)
        if finding.holds {
            policy.outcome = "rule \(finding.rule) holds"
            return policy
        }
        policy.outcome = record.rules.isEmpty ? "it has no rule" : "no rule holds"
        for (index, obstacle) in finding.obstacles.prefix(Self.obstacleLimit).enumerated() {
            let rule = snapshot[record.rules, index].pointee
            policy.obstacles.append(
                ("rule \(index) \(words(obstacle, isShown))", place(rule.position)))
        }
        let more = finding.obstacles.count - policy.obstacles.count
        if more > 0 { policy.outcome += " (\(more) of them are not listed)" }
        return policy
    }

    private func words(
        _ obstacle: AuthorizationFinding.Obstacle, _ isShown: (AuthorizationPredicatePlan.Attribute) -> Bool
    ) -> String {
        switch obstacle {
        case .unreadable: return "has a part that cannot be followed, as check tells"
        case .ofRequests: return "asks for parts of requests, so it allows no connection"
        case .predicate(let predicate):
            let isProven = isShown(predicate.pointee.attribute)
            return "asks for \(words(predicate.pointee))" + (isProven ? "" : ", and no certificate shows who calls")
        }
    }

    /// As a manifest has it: `methods GET, HEAD`.
    private func words(_ predicate: AuthorizationPredicateConfig) -> String {
        let count = Int(predicate.values.count)
        var values = (0..<min(count, Self.valueLimit)).map { words(snapshot[predicate.values, $0].pointee) }
        if count > Self.valueLimit { values.append("and \(count - Self.valueLimit) more") }
        let (name, isKey) = Self.name(of: predicate.attribute, snapshot.text(predicate.name).string)
        let list = values.joined(separator: ", ")
        guard predicate.isNegated else { return "\(name) \(list)" }
        if isKey { return "\(name) that is none of \(list)" }
        return "not\(name.prefix(1).uppercased())\(name.dropFirst()) \(list)"
    }

    /// The field of a policy that asks for it, or else the key of `when`.
    static func name(
        of attribute: AuthorizationPredicatePlan.Attribute, _ field: String
    ) -> (name: String, isKey: Bool) {
        switch attribute {
        case .sourceAddress: ("ipBlocks", false)
        case .clientAddress: ("remoteIpBlocks", false)
        case .sourceNamespace: ("namespaces", false)
        case .sourcePrincipal: ("principals", false)
        case .sourceServiceAccount: ("serviceAccounts", false)
        case .sourceTrustDomain: ("trustDomains", false)
        case .header: ("request.headers[\(field)]", true)
        case .destinationAddress: ("destination.ip", true)
        case .destinationPort: ("ports", false)
        case .serverName: ("connection.sni", true)
        case .host: ("hosts", false)
        case .method: ("methods", false)
        case .path: ("paths", false)
        }
    }

    private func words(_ value: AuthorizationValueConfig) -> String {
        let text = snapshot.text(value.text).string
        switch value.kind {
        case .exact, .template, .glob: return text
        case .prefix: return text + "*"
        case .suffix: return "*" + text
        case .any: return "*"
        case .range:
            let base = value.range.base
            return "\(base)/\(Int(value.range.prefixLength) - (base.isV4 ? 96 : 0))"
        case .port: return "\(value.port)"
        }
    }
}
