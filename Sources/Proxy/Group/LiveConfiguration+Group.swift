import Config
import Connection
import Core
import Routing

extension LiveConfiguration {
    /// The listener of a group that a connection has come to, itself or inside of another one; nil: an ordinary listener.
    func groupListener(
        of origin: ConnectionOrigin, on socket: UnsafePointer<SocketConfig>
    ) -> UnsafePointer<ListenerConfig>? {
        let identity = origin.groupIdentity != 0 ? origin.groupIdentity : origin.listenerIdentity
        let number = identity != 0 ? listener(identity) : socket.pointee.groupListener
        guard let number, number != ListenerConfig.noGroup else { return nil }
        let found = snapshot[snapshot.header.pointee.listeners, Int(number)]
        return found.pointee.isOfGroup ? found : nil
    }

    /// The group whose calls a listener takes.
    func group(of listener: UnsafePointer<ListenerConfig>) -> UnsafePointer<GroupConfig> {
        precondition(listener.pointee.isOfGroup, "an ordinary listener has no group")
        return snapshot[snapshot.header.pointee.groups, Int(listener.pointee.group)]
    }

    /// Who of a group is called.
    func lookUp(_ destination: CallDestination, for origin: ConnectionOrigin, in group: UInt32) -> CallLookup {
        switch destination {
        case .address(let address): return routes.lookUp(address: address, in: group)
        case .authority(let host, let port):
            return withNamespace(of: origin) { namespace in
                host.withView { routes.lookUp(host: $0, .exactly(port), from: namespace, in: group) }
            }
        }
    }

    /// Whom a server name means within TLS that a group's listener ends.
    func lookUp(
        serverName: ByteView, within listener: UnsafePointer<ListenerConfig>, for origin: ConnectionOrigin
    ) -> CallLookup {
        guard !serverName.isEmpty else { return .outside }
        let wish = PortWish.request(port: nil, listener: listener.pointee.port, isSecure: true)
        return withNamespace(of: origin) {
            routes.lookUp(host: serverName, wish, from: $0, in: listener.pointee.group)
        }
    }

    /// Whether HTTP may be spoken within TLS that a group's listener ends, for a server name: to a member that does not say
    /// otherwise, or to a host outside that routes of requests name and no other do. The caller may not be known yet.
    func mayBeHTTP(_ serverName: ByteView, within listener: UnsafePointer<ListenerConfig>, on relays: Relays) -> Bool {
        guard !serverName.isEmpty else { return false }
        let wish = PortWish.request(port: nil, listener: listener.pointee.port, isSecure: true)
        switch routes.lookUp(host: serverName, wish, from: .empty, in: listener.pointee.group) {
        case .member(let call):
            let spoken = routes.memberPort(call).pointee.memberProtocol
            return spoken == .http || spoken == .undeclared
        case .outside: return isOfRequests(serverName, listener, relays)
        case .noPort, .ambiguous: return false
        }
    }

    /// A host outside that routes of requests have, and none of connections.
    func isOfRequests(
        _ host: ByteView, _ listener: UnsafePointer<ListenerConfig>, _ relays: Relays
    ) -> Bool {
        relays.rule(host, in: listener.pointee.streamHosts, snapshot) == nil
            && relays.rule(host, in: listener.pointee.hosts, snapshot) != nil
    }

    /// Whether `sluice.dev/egress: allow` lets callers out to this machine and its links, too
    /// (`sluice.dev/allow-local-targets`).
    func allowsLocalTargets(_ group: UnsafePointer<GroupConfig>) -> Bool {
        guard group.pointee.egressRule != MemberPortConfig.none else { return false }
        let backends = rule(group.pointee.egressRule).pointee.backends
        guard !backends.isEmpty, snapshot[backends, 0].pointee.cluster != BackendConfig.invalid else { return false }
        let cluster = snapshot[snapshot.header.pointee.clusters, Int(snapshot[backends, 0].pointee.cluster)]
        guard !cluster.pointee.dynamicResolver.isEmpty else { return false }
        return snapshot[cluster.pointee.dynamicResolver, 0].pointee.allowsLocalTargets
    }

    /// Lends the namespace that a caller is in, by its certificate or its address; empty: unknown.
    func withNamespace<R>(of origin: ConnectionOrigin, _ body: (ByteView) -> R) -> R {
        if let caller = origin.caller { return caller.namespace.withView(body) }
        guard let workload = routes.workload(at: origin.peer.ip) else { return body(.empty) }
        return body(snapshot.text(workload.pointee.namespace))
    }
}
