import Config
import Core

/// Which listeners take a route.
extension RouteResolution {
    /// One parent of a route that is ours to judge.
    struct Parent {
        var reference: RouteParentStatus.Reference
        var gateway: GatewayState
        /// The listeners that are meant: the Gateway's own, or those of one of its ListenerSets.
        var group: ListenerGroup
        var sectionName: String?
        var port: UInt16?
        var node: WrittenNode
        /// The listeners that take the route, with the hostnames in force there.
        var listeners: [(listener: ListenerState, hostnames: [String])] = []
        var refusal: ListenerState.Problem?
    }

    func parents(
        of route: Route, _ resource: LoadedResource, findings: inout FindingLog
    ) -> [Parent] {
        var parents: [Parent] = []
        for (position, reference) in route.parentRefs.enumerated() {
            guard reference.isGateway || reference.isListenerSet else {
                // Where there are groups, Services can be parents.
                if reference.isService, !members.isEmpty { continue }
                if reference.kind == "Service", !members.isEmpty {
                    findings.unresolved(
                        resource, reference.node,
                        "there is no kind 'Service' in the group '\(reference.group)', so the route is attached to nothing "
                            + "here; write group: \"\" beside kind: Service")
                    continue
                }
                findings.warning(
                    resource, reference.node,
                    "a parent of kind '\(reference.kind)' is left alone; routes attach to Gateways and ListenerSets")
                continue
            }
            let name = ResourceName(
                namespace: reference.namespace ?? resource.name.namespace, name: reference.name)
            let listenerSet = reference.isListenerSet ? listenerSets[name] : nil
            guard let gateway = reference.isListenerSet ? listenerSet?.gateway : gateways[name] else {
                // Without any Gateway one finding says it for all routes, and a ListenerSet has its own to say.
                if !gateways.isEmpty, !foreignGateways.contains(name), !hasListenerSet(reference, name) {
                    findings.unresolved(
                        resource, reference.node,
                        rules.index.missing(reference.isListenerSet ? .listenerSet : .gateway, name))
                }
                continue
            }
            parents.append(
                Parent(
                    reference: .parentRef(UInt16(position)), gateway: gateway,
                    group: listenerSet?.group ?? gateway.group,
                    sectionName: reference.sectionName, port: reference.port, node: reference.node))
        }
        if route.usesDefaultGateways {
            for gateway in defaultGateways where !parents.contains(where: { $0.group === gateway.group }) {
                parents.append(
                    Parent(
                        reference: .defaultGateway(gateway.name), gateway: gateway, group: gateway.group,
                        node: route.node[.spec]))
            }
        }
        if parents.isEmpty, route.parentRefs.isEmpty {
            findings.warning(
                resource, route.node[.spec], "the route attaches to nothing; name a Gateway in spec.parentRefs")
        }
        return parents
    }

    private func hasListenerSet(_ reference: ParentReference, _ name: ResourceName) -> Bool {
        reference.isListenerSet && rules.index[.listenerSet, name] != nil
    }

    /// Which listeners take the route: by name and port, then by kind and namespace, then by hostname.
    func choose(
        _ parent: inout Parent, _ route: Route, _ resource: LoadedResource, findings: inout FindingLog
    ) {
        let selected = parent.group.selected(sectionName: parent.sectionName, port: parent.port)
        guard !selected.isEmpty else {
            let name = "\(parent.group.kindName) '\(parent.group.name)'"
            if parent.group.detachment != nil {
                parent.refusal = (.noMatchingParent, "\(name) is attached to no Gateway; its conditions say why")
                return
            }
            let section = parent.sectionName.map { " named '\($0)'" } ?? ""
            let port = parent.port.map { " on port \($0)" } ?? ""
            parent.refusal = (
                .noMatchingParent, "\(name) has no listener\(section)\(port)"
            )
            return
        }
        let home = parent.group.name.namespace
        var allowing: [ListenerState] = []
        var taken: ListenerState?
        for listener in selected
        where listener.allows(
            kind: route.kind.name, in: resource.name.namespace, home: home, namespaces: namespaces)
        {
            allowing.append(listener)
            let common = Hostname.intersections(listener: listener.listener.hostname, route: route.hostnames)
            if common.isEmpty { continue }
            if hostnames.areTaken(common, for: route.kind, on: listener) {
                taken = taken ?? listener
            } else {
                parent.listeners.append((listener, common))
            }
        }
        if allowing.isEmpty {
            parent.refusal = (
                .notAllowedByListeners,
                "no listener of \(parent.group.kindName) '\(parent.group.name)' allows \(route.kind.name)s of namespace "
                    + "'\(resource.name.namespace)'; see its protocol and its allowedRoutes"
            )
        } else if let taken {
            let other = route.kind == .http ? RouteKind.grpc : .http
            let message =
                "an older \(other.name) has some of these hosts on listener '\(taken.listener.name)'; a host belongs "
                + "to routes of one kind (GRPCRoute.spec.hostnames)"
            if parent.listeners.isEmpty {
                parent.refusal = (.conflicted, message)
            } else {
                findings.unresolved(resource, parent.node, message)
            }
        } else if parent.listeners.isEmpty {
            let names = StatusMessage.list(Set(allowing.map { "'\($0.listener.hostname)'" }).sorted())
            parent.refusal = (
                .noMatchingListenerHostname,
                "no hostname of the route is one of its listeners' (\(names))"
            )
        }
    }

    func identity(of parent: Parent) -> UInt64 {
        var hash = SpecHash()
        hash.add(parent.group.isListenerSet ? 4 : 1, parent.group.name.namespace)
        hash.add(2, parent.group.name.name)
        hash.add(3, parent.sectionName ?? "")
        hash.add(UInt64(parent.port ?? 0))
        return hash.value
    }
}
