import Config

extension GatewayPlan {
    /// Who may call what, for golden files; nothing where nobody asks.
    var authorizationLines: [String] {
        var lines: [String] = []
        for policy in authorizationPolicies {
            let dry = policy.isDryRun ? ", dry run" : ""
            lines.append("policy \(policy.name) \(policy.action)\(dry) line \(policy.position.line)")
            for rule in policy.rules {
                lines.append("  rule line \(rule.position.line)" + (rule.neverHolds ? " never holds" : ""))
                for source in rule.sources { lines.append("    from " + Self.text(source)) }
                for operation in rule.operations { lines.append("    to " + Self.text(operation)) }
                if !rule.conditions.isEmpty { lines.append("    when " + Self.text(rule.conditions)) }
            }
        }
        for socket in sockets {
            for listener in socket.listeners where !listener.authorization.isEmpty {
                lines.append("on \(listener.gatewayName)/\(listener.name): " + text(listener.authorization))
            }
        }
        for group in groups {
            for member in group.members {
                for port in member.ports where !port.authorization.isEmpty {
                    lines.append("on \(member.namespace)/\(member.name):\(port.number): " + text(port.authorization))
                }
            }
        }
        return lines
    }

    private func text(_ plan: AuthorizationPlan) -> String {
        var parts = plan.policies.map { authorizationPolicies[$0].name }
        if let strict = plan.strict { parts.append("STRICT by \(strict.policy) line \(strict.position.line)") }
        if plan.trustsAddresses { parts.append("addresses are trusted") }
        return parts.joined(separator: ", ")
    }

    private static func text(_ predicates: [AuthorizationPredicatePlan]) -> String {
        if predicates.isEmpty { return "anything" }
        return predicates.map { predicate in
            let name = predicate.name.isEmpty ? "" : "[\(predicate.name)]"
            let values = predicate.values.map(text).joined(separator: " | ")
            return "\(predicate.attribute)\(name) \(predicate.isNegated ? "not " : "")\(values)"
        }.joined(separator: ", ")
    }

    private static func text(_ value: AuthorizationValuePlan) -> String {
        switch value.kind {
        case .exact: value.text
        case .prefix: "^\(value.text)"
        case .suffix: "$\(value.text)"
        case .any: "any"
        case .template: "template \(value.text)"
        case .glob: "glob \(value.text)"
        case .range: value.range.map { "\($0.base)/\($0.prefixLength)" } ?? "no range"
        case .port: "\(value.port)"
        }
    }
}
