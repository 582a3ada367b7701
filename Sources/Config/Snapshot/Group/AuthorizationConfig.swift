import Core
import HTTP

/// An ``AuthorizationPlan`` in the block.
public struct AuthorizationConfig: BitwiseCopyable, Sendable {
    /// Indices into ``SnapshotHeader/authorizationPolicies``.
    public var policies: Table<UInt32>
    /// Some policy that is obeyed has ALLOW: what none of them matches is denied. Likewise with those of a dry run.
    public var hasAllow: Bool
    public var hasDryRunAllow: Bool
    public var hasDryRun: Bool
    /// Some policy only looks on (AUDIT).
    public var hasAudit: Bool
    public var trustsAddresses: Bool
    public var isStrict: Bool
    /// Who says so, and where.
    public var strictPolicy: TextRef
    public var strictPosition: SourcePosition
}

public struct AuthorizationPolicyConfig: BitwiseCopyable, Sendable {
    /// `namespace/name`.
    public var name: TextRef
    /// Of the name: under which its outcomes are counted.
    public var identity: UInt64
    public var action: AuthorizationPolicyPlan.Action
    public var isDryRun: Bool
    public var rules: Table<AuthorizationRuleConfig>
    public var position: SourcePosition
}

public struct AuthorizationRuleConfig: BitwiseCopyable, Sendable {
    public var sources: Table<AuthorizationTermConfig>
    public var operations: Table<AuthorizationTermConfig>
    public var conditions: Table<AuthorizationPredicateConfig>
    public var neverHolds: Bool
    /// Some part of it asks for what only requests have.
    public var needsHTTP: Bool
    public var position: SourcePosition
}

/// Predicates all of which must hold.
public struct AuthorizationTermConfig: BitwiseCopyable, Sendable {
    public var predicates: Table<AuthorizationPredicateConfig>
}

public struct AuthorizationPredicateConfig: BitwiseCopyable, Sendable {
    public var attribute: AuthorizationPredicatePlan.Attribute
    public var isNegated: Bool
    public var fieldName: FieldName
    public var name: TextRef
    public var values: Table<AuthorizationValueConfig>
}

public struct AuthorizationValueConfig: BitwiseCopyable, Sendable {
    public var kind: AuthorizationValuePlan.Kind
    public var port: UInt16
    public var text: TextRef
    public var range: AddressRange
}

extension SnapshotWriter {
    /// Writes what ``AuthorizationConfig/policies`` refers to; once, before the places.
    mutating func write(authorizationPolicies plans: [AuthorizationPolicyPlan]) {
        authorizationPolicies = plans
        header.authorizationPolicies = block.allocate(AuthorizationPolicyConfig.self, count: plans.count)
        guard block.failure == nil else { return }
        for (index, plan) in plans.enumerated() {
            let rules = plan.rules.map { write($0) }
            block[header.authorizationPolicies, index] = AuthorizationPolicyConfig(
                name: text(plan.name), identity: AuthorizationPolicyPlan.identity(of: plan.name), action: plan.action,
                isDryRun: plan.isDryRun, rules: block.append(contentsOf: rules), position: plan.position)
        }
    }

    /// - Returns: none or one.
    mutating func write(_ plan: AuthorizationPlan) -> Table<AuthorizationConfig> {
        if plan.isEmpty { return Table() }
        let named = plan.policies.map { authorizationPolicies[$0] }
        let config = AuthorizationConfig(
            policies: block.append(contentsOf: plan.policies.map { UInt32($0) }),
            hasAllow: named.contains { $0.action == .allow && !$0.isDryRun },
            hasDryRunAllow: named.contains { $0.action == .allow && $0.isDryRun },
            hasDryRun: named.contains { $0.isDryRun }, hasAudit: named.contains { $0.action == .audit },
            trustsAddresses: plan.trustsAddresses, isStrict: plan.strict != nil,
            strictPolicy: text(plan.strict?.policy ?? ""), strictPosition: plan.strict?.position ?? SourcePosition())
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plan: AuthorizationRulePlan) -> AuthorizationRuleConfig {
        let sources = plan.sources.map { AuthorizationTermConfig(predicates: write($0)) }
        let operations = plan.operations.map { AuthorizationTermConfig(predicates: write($0)) }
        return AuthorizationRuleConfig(
            sources: block.append(contentsOf: sources), operations: block.append(contentsOf: operations),
            conditions: write(plan.conditions), neverHolds: plan.neverHolds,
            needsHTTP: plan.predicates.contains { $0.attribute.isOfHTTP }, position: plan.position)
    }

    private mutating func write(_ plans: [AuthorizationPredicatePlan]) -> Table<AuthorizationPredicateConfig> {
        let configs = plans.map { plan in
            let values = plan.values.map {
                AuthorizationValueConfig(
                    kind: $0.kind, port: $0.port, text: text($0.text),
                    range: $0.range ?? AddressRange(around: .any, v4Bits: 0, v6Bits: 0))
            }
            return AuthorizationPredicateConfig(
                attribute: plan.attribute, isNegated: plan.isNegated,
                fieldName: plan.attribute == .header ? fieldName(plan.name) : .other,
                name: text(plan.name), values: block.append(contentsOf: values))
        }
        return block.append(contentsOf: configs)
    }
}

extension AuthorizationPolicyPlan {
    /// Under which the outcomes of the policy of this name are counted.
    public static func identity(of name: String) -> UInt64 {
        var hash = IdentityHash()
        hash.add("AuthorizationPolicy")
        hash.add(name)
        return hash.value
    }
}
