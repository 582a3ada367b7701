import Config
import Core

/// One Gateway of ours while a set is resolved.
final class GatewayState {
    let gateway: Gateway
    let resource: LoadedResource
    /// Its number among the set's resources.
    let number: Int
    let listeners: [ListenerState]
    /// Where its listeners are bound; `::` when it names no address.
    private(set) var addresses: [IPAddress] = []
    /// Whether the user chose them.
    private(set) var hasOwnAddresses = false
    private(set) var addressProblem: ListenerState.Problem?
    /// `spec.tls.backend.clientCertificateRef` that leads nowhere.
    var clientCertificateProblem: ListenerState.Problem?
    /// Addresses that cannot be used, as binding showed.
    private(set) var unusable: [(address: IPAddress, message: String)] = []
    private var byName: [String: Int] = [:]

    init(_ resource: LoadedResource, number: Int) {
        gateway = Gateway(resource.node)
        self.resource = resource
        self.number = number
        listeners = gateway.listeners.map(ListenerState.init)
        for (index, listener) in listeners.enumerated() { byName[listener.listener.name] = index }
        readAddresses()
        for listener in listeners {
            listener.sockets = addresses.map { SocketAddress(ip: $0, port: listener.listener.port) }
        }
    }

    var name: ResourceName { resource.name }

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
            hasOwnAddresses = true
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
        for listener in listeners where listener.isValid {
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
                        .portUnavailable, "\(message); end what listens there, or choose another port"
                    )
                }
            }
        }
    }

    var status: GatewayStatus {
        var status = GatewayStatus()
        status.listeners = listeners.map { $0.status(inAcceptedGateway: isAccepted) }
        status.addresses = isAccepted ? addresses.filter { ip in !unusable.contains { $0.address == ip } } : []
        status.conditions = [acceptedCondition, programmedCondition]
        if let problem = clientCertificateProblem {
            status.conditions.append(
                Condition(
                    .resolvedRefs, false, problem.reason, "tls.backend.clientCertificateRef: \(problem.message)"))
        } else if gateway.clientCertificateRef != nil {
            status.conditions.append(Condition(.resolvedRefs, true, .resolvedRefs, StatusMessage.referencesResolved))
        }
        return status
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

    // MARK: routes

    /// The listeners that a reference selects by sectionName and port.
    func selected(sectionName: String?, port: UInt16?) -> [ListenerState] {
        if let sectionName {
            guard let index = byName[sectionName], port == nil || listeners[index].listener.port == port else {
                return []
            }
            return [listeners[index]]
        }
        return port == nil ? listeners : listeners.filter { $0.listener.port == port }
    }
}
