import Config
import Core

/// The policies of one rule on a listener, before they are read.
struct RulePolicies: Equatable {
    var traffic: PolicyAttachments.InForce?
    /// A SecurityPolicy's number among the set's resources.
    var security: Int?

    var isEmpty: Bool { traffic == nil && security == nil }
}

/// What the policies of one rule on a listener come to.
struct RuleTraffic {
    /// Of BackendTrafficPolicies; nil: there is none.
    var settings: BackendTrafficSettings?
    /// The policies that ``settings`` come from.
    var policies: PolicyAttachments.InForce?
    /// Why the rule must not be served; nil: it may.
    var refusal: String?
    /// For `explain`.
    var applied: [AppliedPolicyPlan] = []

    /// Nothing applies.
    init() {}

    init(
        _ rule: RulePolicies, _ table: inout BackendTrafficTable, _ index: ResourceIndex, findings: inout FindingLog
    ) {
        if let number = rule.security {
            refusal = SecurityPolicyTable.message
            applied.append(AppliedPolicyPlan(index.resources[number], .refused(SecurityPolicyTable.message)))
        }
        guard let policies = rule.traffic else { return }
        let settings = table.settings(policies, findings: &findings)
        let resource = index.resources[policies.policy]
        if let problem = settings.problem {
            refusal = refusal ?? "\(resource.kind.name) '\(resource.name)' cannot be used: \(problem)"
            applied.append(AppliedPolicyPlan(resource, .refused(problem)))
        } else {
            self.settings = settings
            self.policies = policies
            applied.append(AppliedPolicyPlan(resource))
        }
        if let base = policies.base { applied.append(AppliedPolicyPlan(index.resources[base], .base)) }
    }
}

extension AppliedPolicyPlan {
    init(_ policy: LoadedResource, _ role: Role = .effective) {
        self.init(
            kind: policy.kind.name.description, name: policy.name.description, role: role,
            position: policy.node.position(in: policy.file))
    }
}
