import Config
import Core

/// The BackendTLSPolicies of a set: which of them says how a backend is reached, and what becomes of the others.
struct BackendTLSPolicyTable {
    /// What is said of TLS towards a backend.
    enum Verdict {
        /// No policy: clear text.
        case none
        case secured(UpstreamTLSPlan)
        /// A policy that cannot be used: nothing is sent, least of all in clear text.
        case refused(String)
    }
    /// A policy that has to do with a backend, and how it fares there.
    struct Touch: Hashable {
        enum Role: Hashable {
            case effective
            /// Another policy of the same target comes first.
            case conflicted(ResourceName)
            /// It names a port that the Service does not have.
            case withoutSection(String)
        }
        /// Its number among the set's resources.
        var policy: Int
        var role: Role
    }

    private struct Policy {
        var number: Int
        var name: ResourceName
        var plan: UpstreamTLSPlan?
        var problem: RuleResolution.Problem?
    }
    private struct Target: Hashable {
        var group: String
        var kind: String
        var name: ResourceName
    }
    private var policies: [Policy] = []
    /// Places in `policies` by the resources' numbers.
    private var places: [Int: Int] = [:]
    /// In order of precedence.
    private var byTarget: [Target: [(section: String?, policy: Int)]] = [:]
    private var ancestors: [Int: AncestorStatuses] = [:]
    private var toldConflicts = Set<Int>()

    init(_ index: ResourceIndex, _ authorities: AuthorityTable, findings: inout FindingLog) {
        for number in index.byAge(index.all(.backendTLSPolicy)) {
            let resource = index.resources[number]
            let policy = BackendTLSPolicy(resource.node)
            for item in resource.node[.spec][.options].fields {
                findings.warning(
                    resource, item.value, "the option '\(item.name.string)' is left alone; Sluice defines none")
            }
            for (target, node) in policy.targets {
                let key = Target(
                    group: target.group, kind: target.kind,
                    name: ResourceName(namespace: resource.name.namespace, name: target.name))
                byTarget[key, default: []].append((target.sectionName, policies.count))
                Self.check(key, node, of: resource, index, &findings)
            }
            places[number] = policies.count
            policies.append(Self.resolve(policy, number, resource, authorities, &findings))
        }
    }

    private static func check(
        _ target: Target, _ node: WrittenNode, of resource: LoadedResource, _ index: ResourceIndex,
        _ findings: inout FindingLog
    ) {
        switch (target.group, target.kind) {
        case (APIGroup.core, "Service"):
            if index[.service, target.name] == nil {
                findings.warning(resource, node, "there is no Service '\(target.name)'; the policy secures nothing")
            }
        case (APIGroup.envoyGateway, "Backend"):
            if index[.backend, target.name] == nil {
                findings.warning(resource, node, "there is no Backend '\(target.name)'; the policy secures nothing")
            }
        default:
            findings.warning(
                resource, node, "a target of kind '\(target.kind)' is left alone; a Service or a Backend can be secured"
            )
        }
    }

    private static func resolve(
        _ policy: BackendTLSPolicy, _ number: Int, _ resource: LoadedResource, _ authorities: AuthorityTable,
        _ findings: inout FindingLog
    ) -> Policy {
        let trusted = BackendAuthorities(
            policy.authorities, wellKnown: policy.wellKnown, policy.node[.spec][.validation][.wellKnownCACertificates],
            from: "BackendTLSPolicy", in: resource.name.namespace, authorities)
        if let problem = trusted.problem { findings.unresolved(resource, problem.node, problem.message) }
        var result = Policy(number: number, name: resource.name, problem: trusted.problem)
        if let trust = trusted.trust {
            var plan = UpstreamTLSPlan(trust: trust, serverName: policy.hostname, hostname: policy.hostname)
            plan.subjectAltNames = policy.subjectAltNames
            result.plan = plan
        }
        return result
    }

    // MARK: questions

    /// How the port `port` of a Service is reached.
    /// - Parameter ports: the names of all its ports.
    func verdict(
        on service: ResourceName, port: String?, of ports: [String]
    ) -> (verdict: Verdict, touches: [Touch]) {
        verdict(Target(group: APIGroup.core, kind: "Service", name: service), port: port, of: ports)
    }

