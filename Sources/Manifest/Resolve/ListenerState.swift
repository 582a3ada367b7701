import Config
import Core

/// One listener while a set is resolved: what its spec means, what is wrong with it, and the routes that come to it.
final class ListenerState {
    typealias Problem = (reason: ConditionReason, message: String)

    let listener: Gateway.Listener
    /// Nil: no protocol that Gateway API knows.
    let protocolKind: ListenerProtocol?
    /// `allowedRoutes.kinds` as far as they are served here.
    let routeKinds: [String]
    var sockets: [SocketAddress] = []
    /// By what its sockets are.
    var transport: SocketTransport { protocolKind == .udp ? .udp : .tcp }

    /// Why it is not accepted.
    var refusal: Problem?
    var conflict: Problem?
    /// Why its references do not all resolve, and whether it can work nevertheless.
    var unresolvedRefs: Problem?
    var worksWithUnresolvedRefs = false
    /// Why its sockets are not all bound.
    var bindProblem: Problem?
    var overlap: Problem?
    var certificates: [ListenerCertificate] = []

    private(set) var attachedRoutes = 0
    private(set) var attachments: [ListenerPlan.Attachment] = []
    private var lastRoute = -1
    private var allowedNamespaces: [String: Bool] = [:]

    init(_ listener: Gateway.Listener) {
        self.listener = listener
        protocolKind = ListenerProtocol(rawValue: listener.protocolName)
        let possible = protocolKind?.routeKinds ?? []
        let served = possible.filter(ServedProtocols.routeKinds.contains)
        if listener.kinds.isEmpty {
            routeKinds = served
        } else {
            routeKinds = served.filter { kind in
                listener.kinds.contains { $0.group == APIGroup.gateway && $0.kind == kind }
            }
            // A kind that fits but comes with a later version is no mistake of the user's, as long as another is left.
            let wrong = listener.kinds.filter { $0.group != APIGroup.gateway || !possible.contains($0.kind) }
            if let first = wrong.first ?? (routeKinds.isEmpty ? listener.kinds.first : nil), protocolKind != nil {
                let takes = served.isEmpty ? "" : "; it takes \(served.joined(separator: ", "))"
                unresolvedRefs = (
                    .invalidRouteKinds,
                    "allowedRoutes.kinds: a listener of protocol \(listener.protocolName) takes no \(first.kind)\(takes)"
                )
            }
        }
        if protocolKind == nil {
            refusal = (
                .unsupportedProtocol, "protocol '\(listener.protocolName)' is not supported; \(Self.servedText)"
            )
        } else if case .invalid(let why) = listener.namespaces {
            refusal = (.unsupportedValue, "allowedRoutes.namespaces: \(why)")
        } else if let kind = protocolKind, !ServedProtocols.listeners.contains(kind) {
            refusal = (
                .unsupportedProtocol,
                "protocol '\(listener.protocolName)' is not served by this version; \(Self.servedText)"
            )
        }
    }

    private static let servedText: String = {
        let names = ServedProtocols.listeners.map(\.rawValue)
        return names.joined(separator: ", ") + (names.count == 1 ? " is" : " are")
    }()

    // MARK: what becomes of it

    var isAccepted: Bool { refusal == nil && conflict == nil }
    /// Nothing in the manifests keeps it from working.
    var isValid: Bool { isAccepted && (unresolvedRefs == nil || worksWithUnresolvedRefs) }
    var isProgrammed: Bool { isValid && bindProblem == nil }

    private func conditions(inAcceptedGateway isGatewayAccepted: Bool) -> [Condition] {
        var conditions: [Condition] = []
        if let problem = refusal ?? conflict {
            conditions.append(Condition(.accepted, false, problem.reason, problem.message))
        } else {
            conditions.append(Condition(.accepted, true, .accepted, "Listener is accepted"))
        }
        if isProgrammed && isGatewayAccepted {
            conditions.append(Condition(.programmed, true, .programmed, "Listener is serving"))
        } else if isValid && !isGatewayAccepted {
            conditions.append(
                Condition(.programmed, false, .invalid, "Its Gateway is not accepted; its conditions say why"))
        } else if isValid, let bindProblem {
            conditions.append(Condition(.programmed, false, bindProblem.reason, bindProblem.message))
        } else {
            conditions.append(
                Condition(.programmed, false, .invalid, "Listener is not served; its other conditions say why"))
        }
        if let unresolvedRefs {
            conditions.append(Condition(.resolvedRefs, false, unresolvedRefs.reason, unresolvedRefs.message))
        } else {
            conditions.append(Condition(.resolvedRefs, true, .resolvedRefs, StatusMessage.referencesResolved))
        }
        if let conflict {
            conditions.append(Condition(.conflicted, true, conflict.reason, conflict.message))
        } else {
            conditions.append(Condition(.conflicted, false, .noConflicts, "No other listener wants the same requests"))
        }
        if let overlap {
            conditions.append(Condition(.overlappingTLSConfig, true, overlap.reason, overlap.message))
        }
        return conditions
    }

    func status(inAcceptedGateway isGatewayAccepted: Bool) -> ListenerStatus {
        ListenerStatus(
            name: listener.name, supportedKinds: routeKinds, attachedRoutes: attachedRoutes,
            conditions: conditions(inAcceptedGateway: isGatewayAccepted))
    }

    // MARK: routes

    /// Whether a route of `kind` in `namespace` may attach; `home` is the Gateway's namespace.
    func allows(kind: String, in namespace: String, home: String, namespaces: NamespaceTable) -> Bool {
        guard routeKinds.contains(kind) else { return false }
        switch listener.namespaces {
        case .all: return true
        case .same: return namespace == home
        case .none, .invalid: return false
        case .selector(let selector):
            if let known = allowedNamespaces[namespace] { return known }
            let allowed = selector.matches(namespaces.labels(of: namespace))
            allowedNamespaces[namespace] = allowed
            return allowed
        }
    }

    /// A route attaches once, by however many of its parentRefs.
    func attach(route: Int, hostnames: [String], isCounted: Bool) {
        guard lastRoute != route else { return }
        lastRoute = route
        attachments.append(ListenerPlan.Attachment(hostnames: hostnames, route: route))
        if isCounted { attachedRoutes += 1 }
    }
}
