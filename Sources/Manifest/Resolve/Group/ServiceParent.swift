import Config

/// One Service that a route names as its parent, in a set with groups.
struct ServiceParent {
    var reference: RouteParentStatus.Reference
    /// Who is named, whether there is such a Service or not.
    var name: ResourceName
    /// Nil: no Service of a group.
    var member: MemberState?
    /// Those of the member's ports that take the route.
    var ports: [Int] = []
    var sectionName: String?
    var port: UInt16?
    var node: WrittenNode
    var refusal: ListenerState.Problem?

    /// Has the route serve calls to a port: those of everybody when it is of the Service's own namespace, else those of callers
    /// in the route's namespace (GEP-1294, "Namespace boundaries").
    func attach(_ plan: Int, _ kind: RouteKind, of route: LoadedResource, port: Int) {
        guard let member else { preconditionFailure("a route without the member it serves") }
        let consumers = consumers(of: route)
        if consumers.isEmpty {
            member.ports[port].routes.add(plan, kind)
        } else {
            member.ports[port].consumers[consumers, default: .init()].add(plan, kind)
        }
    }

    /// The namespace of the callers whom a route serves here; empty: all of them.
    func consumers(of route: LoadedResource) -> String {
        route.name.namespace == name.namespace ? "" : route.name.namespace
    }

    /// Equal for the same reference in the next set.
    var identity: UInt64 {
        var hash = SpecHash()
        hash.add(5, name.namespace)
        hash.add(2, name.name)
        hash.add(3, sectionName ?? "")
        hash.add(UInt64(port ?? 0))
        return hash.value
    }
}

extension RouteParentStatus.Reference {
    /// Statuses stand in the order of the parentRefs.
    var order: Int {
        switch self {
        case .parentRef(let number): Int(number)
        case .defaultGateway: .max
        }
    }
}

extension RouteResolution {
    /// The Services that a route names as parents; none where no Gateway is one of a group.
    func serviceParents(
        of route: Route, _ resource: LoadedResource, findings: inout FindingLog
    ) -> [ServiceParent] {
        if members.isEmpty { return [] }
        var parents: [ServiceParent] = []
        for (position, reference) in route.parentRefs.enumerated() where reference.isService {
            let name = reference.target(from: resource.name.namespace)
            var parent = ServiceParent(
                reference: .parentRef(UInt16(position)), name: name, member: members[name],
                sectionName: reference.sectionName, port: reference.port, node: reference.node)
            choose(&parent, reference, route.kind, resource)
            parents.append(parent)
        }
        return parents
    }

    /// Which ports take the route, or why none does.
    private func choose(
        _ parent: inout ServiceParent, _ reference: ParentReference, _ kind: RouteKind, _ resource: LoadedResource
    ) {
        guard let member = parent.member else {
            parent.refusal = (
                .noMatchingParent,
                rules.index[.service, parent.name] == nil
                    ? rules.index.missing(.service, parent.name)
                    : "Service '\(parent.name)' belongs to no group's gateway, where the route could serve; label it "
                        + "sluice.dev/gateway"
            )
            return
        }
        if let why = member.refusalAsParent {
            parent.refusal = (.unsupportedValue, why)
            return
        }
        let selected = member.selected(sectionName: reference.sectionName, port: reference.port)
        guard !selected.isEmpty else {
            let section = reference.sectionName.map { " named '\($0)'" } ?? ""
            let port = reference.port.map { " \($0)" } ?? ""
            parent.refusal = (
                .noMatchingParent,
                "Service '\(parent.name)' has no port\(port)\(section); it has \(member.portList)"
            )
            return
        }
        let taking = selected.filter {
            member.ports[$0].declaration.takes(kind, isNamed: reference.namesPort)
        }
        guard !taking.isEmpty else {
            parent.refusal = (
                .notAllowedByListeners,
                "Service '\(parent.name)' has no port for \(kind.name)s: they say what else is spoken there, by appProtocol or "
                    + "by their names (\(member.portList))"
            )
            return
        }
        parent.ports = taking.filter { kinds.kind(of: $0, member, for: resource.name.namespace) == kind }
        if parent.ports.isEmpty, let other = kinds.kind(of: taking[0], member, for: resource.name.namespace) {
            parent.refusal = (
                .conflicted,
                "a port has routes of one kind, and \(other.name)s come before \(kind.name)s (GEP-1294, \"Route types\")"
            )
        }
    }

    /// The parent as policies of its backends name it: whoever connects to them.
    func ancestor(of parent: ServiceParent) -> AncestorStatus.Reference {
        guard let member = parent.member else { preconditionFailure("a parent that nobody serves") }
        return AncestorStatus.Reference(kind: "Gateway", name: member.gateway.name)
    }
}
