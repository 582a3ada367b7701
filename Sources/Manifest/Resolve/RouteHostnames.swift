/// Which hostnames of each listener HTTPRoutes have, and which GRPCRoutes. One host belongs to one of the two kinds: the
/// older route's (GRPCRouteSpec.hostnames).
struct RouteHostnames {
    /// There are routes of both kinds: without, nothing need be remembered.
    private let areBothThere: Bool
    private var http: [ObjectIdentifier: HostnameSet] = [:]
    private var grpc: [ObjectIdentifier: HostnameSet] = [:]

    init(_ index: ResourceIndex) {
        func has(_ kind: ResourceKind) -> Bool { index.routes.contains { index.resources[$0].kind == kind } }
        areBothThere = has(.httpRoute) && has(.grpcRoute)
    }

    /// Whether a route of the other kind, which came before, has one of these hosts.
    func areTaken(_ hostnames: [String], for kind: RouteKind, on listener: ListenerState) -> Bool {
        guard kind.hasMatches, let others = (kind == .http ? grpc : http)[ObjectIdentifier(listener)] else {
            return false
        }
        return hostnames.contains { others.intersects($0) }
    }

    mutating func add(_ hostnames: [String], of kind: RouteKind, on listener: ListenerState) {
        guard areBothThere, kind.hasMatches else { return }
        let id = ObjectIdentifier(listener)
        for name in hostnames {
            if kind == .http {
                http[id, default: HostnameSet()].insert(name)
            } else {
                grpc[id, default: HostnameSet()].insert(name)
            }
        }
    }
}
