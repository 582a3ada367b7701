/// Which kind of routes each port of a group's members has. Of several kinds that want one port the most specific counts:
/// GRPCRoute, HTTPRoute, TLSRoute, TCPRoute (GEP-1294, "Route types"). Routes of the Service's own namespace and those of
/// each other namespace are judged apart, as they serve different callers.
struct MemberRouteKinds {
    private struct Place: Hashable {
        var service: ResourceName
        var port: Int
        /// Of the routes.
        var namespace: String
    }
    private var kinds: [Place: RouteKind] = [:]

    init(_ index: ResourceIndex, _ members: GroupTable) {
        guard !members.isEmpty else { return }
        for number in index.routes {
            let resource = index.resources[number]
            guard let kind = RouteKind(resource.kind) else { continue }
            for item in resource.node[.spec][.parentRefs].items {
                let parent = ParentReference(item)
                guard parent.isService, let member = members[parent.target(from: resource.name.namespace)] else {
                    continue
                }
                for port in member.selected(sectionName: parent.sectionName, port: parent.port)
                where member.ports[port].declaration.takes(kind, isNamed: parent.namesPort) {
                    let place = Place(service: member.name, port: port, namespace: resource.name.namespace)
                    if let known = kinds[place], known.specificity <= kind.specificity { continue }
                    kinds[place] = kind
                }
            }
        }
    }

    /// The kind whose routes serve calls to a port of a member.
    /// - Parameter namespace: of the routes.
    func kind(of port: Int, _ member: MemberState, for namespace: String) -> RouteKind? {
        kinds[Place(service: member.name, port: port, namespace: namespace)]
    }
}

extension RouteKind {
    /// The lower comes first.
    fileprivate var specificity: Int {
        switch self {
        case .grpc: 0
        case .http: 1
        case .tls: 2
        case .tcp: 3
        case .udp: 4
        }
    }
}

extension ParentReference {
    /// Who is meant, seen from a route in `home`.
    func target(from home: String) -> ResourceName { ResourceName(namespace: namespace ?? home, name: name) }
    /// It means certain ports of a Service.
    var namesPort: Bool { sectionName != nil || port != nil }
}
