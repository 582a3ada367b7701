import Config
import Core

/// Istio's AuthorizationPolicies and PeerAuthentications of a set: what they mean, and where they are in force.
///
/// Sluice stands where Istio has a sidecar or a waypoint. There are no Pods in the files, so a selector is held against the
/// selectors of Services, and against the labels of Gateways that are no group's. Policies that name a Gateway hold for
/// everything that goes through it.
struct AuthorizationTable {
    private struct Policy {
        /// Among the set's resources.
        var number: Int
        var resource: LoadedResource
        var target: WorkloadTarget
        /// Among ``GatewayPlan/authorizationPolicies``.
        var place: Int
        var problems: [String]
    }
    private let index: ResourceIndex
    /// The oldest first.
    private var policies: [Policy] = []
    private var plans: [AuthorizationPolicyPlan] = []
    private var peers: PeerAuthenticationTable
    /// Policies that are in force somewhere.
    private var used = Set<Int>()
    private(set) var statuses: [Int: [Condition]] = [:]

    init(_ index: ResourceIndex, findings: inout FindingLog) {
        self.index = index
        peers = PeerAuthenticationTable(index, findings: &findings)
        for number in index.byAge(index.all(.authorizationPolicy)) {
            let resource = index.resources[number]
            let read = AuthorizationReading.read(resource, findings: &findings)
            policies.append(
                Policy(
                    number: number, resource: resource, target: WorkloadTarget(resource.node[.spec]),
                    place: plans.count, problems: read.problems))
            plans.append(read.plan)
        }
    }

    /// Writes who may call what into a plan whose listeners and groups are complete.
    mutating func settle(_ plan: inout GatewayPlan, gateways: [GatewayState], findings: inout FindingLog) {
        let ofGroups = Set(plan.groups.map { ResourceName(namespace: $0.namespace, name: $0.name) })
        var scopes: [ResourceName: AuthorizationScope] = [:]
        for gateway in gateways {
            scopes[gateway.name] = AuthorizationScope(
                gateway.resource, isOfGroup: ofGroups.contains(gateway.name), findings: &findings)
        }
        for index in plan.groups.indices {
            let name = ResourceName(namespace: plan.groups[index].namespace, name: plan.groups[index].name)
            guard let scope = scopes[name] else { continue }
            plan.groups[index].connectionsPerCaller = scope.connectionsPerCaller
            if policies.isEmpty, peers.isEmpty { continue }
            for member in plan.groups[index].members.indices { settle(&plan.groups[index].members[member], in: scope) }
        }
        for socket in plan.sockets.indices {
            for place in plan.sockets[socket].listeners.indices where !policies.isEmpty {
                let listener = plan.sockets[socket].listeners[place]
                let name = ResourceName(namespace: listener.gatewayNamespace, name: listener.gatewayName)
                guard let scope = scopes[name] else { continue }
                plan.sockets[socket].listeners[place].authorization = authorization(of: scope)
            }
        }
        plan.authorizationPolicies = plans
        tell(scopes, findings: &findings)
    }

    // MARK: places

    private mutating func settle(_ member: inout MemberPlan, in scope: AuthorizationScope) {
        let name = ResourceName(namespace: member.namespace, name: member.name)
        var labels: [String: String] = [:]
        var targets: [UInt16: UInt16] = [:]
        if let number = index[.service, name] {
            let service = index.resources[number].node
            for (name, value) in service[.spec][.selector].fields { labels[name.string] = value.string ?? "" }
            for port in Service(service).ports { targets[port.number] = port.targetNumber }
        }
        var plan = AuthorizationPlan()
        plan.trustsAddresses = scope.trustsAddresses
        for policy in policies {
            let namespace = policy.resource.name.namespace
            let isFor: Bool
            switch policy.target {
            case .resources(let references):
                isFor = references.contains {
                    scope.isNamed(by: $0, in: namespace)
                        || $0.isService && namespace == name.namespace && $0.name == name.name
                }
            case .namespace, .labels:
                // A Service without a selector has workloads that nobody knows; what is for all of them is for it.
                isFor = scope.reaches(name.namespace, from: namespace) && policy.target.selects(labels)
            }
            if isFor { add(policy, to: &plan) }
        }
        for port in member.ports.indices {
            var own = plan
            var ports = Set(member.ports[port].endpoints.map(\.port)).sorted()
            if ports.isEmpty { ports = [targets[member.ports[port].number] ?? member.ports[port].number] }
            own.strict = peers.strict(name.namespace, labels: labels, ports: ports, in: scope)
            member.ports[port].authorization = own
        }
    }

