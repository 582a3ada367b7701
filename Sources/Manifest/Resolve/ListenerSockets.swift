import Config
import Core

/// The sockets of a plan, with the listeners that share them.
enum ListenerSockets {
    /// Listeners that can work, by the address, port and transport that they share, in the order of the files; a
    /// Gateway's own before those of its ListenerSets.
    static func plans(_ gateways: [GatewayState]) -> [SocketPlan] {
        var sockets: [SocketPlan] = []
        var numbers: [ListeningAddress: Int] = [:]
        for gateway in gateways where gateway.isAccepted {
            for group in gateway.groups where group.detachment == nil {
                for listener in group.listeners where listener.isValid {
                    guard let plan = plan(listener, of: group, gateway) else { continue }
                    let transport = plan.listenerProtocol.transport
                    for address in listener.sockets {
                        let place = ListeningAddress(transport, address)
                        // It comes before the server name, so all listeners of a socket have it, the strictest.
                        let wanted = listener.clientTraffic?.proxyProtocol ?? .off
                        if let number = numbers[place] {
                            sockets[number].listeners.append(plan)
                            for field in gateway.carried.fields where !sockets[number].carried.contains(field) {
                                sockets[number].carried.append(field)
                            }
                            if wanted.rawValue > sockets[number].proxyProtocol.rawValue {
                                sockets[number].proxyProtocol = wanted
                            }
                        } else {
                            numbers[place] = sockets.count
                            var socket = SocketPlan(address: address, listeners: [plan])
                            socket.transport = transport
                            socket.carried = gateway.carried.fields
                            socket.proxyProtocol = transport == .tcp ? wanted : .off
                            sockets.append(socket)
                        }
                    }
                }
            }
        }
        return sockets
    }

    private static func plan(
        _ listener: ListenerState, of group: ListenerGroup, _ gateway: GatewayState
    ) -> ListenerPlan? {
        guard let kind = listener.protocolKind else { return nil }
        var plan = ListenerPlan(
            gatewayNamespace: gateway.name.namespace, gatewayName: gateway.name.name, name: listener.listener.name,
            hostname: listener.listener.hostname, attachments: listener.attachments,
            position: listener.listener.node.position(in: group.resource.file))
        if group.isListenerSet { plan.listenerSet = group.name.description }
        plan.listenerProtocol = kind
        if listener.isOfGroup {
            plan.group = gateway.groupNumber
            plan.interception = listener.interception
        }
        plan.tls = listener.tls
        plan.policies = listener.clientPolicy.map { [$0] } ?? []
        plan.forwardedClientCert = listener.clientTraffic?.forwardedClientCert ?? ForwardedClientCertPlan()
        plan.client = listener.clientTraffic?.plan ?? ClientTrafficPlan()
        precondition(!kind.terminatesTLS || plan.tls != nil, "a valid listener that ends TLS has a certificate")
        return plan
    }
}
