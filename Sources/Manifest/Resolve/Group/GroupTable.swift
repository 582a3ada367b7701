import Config
import Core

/// The gateways of groups in a set, and the Services that belong to them.
///
/// A Gateway is one by a listener of protocol HBONE or by the annotation `sluice.dev/group: by-name`; a Service belongs to
/// the one that its label names, or else its Namespace's.
struct GroupTable {
    struct Group {
        var gateway: GatewayState
        var annotations: GroupAnnotations
        /// Ordered by namespace, then name.
        var members: [MemberState] = []
        var names = Set<ResourceName>()
    }
    private(set) var groups: [Group] = []
    private var byService: [ResourceName: MemberState] = [:]

    init(
        _ index: ResourceIndex, _ gateways: [GatewayState], foreign: Set<ResourceName>, findings: inout FindingLog
    ) {
        var byGateway: [ResourceName: Int] = [:]
        for gateway in gateways {
            let annotations = GroupAnnotations(gateway.resource, findings: &findings)
            let hasHBONE = gateway.groups.contains { $0.listeners.contains { $0.protocolKind == .hbone } }
            guard gateway.isByName || hasHBONE else { continue }
            byGateway[gateway.name] = groups.count
            gateway.groupNumber = groups.count
            groups.append(Group(gateway: gateway, annotations: annotations))
            let listeners = gateway.groups.flatMap(\.listeners)
            let transparent = TransparentAnnotation(gateway.resource, listeners: listeners, findings: &findings)
            for listener in listeners { listener.interception = transparent.interception(of: listener) }
        }
        let known = Known(byGateway: byGateway, gateways: Set(gateways.map(\.name)), foreign: foreign, index: index)

        var namespaces: [String: Int?] = [:]
        for number in index.namespaces {
            let resource = index.resources[number]
            switch GroupLabel.choice(of: resource, home: resource.name.name) {
            case .unsaid: break
            case .nobody: namespaces[resource.name.name] = .some(nil)
            case .gateway(let name, let node):
                namespaces[resource.name.name] = .some(known.group(name, node, of: resource, findings: &findings))
            }
        }
        for number in index.all(.service) {
            let resource = index.resources[number]
            var group: Int?
            switch GroupLabel.choice(of: resource, home: resource.name.namespace) {
            case .unsaid: group = namespaces[resource.name.namespace] ?? nil
            case .nobody: continue
            case .gateway(let name, let node):
                group = known.group(name, node, of: resource, findings: &findings)
            }
            guard let group else { continue }
            let member = MemberState(resource, Service(resource.node), gateway: groups[group].gateway, group: group)
            guard !member.ports.isEmpty else {
                findings.warning(
                    resource, resource.node[.spec],
                    "no port of protocol TCP, so nobody can call it through Gateway '\(groups[group].gateway.name)'")
                continue
            }
            member.fairShare = FairShareAnnotations.read(
                resource, over: groups[group].annotations.fairShare, findings: &findings)
            groups[group].members.append(member)
            groups[group].names.insert(member.name)
            byService[resource.name] = member
        }
        for group in groups.indices {
            groups[group].members.sort { $0.name < $1.name }
            let gateway = groups[group].gateway
            // One that is there for calls to hosts outside may have nobody inside on purpose.
            guard groups[group].members.isEmpty, gateway.isByName, groups[group].annotations.egress == .deny,
                !Self.hasRoutes(gateway.name, index)
            else { continue }
            findings.warning(
                gateway.resource, gateway.resource.node[.metadata][.annotations],
                "the gateway of a group without members; label a Namespace or its Services sluice.dev/gateway: "
                    + gateway.name.name)
        }
    }

    /// Whether a route names the Gateway itself as its parent.
    private static func hasRoutes(_ gateway: ResourceName, _ index: ResourceIndex) -> Bool {
        index.routes.contains { number in
            let route = index.resources[number]
            return route.node[.spec][.parentRefs].items.contains { parent in
                let kind = parent[.kind].text
                return (kind.isEmpty || kind.equals("Gateway")) && parent[.name].string == gateway.name
                    && (parent[.namespace].string ?? route.name.namespace) == gateway.namespace
            }
        }
    }

    /// Which Gateways a label may name.
    private struct Known {
        var byGateway: [ResourceName: Int]
        var gateways: Set<ResourceName>
        var foreign: Set<ResourceName>
        let index: ResourceIndex

        func group(
            _ name: ResourceName, _ node: WrittenNode, of resource: LoadedResource, findings: inout FindingLog
        ) -> Int? {
            if let group = byGateway[name] { return group }
            // Another controller's Gateway has its own members.
            if foreign.contains(name) { return nil }
            findings.unresolved(
                resource, node,
                gateways.contains(name)
                    ? "Gateway '\(name)' is no gateway of a group; give it a listener of protocol HBONE, or the annotation "
                        + "sluice.dev/group: by-name"
                    : index.missing(.gateway, name))
            return nil
        }
    }

    var isEmpty: Bool { groups.isEmpty }

    /// The member that a Service is; nil: of no group here.
    subscript(service: ResourceName) -> MemberState? { byService[service] }

    /// The names of a group's members.
    func names(ofGroup group: Int) -> Set<ResourceName> { groups[group].names }
}