    /// Of a Gateway: of a group's, for calls that are no member's.
    private mutating func authorization(of scope: AuthorizationScope) -> AuthorizationPlan {
        var plan = AuthorizationPlan()
        plan.trustsAddresses = scope.trustsAddresses
        for policy in policies {
            let namespace = policy.resource.name.namespace
            let isFor: Bool
            switch policy.target {
            case .resources(let references): isFor = references.contains { scope.isNamed(by: $0, in: namespace) }
            case .namespace, .labels:
                isFor =
                    !scope.isOfGroup && scope.reaches(scope.gateway.namespace, from: namespace)
                    && policy.target.selects(scope.labels)
            }
            if isFor { add(policy, to: &plan) }
        }
        return plan
    }

    private mutating func add(_ policy: Policy, to plan: inout AuthorizationPlan) {
        used.insert(policy.number)
        plan.policies.append(policy.place)
    }

    // MARK: what is told

    private mutating func tell(_ scopes: [ResourceName: AuthorizationScope], findings: inout FindingLog) {
        for policy in policies {
            var problem = policy.problems.isEmpty ? nil : Self.list(policy.problems)
            var reason = ConditionReason.invalid
            if case .resources(let references) = policy.target {
                for reference in references {
                    guard let message = self.problem(of: reference, policy, scopes) else { continue }
                    findings.unresolved(policy.resource, reference.node, message)
                    if problem == nil { reason = .targetNotFound }
                    problem = [problem, message].compactMap { $0 }.joined(separator: "; ")
                }
            }
            if problem == nil, !used.contains(policy.number) {
                warn(policy.resource, policy.target, findings: &findings)
            }
            statuses[policy.number] = [
                problem.map { Condition(.accepted, false, reason, $0) }
                    ?? Condition(.accepted, true, .accepted, "Policy is accepted")
            ]
        }
        for number in index.all(.peerAuthentication) {
            let resource = index.resources[number]
            if let message = peers.void[number] {
                statuses[number] = [Condition(.accepted, false, .conflicted, message)]
                continue
            }
            statuses[number] = [Condition(.accepted, true, .accepted, "Policy is accepted")]
            if !peers.used.contains(number) {
                warn(resource, WorkloadTarget(resource.node[.spec]), findings: &findings)
            }
        }
    }

    /// Problems that a status shows before it counts the rest.
    private static let problemLimit = 8

    private static func list(_ problems: [String]) -> String {
        let shown = problems.prefix(problemLimit).joined(separator: "; ")
        return problems.count > problemLimit ? "\(shown); and \(problems.count - problemLimit) more" : shown
    }

    private func warn(_ resource: LoadedResource, _ target: WorkloadTarget, findings: inout FindingLog) {
        let spec = resource.node[.spec]
        switch target {
        case .labels:
            findings.warning(
                resource, spec[.selector],
                "the selector fits no Service of a group, nor a Gateway, so the policy has no effect here; it is held "
                    + "against the selectors of Services, since there are no Pods in the files")
        case .namespace:
            findings.warning(
                resource, resource.node[.metadata][.name],
                "no Service of a group is in reach of the policy's namespace, so it has no effect here")
        case .resources(let references):
            findings.warning(
                resource, references.first?.node ?? spec,
                "the target is no Service of a group, so the policy has no effect here")
        }
    }

    /// Why a policy cannot be for what it names; nil: it can.
    private func problem(
        of reference: WorkloadTarget.Reference, _ policy: Policy, _ scopes: [ResourceName: AuthorizationScope]
    ) -> String? {
        let namespace = policy.resource.name.namespace
        let name = ResourceName(namespace: namespace, name: reference.name)
        if reference.isService {
            return index[.service, name] == nil ? index.missing(.service, name) : nil
        }
        if reference.isGateway {
            return index[.gateway, name] == nil ? index.missing(.gateway, name) : nil
        }
        if reference.isGatewayClass {
            let roots = Set(scopes.values.map(\.root))
            if roots.contains(namespace) || scopes.isEmpty { return nil }
            return "a GatewayClass is named by policies of the root namespace alone, which is "
                + roots.sorted().map { "'\($0)'" }.joined(separator: ", ")
        }
        let kind = reference.group.isEmpty ? reference.kind : "\(reference.group)/\(reference.kind)"
        return "'\(kind)' is no kind that the policy can be for; Service, Gateway and GatewayClass are"
    }
}
