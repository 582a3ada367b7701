import Config
import Core

/// One Gateway of ours while a set is resolved.
final class GatewayState {
    let gateway: Gateway
    /// Its own listeners.
    let group: ListenerGroup
    /// ListenerSets that name it, allowed or not, in the order of their precedence.
    var listenerSets: [ListenerSetState] = []
    /// Where its listeners are bound; `::` when it names no address.
    private(set) var addresses: [IPAddress] = []
    private(set) var addressProblem: ListenerState.Problem?
    /// Its listeners take calls to members of its group by their names (`sluice.dev/group: by-name`).
    let isByName: Bool
    /// The group that it is the gateway of; nil: it is an ordinary one.
    var groupNumber: Int?
    /// The plan of the route that lets requests out which no other route is for; nil: none is let out.
    var egressRoute: Int?
    /// What it shows to backends that ask for a certificate (`spec.tls.backend.clientCertificateRef`); nil: nothing, either
    /// because nothing is written or because of ``clientCertificateProblem``.
    var clientCertificate: CertificatePlan?
    /// `spec.tls.backend.clientCertificateRef` that leads nowhere.
    var clientCertificateProblem: ListenerState.Problem?
    /// Its workload certificate and whom it believes (annotations); nil: nothing is written, or ``identityProblem``.
    var identity: WorkloadIdentity?
    var identityProblem: String?
    /// Well or not: backends know whose it would be.
    var hasIdentityWritten: Bool { identity != nil || identityProblem != nil }
    /// `sluice.dev/trust-domain`.
    var trustDomain = WorkloadIdentity.defaultTrustDomain
    /// `spec.tls.frontend`: references to authorities that lead nowhere.
    var refusedAuthorities: [(node: WrittenNode, message: String)] = []
    /// What its requests carry on.
    let carried: CarriedFields
    /// Addresses that cannot be used, as binding showed.
    private(set) var unusable: [(address: IPAddress, message: String)] = []

    init(_ resource: LoadedResource, number: Int) {
        gateway = Gateway(resource.node)
        isByName = GroupAnnotations.isByName(resource)
        group = ListenerGroup(resource, number: number, gateway.listeners, isByName: isByName)
        carried = CarriedFields(resource)
        readAddresses()
        for listener in listeners {
            listener.sockets = addresses.map { SocketAddress(ip: $0, port: listener.listener.port) }
        }
    }

    var name: ResourceName { group.name }
    var resource: LoadedResource { group.resource }
    var number: Int { group.number }
    var listeners: [ListenerState] { group.listeners }
    /// Its own listeners, then those of its ListenerSets.
    var groups: [ListenerGroup] { [group] + listenerSets.map(\.group) }

    private func readAddresses() {
        for address in gateway.addresses {
            guard address.type == "IPAddress" else {
                addressProblem =
                    addressProblem
                    ?? (.unsupportedAddress, "addresses of type '\(address.type)' are not supported; IPAddress is")
                continue
            }
            guard let value = address.value, !value.isEmpty else {
                addresses.append(.any)
                continue
            }
            guard let ip = value.withView({ IPAddress($0) }) else {
                addressProblem = addressProblem ?? (.unsupportedAddress, "'\(value)' is no IP address")
                continue
            }
            addresses.append(ip)
        }
        if gateway.addresses.isEmpty { addresses = [.any] }
        var seen = Set<IPAddress>()
        addresses = addresses.filter { seen.insert($0).inserted }
    }

    // MARK: what becomes of it

    /// With no listener that is accepted there is nothing to process (Gateway.listeners, "Handling indistinct Listeners").
    var isAccepted: Bool { addressProblem == nil && listeners.contains { $0.isAccepted } }

    /// Which of its sockets are not there, per listener and for whole addresses.
    func note(bindFailures: [ListeningAddress: BindFailure]) {
        guard isAccepted, !bindFailures.isEmpty else { return }
        for listener in groups.filter({ $0.detachment == nil }).flatMap(\.listeners) where listener.isValid {
            for socket in listener.sockets {
                guard let failure = bindFailures[ListeningAddress(listener.transport, socket)] else { continue }
                let message = "\(socket) cannot be bound: \(failure.message)"
                switch failure.cause {
                case .addressNotUsable:
                    listener.bindProblem = (.addressNotUsable, message)
                    if !unusable.contains(where: { $0.address == socket.ip }) {
                        unusable.append((socket.ip, message))
                    }
                case .portUnavailable:
                    listener.refusal = (
                        .portUnavailable, "\(message); \(Self.remedy(failure, listener))"
                    )
                }
            }
        }
    }

