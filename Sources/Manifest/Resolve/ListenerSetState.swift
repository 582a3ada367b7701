import Core

/// One ListenerSet whose parent is a Gateway of ours, while a set is resolved.
final class ListenerSetState {
    let group: ListenerGroup
    let gateway: GatewayState
    /// creationTimestamp, in nanoseconds; a missing one is the newest.
    let created: Int64

    init(_ resource: LoadedResource, number: Int, _ listenerSet: ListenerSet, gateway: GatewayState) {
        group = ListenerGroup(resource, number: number, listenerSet.listeners, isByName: gateway.isByName)
        self.gateway = gateway
        created = Timestamp.nanoseconds(resource.node[.metadata][.creationTimestamp].text) ?? Timestamp.newest
        for listener in group.listeners {
            listener.sockets = gateway.addresses.map { SocketAddress(ip: $0, port: listener.listener.port) }
        }
    }

    var name: ResourceName { group.name }

    /// The ListenerSets of `index` that name one of `gateways`, in the order of their precedence: the older first, then
    /// by namespace/name (ListenerSet.listeners).
    static func find(
        _ index: ResourceIndex, gateways: [GatewayState], namespaces: NamespaceTable, foreign: Set<ResourceName>,
        findings: inout FindingLog
    ) -> [ListenerSetState] {
        let byName = Dictionary(uniqueKeysWithValues: gateways.map { ($0.name, $0) })
        var found: [ListenerSetState] = []
        for number in index.listenerSets {
            let resource = index.resources[number]
            let listenerSet = ListenerSet(resource.node)
            let parent = listenerSet.parent
            let target = parent.target(from: resource.name.namespace)
            guard parent.group == APIGroup.gateway, parent.kind == "Gateway" else {
                findings.warning(
                    resource, parent.node, "a parent of kind '\(parent.kind)' is left alone; Gateways take ListenerSets"
                )
                continue
            }
            guard let gateway = byName[target] else {
                // Without any Gateway one finding says it for all.
                if !gateways.isEmpty, !foreign.contains(target) {
                    findings.unresolved(resource, parent.node, "there is no Gateway '\(target)'")
                }
                continue
            }
            let state = ListenerSetState(resource, number: number, listenerSet, gateway: gateway)
            if let why = gateway.refusal(of: resource.name.namespace, namespaces) {
                state.group.detachment = (.notAllowed, why)
            }
            found.append(state)
        }
        return found.sorted { a, b in a.created == b.created ? a.name < b.name : a.created < b.created }
    }

    // MARK: what becomes of it

    /// Why none of it counts, whatever its listeners.
    private var refusal: ListenerState.Problem? {
        if let detachment = group.detachment { return detachment }
        return gateway.isAccepted
            ? nil : (.parentNotAccepted, "Gateway '\(gateway.name)' is not accepted; its conditions say why")
    }

    var isAccepted: Bool { refusal == nil && group.listeners.contains { $0.isAccepted } }

    var status: ListenerSetStatus {
        if let refusal {
            let reason: ConditionReason =
                refusal.reason == .parentNotAccepted ? .parentNotProgrammed : refusal.reason
            return ListenerSetStatus(
                conditions: [
                    Condition(.accepted, false, refusal.reason, refusal.message),
                    Condition(.programmed, false, reason, refusal.message),
                ],
                listeners: group.detachment == nil
                    ? group.listeners.map { $0.status(inAcceptedGateway: false) } : [])
        }
        return ListenerSetStatus(
            conditions: [acceptedCondition, programmedCondition],
            listeners: group.listeners.map { $0.status(inAcceptedGateway: true) })
    }

    private var acceptedCondition: Condition {
        let broken = StatusMessage.list(group.listeners.filter { !$0.isAccepted }.map { "'\($0.listener.name)'" })
        if !isAccepted { return Condition(.accepted, false, .listenersNotValid, "No listener is valid: \(broken)") }
        return broken.isEmpty
            ? Condition(.accepted, true, .accepted, "ListenerSet is accepted")
            : Condition(.accepted, true, .listenersNotValid, "Listeners that are not valid: \(broken)")
    }

    private var programmedCondition: Condition {
        let broken = StatusMessage.list(group.listeners.filter { !$0.isProgrammed }.map { "'\($0.listener.name)'" })
        guard group.listeners.contains(where: { $0.isProgrammed }) else {
            return Condition(.programmed, false, .listenersNotValid, "No listener is served: \(broken)")
        }
        return Condition(
            .programmed, true, .programmed,
            broken.isEmpty ? "ListenerSet is serving" : "ListenerSet is serving, without its listeners \(broken)")
    }
}
