import Config
import Core

extension RouteResolution {
    /// Gives every port of a member what stands for the Service itself: rules that lead to its endpoints under its own
    /// policies. It serves where there are no routes, and calls to the address of an endpoint.
    mutating func makeDirectRoutes(findings: inout FindingLog) {
        for group in members.groups {
            if group.annotations.egress == .allow {
                group.gateway.egressRoute = egress(of: group.gateway, findings: &findings)
            }
            for member in group.members {
                for port in member.ports.indices {
                    let declaration = member.ports[port].declaration
                    if declaration != .tcp {
                        var rules = [self.rule(for: member, port, declaration.requestUse, findings: &findings)]
                        // Where nobody says what is spoken, calls of gRPC say it themselves.
                        if declaration == .undeclared {
                            rules.append(self.rule(for: member, port, .grpc, findings: &findings))
                        }
                        member.ports[port].direct.requests = [add(rules, standingFor: member)]
                    }
                    if declaration.memberProtocol != .http {
                        let rule = self.rule(for: member, port, declaration.connectionUse, findings: &findings)
                        member.ports[port].direct.connections = [add([rule], standingFor: member)]
                    }
                }
            }
        }
    }

    /// What the content-type of every call of gRPC is (gRPC over HTTP/2, "Requests").
    private static let contentOfGRPC = ValueMatchPlan(
        name: "content-type", kind: .regularExpression, value: "application/grpc([+;].*)?")

    /// - Returns: the number of the plan.
    private mutating func add(_ rules: [RulePlan], standingFor member: MemberState) -> Int {
        plans.append(
            RoutePlan(
                kind: RoutePlan.serviceKind, namespace: member.name.namespace, name: member.name.name, rules: rules,
                position: member.resource.node.position(in: member.resource.file)))
        return plans.count - 1
    }

    private mutating func rule(
        for member: MemberState, _ port: Int, _ use: BackendSetting.Use, findings: inout FindingLog
    ) -> RulePlan {
        let written = member.ports[port].written
        let isOfRequests = use == .http || use == .grpc
        var common = BackendSetting(use: use)
        common.belong(to: member.gateway)
        var traffic = RuleTraffic()
        let policies = self.policies(nil, rule: "", to: member, port: port)
        if !policies.isEmpty {
            traffic = RuleTraffic(policies, &backendTraffic, rules.index, findings: &findings)
        }
        let node = member.service.node[.spec]
        var rule = Route.Rule(empty: node)
        // Rules are known by their names: each port has limits and counts of its own.
        let isUndeclared = member.ports[port].declaration == .undeclared
        rule.name = written.name.isEmpty ? "\(written.number)" : written.name
        if isOfRequests {
            let headers = isUndeclared && use == .grpc ? [Self.contentOfGRPC] : []
            rule.matches = [
                MatchPlan(
                    path: .prefix("/"), headers: headers, position: node.position(in: member.resource.file))
            ]
            if !headers.isEmpty { rule.name += " grpc" }
        } else {
            rule.name += " connections"
        }
        rule.backendRefs = [
            Route.BackendReference(
                reference: ObjectReference(service: member.name.name, port: written.number, node: node), weight: 1,
                filters: [])
        ]
        let kind: RouteKind =
            switch use {
            case .http: .http
            case .grpc: .grpc
            case .octets, .datagrams: .tcp
            case .passthrough: .tls
            }
        let resolved = rules.resolve(rule, of: member.resource, kind, common, traffic, findings: &findings)
        for problem in resolved.unresolved { findings.unresolved(member.resource, problem.node, problem.message) }
        // A Service that has routes may be nothing but their front.
        let isFront = !member.ports[port].routes.isEmpty
        for problem in resolved.unavailable where !isFront {
            findings.warning(member.resource, problem.node, problem.message)
        }
        let touches = rules.clusters.takeTouches()
        if !touches.isEmpty {
            tlsPolicies.note(
                touches, through: AncestorStatus.Reference(kind: "Gateway", name: member.gateway.name), rules.index,
                findings: &findings)
        }
        return resolved.plan
    }

    /// Where requests go to hosts outside of the group that no route names, under the policies of the Gateway.
    /// - Returns: the number of the plan.
    private mutating func egress(of gateway: GatewayState, findings: inout FindingLog) -> Int {
        let resource = gateway.resource
        var setting = BackendSetting(use: .http)
        let policies = RulePolicies(
            traffic: backendTraffic.attachments.inForce(on: gateway), security: security.policy(on: gateway))
        let traffic =
            policies.isEmpty
            ? RuleTraffic() : RuleTraffic(policies, &backendTraffic, rules.index, findings: &findings)
        setting.take(traffic)
        let position = resource.node[.metadata][.annotations].position(in: resource.file)
        let name = "egress of \(gateway.name)"
        let target: BackendPlan.Target =
            traffic.refusal == nil
            ? .cluster(rules.clusters.egress(name, DynamicResolverPlan(resource, &findings), setting)) : .answer(500)
        var rule = RulePlan(
            name: "egress", matches: [MatchPlan(path: .prefix("/"), position: position)],
            backends: [BackendPlan(target: target, weight: 1, name: name, position: position)], position: position)
        rule.policies = traffic.applied
        if let settings = traffic.settings { rule.traffic = settings.route }
        plans.append(
            RoutePlan(
                kind: "Gateway", namespace: gateway.name.namespace, name: gateway.name.name, rules: [rule],
                position: position))
        return plans.count - 1
    }
}
