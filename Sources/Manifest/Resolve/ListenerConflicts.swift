import Config
import Core

/// Listeners that cannot be told apart. Of a Gateway's own listeners none may be picked as the winner (Gateway.listeners,
/// "Handling indistinct Listeners"), and Gateways that share a socket are judged together. Where ListenerSets come in,
/// the Gateway's own listener wins, and among ListenerSets the first in their order (ListenerSet.listeners).
enum ListenerConflicts {
    /// A listener and who wrote it.
    private struct Sharer {
        var group: ListenerGroup
        var listener: ListenerState
        var kind: ListenerProtocol
        var isOwn: Bool { !group.isListenerSet }
    }

    /// - Parameter listenerSets: in the order of their precedence.
    static func mark(_ gateways: [GatewayState], _ listenerSets: [ListenerSetState]) {
        var byPlace: [ListeningAddress: [Sharer]] = [:]
        var places: [ListeningAddress] = []
        let groups =
            gateways.filter { $0.addressProblem == nil }.map(\.group)
            + listenerSets.filter { $0.group.detachment == nil && $0.gateway.addressProblem == nil }.map(\.group)
        for group in groups {
            // What cannot be served takes no place: it must not keep others from working.
            for listener in group.listeners where listener.isValid {
                guard let kind = listener.protocolKind else { continue }
                for socket in listener.sockets {
                    let place = ListeningAddress(kind.transport, socket)
                    if byPlace[place] == nil { places.append(place) }
                    byPlace[place, default: []].append(Sharer(group: group, listener: listener, kind: kind))
                }
            }
        }
        for place in places {
            guard let sharers = byPlace[place], sharers.count > 1 else { continue }
            judgeHostnames(judgeProtocols(sharers))
        }
    }

    // MARK: protocols

    /// - Returns: those that agree on the protocol.
    private static func judgeProtocols(_ sharers: [Sharer]) -> [Sharer] {
        guard Set(sharers.map(\.kind.family)).count > 1 else { return sharers }
        let own = Set(sharers.filter(\.isOwn).map(\.kind.family))
        // A ListenerSet that disagrees with itself has no say.
        let divided = own.isEmpty ? groupsWithSeveral(sharers) { $0.kind.family } : []
        let candidates = sharers.filter { !divided.contains(ObjectIdentifier($0.group)) }
        let winner = own.count > 1 ? nil : own.first ?? candidates.first?.kind.family
        let names = Set(sharers.map(\.listener.listener.protocolName)).sorted().joined(separator: ", ")
        var left: [Sharer] = []
        for sharer in sharers {
            if sharer.kind.family == winner, !divided.contains(ObjectIdentifier(sharer.group)) {
                left.append(sharer)
            } else {
                sharer.listener.conflict = (
                    .protocolConflict,
                    "port \(sharer.listener.listener.port) is wanted by listeners of protocols \(names)"
                )
            }
        }
        return left
    }

    /// ListenerSets of whose sharers `key` is not always the same.
    private static func groupsWithSeveral<Key: Hashable>(
        _ sharers: [Sharer], _ key: (Sharer) -> Key
    ) -> Set<ObjectIdentifier> {
        var keys: [ObjectIdentifier: Set<Key>] = [:]
        for sharer in sharers { keys[ObjectIdentifier(sharer.group), default: []].insert(key(sharer)) }
        return Set(keys.filter { $0.value.count > 1 }.keys)
    }

    // MARK: hostnames

    private static func judgeHostnames(_ sharers: [Sharer]) {
        var byHostname: [String: [Sharer]] = [:]
        for sharer in sharers { byHostname[sharer.listener.listener.hostname, default: []].append(sharer) }
        for (hostname, equals) in byHostname where equals.count > 1 {
            let winner = winner(of: equals)
            let names = StatusMessage.list(equals.map { $0.group.place(of: $0.listener) }.sorted())
            let what = hostname.isEmpty ? "every hostname" : "hostname '\(hostname)'"
            for sharer in equals where sharer.listener !== winner {
                // TCP and UDP have no hostnames: there the port alone is contested.
                let reason: ConditionReason = sharer.kind.hasHostnames ? .hostnameConflict : .protocolConflict
                sharer.listener.conflict = (
                    reason, "port \(sharer.listener.listener.port), \(what): wanted by listeners \(names)"
                )
            }
        }
    }

    private static func winner(of equals: [Sharer]) -> ListenerState? {
        let own = equals.filter(\.isOwn)
        if own.count == 1 { return own[0].listener }
        guard own.isEmpty else { return nil }
        // A ListenerSet that names one host twice picks no winner among its own.
        return equals.first { sharer in equals.filter { $0.group === sharer.group }.count == 1 }?.listener
    }
}
