import Config
import Core

extension GroupTable {
    /// What the groups came to, once the routes are resolved.
    func plans(_ clusters: [ClusterPlan], _ routes: [RoutePlan]) -> [GroupPlan] {
        groups.map { group in
            let gateway = group.gateway
            var plan = GroupPlan(
                namespace: gateway.name.namespace, name: gateway.name.name,
                position: gateway.resource.node.position(in: gateway.resource.file))
            if let domain = group.annotations.clusterDomain { plan.clusterDomain = domain }
            plan.egress = group.annotations.egress
            plan.egressRoute = gateway.egressRoute
            plan.trustsAddresses = group.annotations.trustsAddresses
            plan.trustedForwarders = group.annotations.trustedForwarders
            plan.members = group.members.map { member in
                var plan = MemberPlan(
                    namespace: member.name.namespace, name: member.name.name,
                    ports: member.ports.map { Self.plan($0, clusters, routes) },
                    position: member.resource.node.position(in: member.resource.file))
                plan.addresses = member.addresses
                plan.fairShare = member.fairShare
                return plan
            }
            return plan
        }
    }

    private static func plan(
        _ port: MemberState.Port, _ clusters: [ClusterPlan], _ routes: [RoutePlan]
    ) -> MemberPortPlan {
        var plan = MemberPortPlan(
            number: port.written.number, name: port.written.name, memberProtocol: port.declaration.memberProtocol)
        plan.directRoutes = port.direct.requests
        plan.directStreamRoutes = port.direct.connections
        plan.routes = port.routes.requests.isEmpty ? port.direct.requests : port.routes.requests
        plan.streamRoutes = port.routes.connections.isEmpty ? port.direct.connections : port.routes.connections
        plan.consumers = port.consumers.sorted { $0.key < $1.key }.map { namespace, routes in
            .init(namespace: namespace, routes: routes.requests, streamRoutes: routes.connections)
        }
        for number in port.direct.requests + port.direct.connections {
            for case .cluster(let cluster) in routes[number].rules.flatMap({ $0.backends.map(\.target) }) {
                for endpoint in clusters[cluster].endpoints.map(\.address) + clusters[cluster].withdrawn
                where endpoint.port != 0 && !plan.endpoints.contains(endpoint) {
                    plan.endpoints.append(endpoint)
                }
            }
        }
        return plan
    }
}
