import Config
import Core

/// One listener while a set is resolved: what its spec means, what is wrong with it, and the routes that come to it.
final class ListenerState {
    typealias Problem = (reason: ConditionReason, message: String)

    let listener: Gateway.Listener
    /// A ListenerSet wrote it: its conditions are worded a little otherwise, and the Gateway's listeners come first.
    let isOfListenerSet: Bool
    /// Nil: no protocol that Gateway API knows.
    let protocolKind: ListenerProtocol?
    /// It takes the calls of a group's services.
    let isOfGroup: Bool
    /// How connections come to it that were meant for others.
    var interception = Interception.none
    /// `allowedRoutes.kinds` as far as they are served here.
    let routeKinds: [String]
    var sockets: [SocketAddress] = []
    /// By what its sockets are.
    var transport: SocketTransport { protocolKind?.transport ?? .tcp }

    /// Why it is not accepted.
    var refusal: Problem?
    var conflict: Problem?
    /// What its spec lacks, so that it is accepted but cannot be served.
    var specProblem: Problem?
    /// Why its references do not all resolve, and whether it can work nevertheless.
    var unresolvedRefs: Problem?
    var worksWithUnresolvedRefs = false
    /// The references are its Gateway's, where what is wrong is told once.
    var isBlamelessForRefs = false
    /// Why its sockets are not all bound.
    var bindProblem: Problem?
    var overlap: Problem?
    /// What it shows, in the order of `certificateRefs`; those that cannot be used are left out.
    var certificates: [ResolvedCertificate] = []
    /// What it asks of clients' certificates.
    var clientValidation: ClientValidationPlan?
    /// Of HBONE: of which trust domain clients must be (SPIFFE); else empty.
    var trustDomain = ""
    /// The ClientTrafficPolicy that is in force on it.
    var clientTraffic: ClientTrafficSettings?
    /// The same for `explain`.
    var clientPolicy: AppliedPolicyPlan?

    private(set) var attachedRoutes = 0
    private(set) var attachments: [ListenerPlan.Attachment] = []
    private var lastRoute = -1
    private var allowedNamespaces: [String: Bool] = [:]

    init(_ listener: Gateway.Listener, isOfListenerSet: Bool, isByName: Bool) {
        self.listener = listener
        self.isOfListenerSet = isOfListenerSet
        protocolKind = ListenerProtocol(name: listener.protocolName, isPassthrough: listener.isPassthrough)
        isOfGroup = protocolKind == .hbone || isByName && protocolKind != .udp
        // Whatever is called through a group's gateway may be requests or octets, in TLS or not.
        let possible = (isOfGroup && protocolKind != nil ? .hbone : protocolKind)?.routeKinds ?? []
        if listener.kinds.isEmpty {
            routeKinds = possible
        } else {
            routeKinds = possible.filter { kind in
                listener.kinds.contains { $0.group == APIGroup.gateway && $0.kind == kind }
            }
            let wrong = listener.kinds.filter { $0.group != APIGroup.gateway || !possible.contains($0.kind) }
            if let first = wrong.first ?? (routeKinds.isEmpty ? listener.kinds.first : nil), protocolKind != nil {
                let takes = possible.isEmpty ? "" : "; it takes \(possible.joined(separator: ", "))"
                unresolvedRefs = (
                    .invalidRouteKinds,
                    "allowedRoutes.kinds: a listener of protocol \(listener.protocolName) takes no \(first.kind)\(takes)"
                )
            }
        }
        if protocolKind == nil {
            refusal = (
                .unsupportedProtocol,
                "protocol '\(listener.protocolName)' is not supported; \(ListenerProtocol.names.joined(separator: ", ")) are"
            )
        } else if case .invalid(let why) = listener.namespaces {
            refusal = (.unsupportedValue, "allowedRoutes.namespaces: \(why)")
        }
    }

    // MARK: what becomes of it

    var isAccepted: Bool { refusal == nil && conflict == nil }
    /// Nothing in the manifests keeps it from working.
    var isValid: Bool { isAccepted && specProblem == nil && (unresolvedRefs == nil || worksWithUnresolvedRefs) }
    var isProgrammed: Bool { isValid && bindProblem == nil }

    private func conditions(inAcceptedGateway isGatewayAccepted: Bool) -> [Condition] {
        var conditions: [Condition] = []
        if let problem = refusal ?? conflict {
            conditions.append(Condition(.accepted, false, problem.reason, problem.message))
        } else {
            conditions.append(Condition(.accepted, true, .accepted, "Listener is accepted"))
        }
        conditions.append(programmedCondition(inAcceptedGateway: isGatewayAccepted))
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

    private func programmedCondition(inAcceptedGateway isGatewayAccepted: Bool) -> Condition {
        if isValid, !isGatewayAccepted {
            return Condition(.programmed, false, .invalid, "Its Gateway is not accepted; its conditions say why")
        }
        if isValid, let bindProblem {
            return Condition(.programmed, false, bindProblem.reason, bindProblem.message)
        }
        if isValid { return Condition(.programmed, true, .programmed, "Listener is serving") }
        let message = "Listener is not served; its other conditions say why"
        if refusal?.reason == .noValidCACertificate, let unresolvedRefs {
            return Condition(.programmed, false, unresolvedRefs.reason, unresolvedRefs.message)
        }
        if isOfListenerSet, refusal == nil, let conflict {
            return Condition(.programmed, false, conflict.reason, conflict.message)
        }
        return Condition(
            .programmed, false, isOfListenerSet ? .listenersNotValid : .invalid, specProblem?.message ?? message)
    }

    /// Of HTTPS, HBONE and of TLS that ends here, when something can be shown.
    var tls: ServerTLSPlan? {
        guard protocolKind?.terminatesTLS ?? false, !certificates.isEmpty else { return nil }
        var plan = ServerTLSPlan(certificates: certificates.map(\.plan))
        // Inside of a group's there is HTTP, too: of those members that speak it.
        if protocolKind == .tlsTerminate, !isOfGroup { plan.parameters.alpn = [] }
        if let written = clientTraffic?.tls {
            let alpn = plan.parameters.alpn
            plan.parameters = written.parameters
            // What is spoken on a connection is HTTP's choice only where HTTP is spoken.
            if !written.hasALPN { plan.parameters.alpn = alpn }
        }
        plan.clientValidation = clientTraffic?.clientValidation ?? clientValidation
        if protocolKind == .hbone {
            plan.parameters.alpn = ["h2"]
            // No policy makes it laxer: who calls is what authorization goes by.
            plan.clientValidation?.mode = .require
            plan.clientValidation?.trustDomain = trustDomain
        }
        return plan
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