    /// Ports below this one are the system's (ip_unprivileged_port_start, as kernels have it).
    private static let firstOrdinaryPort: UInt16 = 1024

    /// What would make a port available.
    private static func remedy(_ failure: BindFailure, _ listener: ListenerState) -> String {
        guard failure.isForbidden else { return "end what listens there, or choose another port" }
        var needed: [String] = []
        if listener.interception == .tproxy { needed.append("CAP_NET_ADMIN for \(TransparentAnnotation.name): tproxy") }
        if listener.listener.port < firstOrdinaryPort {
            needed.append("CAP_NET_BIND_SERVICE for ports below \(firstOrdinaryPort)")
        }
        return needed.isEmpty
            ? "something on this machine forbids it, such as a security module"
            : "give sluice " + needed.joined(separator: " and ")
    }

    var status: GatewayStatus {
        var status = GatewayStatus()
        status.listeners = listeners.map { $0.status(inAcceptedGateway: isAccepted) }
        status.addresses = isAccepted ? addresses.filter { ip in !unusable.contains { $0.address == ip } } : []
        status.conditions = [acceptedCondition, programmedCondition]
        if let resolvedRefsCondition { status.conditions.append(resolvedRefsCondition) }
        if isInsecure {
            status.conditions.append(
                Condition(
                    .insecureFrontendValidationMode, true, .configurationChanged,
                    "Clients without a valid certificate are let in: AllowInsecureFallback in tls.frontend"))
        }
        if gateway.node[.spec][.allowedListeners].exists || !listenerSets.isEmpty {
            status.attachedListenerSets = listenerSets.filter(\.isAccepted).count
        }
        return status
    }

    private var isInsecure: Bool {
        gateway.clientValidation?.isInsecure ?? false
            || gateway.clientValidationByPort.values.contains { $0?.isInsecure ?? false }
    }

    /// What the Gateway itself refers to, and a summary of its listeners; not there when neither refers to anything.
    private var resolvedRefsCondition: Condition? {
        if let problem = clientCertificateProblem {
            return Condition(
                .resolvedRefs, false, problem.reason, "tls.backend.clientCertificateRef: \(problem.message)")
        }
        let broken = listeners.filter { $0.unresolvedRefs != nil }.map { "'\($0.listener.name)'" }
        if !broken.isEmpty {
            return Condition(
                .resolvedRefs, false, .listenersNotResolved,
                "Listeners whose references are not all resolved: \(StatusMessage.list(broken))")
        }
        guard gateway.node[.spec][.tls].exists || listeners.contains(where: { !$0.certificates.isEmpty }) else {
            return nil
        }
        return Condition(.resolvedRefs, true, .resolvedRefs, StatusMessage.referencesResolved)
    }

    private var acceptedCondition: Condition {
        if let addressProblem {
            return Condition(.accepted, false, addressProblem.reason, addressProblem.message)
        }
        let broken = listeners.filter { !$0.isValid }.map { "'\($0.listener.name)'" }
        let list = StatusMessage.list(broken)
        if !isAccepted { return Condition(.accepted, false, .listenersNotValid, "No listener is valid: \(list)") }
        return broken.isEmpty
            ? Condition(.accepted, true, .accepted, "Gateway is accepted")
            : Condition(.accepted, true, .listenersNotValid, "Listeners that are not valid: \(list)")
    }

    private var programmedCondition: Condition {
        guard isAccepted else {
            return Condition(.programmed, false, .invalid, "Gateway is not served; its Accepted condition says why")
        }
        if let first = unusable.first { return Condition(.programmed, false, .addressNotUsable, first.message) }
        guard listeners.contains(where: { $0.isProgrammed }) else {
            return Condition(.programmed, false, .invalid, "No listener is served; their conditions say why")
        }
        return Condition(.programmed, true, .programmed, "Gateway is serving")
    }

    // MARK: ListenerSets

    /// Why ListenerSets of `namespace` may not attach; nil: they may.
    func refusal(of namespace: String, _ namespaces: NamespaceTable) -> String? {
        let isAllowed =
            switch gateway.allowedListeners {
            case .all: true
            case .same: namespace == name.namespace
            case .none, .invalid: false
            case .selector(let selector): selector.matches(namespaces.labels(of: namespace))
            }
        return isAllowed
            ? nil
            : "Gateway '\(name)' takes no ListenerSets of namespace '\(namespace)'; see its allowedListeners"
    }
}
