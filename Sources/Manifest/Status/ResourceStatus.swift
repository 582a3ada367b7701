import Core

/// The `.status` of one resource. Kinds without one have ``none``.
package enum ResourceStatus: Equatable, Sendable {
    case none
    case gatewayClass([Condition])
    case gateway(GatewayStatus)
    case listenerSet(ListenerSetStatus)
    case route([RouteParentStatus])
    case policy([AncestorStatus])
    /// Of Envoy Gateway; and that of Istio's policies, which is as plain.
    case backend([Condition])
}

/// The status of a Gateway.
package struct GatewayStatus: Equatable, Sendable {
    package var addresses: [IPAddress] = []
    package var conditions: [Condition] = []
    package var listeners: [ListenerStatus] = []
    /// Nil where ListenerSets play no part.
    package var attachedListenerSets: Int?
}

/// The status of a ListenerSet.
package struct ListenerSetStatus: Equatable, Sendable {
    package var conditions: [Condition]
    /// Empty when it is not attached.
    package var listeners: [ListenerStatus]
}

package struct ListenerStatus: Equatable, Sendable {
    package var name: String
    /// All in Gateway API's own group.
    package var supportedKinds: [String]
    package var attachedRoutes: Int
    package var conditions: [Condition]
}

/// What one parent says of a route.
package struct RouteParentStatus: Equatable, Sendable {
    /// Which reference of the route it answers.
    package enum Reference: Equatable, Sendable {
        /// The entry of `spec.parentRefs` with this number; it is written out as it stands there.
        case parentRef(UInt16)
        /// A default Gateway, which the route does not name.
        case defaultGateway(ResourceName)
    }
    package var reference: Reference
    /// Equal for the same reference in the next set, wherever it then stands.
    package var identity: UInt64
    package var conditions: [Condition]
}

extension ResourceStatus {
    /// Keeps the transition times of what did not change.
    mutating func date(now: String, since previous: ResourceStatus) {
        switch self {
        case .none: break
        case .gatewayClass(var conditions):
            self = .none  // So that the array has one owner while it is written.
            var old: [Condition]?
            if case .gatewayClass(let before) = previous { old = before }
            conditions.date(now: now, since: old)
            self = .gatewayClass(conditions)
        case .gateway(var status):
            self = .none
            var old: GatewayStatus?
            if case .gateway(let before) = previous { old = before }
            status.conditions.date(now: now, since: old?.conditions)
            status.listeners.date(now: now, since: old?.listeners)
            self = .gateway(status)
        case .listenerSet(var status):
            self = .none
            var old: ListenerSetStatus?
            if case .listenerSet(let before) = previous { old = before }
            status.conditions.date(now: now, since: old?.conditions)
            status.listeners.date(now: now, since: old?.listeners)
            self = .listenerSet(status)
        case .route(var parents):
            self = .none
            var old: [RouteParentStatus] = []
            if case .route(let before) = previous { old = before }
            for index in parents.indices {
                let before = old.first { $0.identity == parents[index].identity }
                parents[index].conditions.date(now: now, since: before?.conditions)
            }
            self = .route(parents)
        case .policy(var ancestors):
            self = .none
            var old: [AncestorStatus] = []
            if case .policy(let before) = previous { old = before }
            for index in ancestors.indices {
                let before = old.first { $0.reference == ancestors[index].reference }
                ancestors[index].conditions.date(now: now, since: before?.conditions)
            }
            self = .policy(ancestors)
        case .backend(var conditions):
            self = .none
            var old: [Condition]?
            if case .backend(let before) = previous { old = before }
            conditions.date(now: now, since: old)
            self = .backend(conditions)
        }
    }
}

extension [ListenerStatus] {
    fileprivate mutating func date(now: String, since previous: [ListenerStatus]?) {
        for index in indices {
            let before = previous?.first { $0.name == self[index].name }
            self[index].conditions.date(now: now, since: before?.conditions)
        }
    }
}
