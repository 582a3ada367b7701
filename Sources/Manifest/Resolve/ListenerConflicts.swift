import Core

/// Listeners that cannot be told apart. All of them lose: none may be picked as the winner (Gateway.listeners,
/// "Handling indistinct Listeners"). Gateways that share a socket are judged together.
enum ListenerConflicts {
    private struct Place: Hashable {
        var socket: SocketAddress
        /// UDP has ports of its own.
        var isUDP: Bool
    }

    static func mark(_ gateways: [GatewayState]) {
        var byPlace: [Place: [(gateway: GatewayState, listener: ListenerState)]] = [:]
        for gateway in gateways where gateway.addressProblem == nil {
            for listener in gateway.listeners {
                guard let kind = listener.protocolKind else { continue }
                for socket in listener.sockets {
                    byPlace[Place(socket: socket, isUDP: kind == .udp), default: []].append((gateway, listener))
                }
            }
        }
        for sharers in byPlace.values where sharers.count > 1 { judge(sharers) }
    }

    private static func judge(_ sharers: [(gateway: GatewayState, listener: ListenerState)]) {
        let families = Set(sharers.compactMap { $0.listener.protocolKind?.family })
        if families.count > 1 {
            let names = Set(sharers.map(\.listener.listener.protocolName)).sorted().joined(separator: ", ")
            for (_, listener) in sharers {
                listener.conflict = (
                    .protocolConflict, "port \(listener.listener.port) is wanted by listeners of protocols \(names)"
                )
            }
            return
        }
        var byHostname: [String: [(gateway: GatewayState, listener: ListenerState)]] = [:]
        for sharer in sharers { byHostname[sharer.listener.listener.hostname, default: []].append(sharer) }
        for (hostname, equals) in byHostname where equals.count > 1 {
            let names = StatusMessage.list(
                equals.map { "\($0.gateway.name)/\($0.listener.listener.name)" }.sorted())
            let what = hostname.isEmpty ? "every hostname" : "hostname '\(hostname)'"
            for (_, listener) in equals {
                // TCP and UDP have no hostnames: there the port alone is contested.
                let reason: ConditionReason =
                    listener.protocolKind?.hasHostnames ?? false ? .hostnameConflict : .protocolConflict
                listener.conflict = (reason, "port \(listener.listener.port), \(what): wanted by listeners \(names)")
            }
        }
    }
}