    /// How an Envoy Gateway Backend is reached.
    func verdict(onBackend name: ResourceName) -> (verdict: Verdict, touches: [Touch]) {
        verdict(Target(group: APIGroup.envoyGateway, kind: "Backend", name: name), port: nil, of: [])
    }

    private func verdict(
        _ target: Target, port: String?, of ports: [String]
    ) -> (verdict: Verdict, touches: [Touch]) {
        guard let candidates = byTarget[target] else { return (.none, []) }
        var touches: [Touch] = []
        var winners: [String?: Int] = [:]
        for (section, policy) in candidates {
            let number = policies[policy].number
            if let section, section != port {
                // A port that exists is another backend's affair.
                if !ports.contains(section) { touches.append(Touch(policy: number, role: .withoutSection(section))) }
            } else if let winner = winners[section] {
                touches.append(Touch(policy: number, role: .conflicted(policies[winner].name)))
            } else {
                winners[section] = policy
                touches.append(Touch(policy: number, role: .effective))
            }
        }
        // What names the port says more than what takes the whole Service.
        guard let winner = port.flatMap({ winners[$0] }) ?? winners[nil] else { return (.none, touches) }
        if let plan = policies[winner].plan { return (.secured(plan), touches) }
        let why = policies[winner].problem?.message ?? "it trusts nobody"
        return (.refused("BackendTLSPolicy '\(policies[winner].name)' cannot be used: \(why)"), touches)
    }

    // MARK: statuses

    /// Notes that a route uses a backend of these policies through `ancestor`.
    mutating func note(
        _ touches: [Touch], through ancestor: AncestorStatus.Reference, _ index: ResourceIndex,
        findings: inout FindingLog
    ) {
        for touch in touches {
            guard let place = places[touch.policy] else { preconditionFailure("no such policy") }
            let policy = policies[place]
            let resource = index.resources[touch.policy]
            switch touch.role {
            case .effective: note(policy, at: ancestor)
            case .conflicted(let other):
                // Where it wins for another target of its own, it is accepted.
                if ancestors[touch.policy]?.all.contains(where: { $0.reference == ancestor }) ?? false { continue }
                let message = "BackendTLSPolicy '\(other)' has the same target and comes first"
                refuse(policy, .conflicted, message, at: ancestor)
                if toldConflicts.insert(touch.policy).inserted {
                    findings.unresolved(resource, resource.node[.spec][.targetRefs], message)
                }
            case .withoutSection(let section):
                if ancestors[touch.policy]?.all.contains(where: { $0.reference == ancestor }) ?? false { continue }
                let message = "its target has no port named '\(section)'"
                refuse(policy, .targetNotFound, message, at: ancestor)
                if toldConflicts.insert(touch.policy).inserted {
                    findings.unresolved(resource, resource.node[.spec][.targetRefs], message)
                }
            }
        }
    }

    private mutating func refuse(
        _ policy: Policy, _ reason: ConditionReason, _ message: String, at ancestor: AncestorStatus.Reference
    ) {
        ancestors[policy.number, default: AncestorStatuses()].set(
            Condition(.accepted, false, reason, message), at: ancestor)
    }

    private mutating func note(_ policy: Policy, at ancestor: AncestorStatus.Reference) {
        var statuses = ancestors[policy.number] ?? AncestorStatuses()
        if policy.plan != nil {
            statuses.set(Condition(.accepted, true, .accepted, "Policy is accepted"), at: ancestor)
        } else {
            let problem = policy.problem
            let reason: ConditionReason = problem?.reason == .invalid ? .invalid : .noValidCACertificate
            statuses.set(
                Condition(.accepted, false, reason, problem?.message ?? "it trusts nobody"), at: ancestor)
        }
        if let problem = policy.problem, problem.reason != .invalid {
            statuses.set(
                Condition(.resolvedRefs, false, problem.reason, "\(problem.node.path): \(problem.message)"),
                at: ancestor)
        } else {
            statuses.set(Condition(.resolvedRefs, true, .resolvedRefs, StatusMessage.referencesResolved), at: ancestor)
        }
        ancestors[policy.number] = statuses
    }

    /// The status of each policy, by its number among the set's resources.
    var statuses: [Int: [AncestorStatus]] {
        var found: [Int: [AncestorStatus]] = [:]
        for policy in policies { found[policy.number] = ancestors[policy.number]?.cut ?? [] }
        return found
    }
}
