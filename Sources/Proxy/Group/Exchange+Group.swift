import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// Requests on the listeners of a group's gateway: first to the member that is called, then by its routes; hosts that are no
/// members by the Gateway's own routes, and after these by `sluice.dev/egress`.
extension Exchange {
    /// The listener of a group that took the request; nil: an ordinary listener has its host.
    func groupListener(_ connection: ServerStream, _ socket: UnsafePointer<SocketConfig>) -> UInt32? {
        guard socket.pointee.groupListener != ListenerConfig.noGroup, let configuration else { return nil }
        let origin = connection.origin
        let identity = origin.groupIdentity != 0 ? origin.groupIdentity : origin.listenerIdentity
        // One that is gone has no other in its place.
        if identity != 0 { return configuration.listener(identity).flatMap { ofGroup($0) } }
        // In clear text listeners of several Gateways may share a socket, told apart by the host.
        guard origin.destination == nil, let message = connection.request else { return socket.pointee.groupListener }
        let host = message.head.host.of(connection.headBytes)
        let named = configuration.routes.listener(for: host, on: socket)
        return named == HostIndex.none ? socket.pointee.groupListener : ofGroup(named)
    }

    /// The connection came to a group, be it inside of a tunnel or where it was meant for others, and no group has it any
    /// more: ordinary routes are not for it.
    func hasLostItsGroup(_ connection: ServerStream) -> Bool {
        connection.origin.destination != nil || connection.origin.groupIdentity != 0
    }

    private func ofGroup(_ number: UInt32) -> UInt32? {
        snapshot[snapshot.header.pointee.listeners, Int(number)].pointee.isOfGroup ? number : nil
    }

    /// Brings the request to its member, and follows the member's routes.
    func routeCall(
        _ message: RequestMessage, _ bytes: ByteView, _ listener: UInt32, _ socket: UInt32,
        _ configuration: LiveConfiguration
    ) {
        fair.isWanted = true
        fair.listener = listener
        fair.socket = socket
        let config = snapshot[snapshot.header.pointee.listeners, Int(listener)]
        withCallerNamespace(configuration) { namespace in
            switch lookUp(message, bytes, config, namespace, configuration.routes) {
            case .member(let call):
                self.call = call
                let port = configuration.routes.memberPort(call)
                guard
                    isPermitted(
                        port.pointee.authorization, port: port.pointee.number, message, bytes, configuration)
                else { return }
                guard takePart(), passesFairly() else { return }
                route(call, from: namespace, message, bytes, listener, configuration)
            case .noPort: answerNoPort(ofAddress: Self.isAddress(message, bytes, downstream?.origin.destination))
            case .ambiguous:
                answer(404, .noRoute, "services of several namespaces have this name: call it name.namespace")
            case .outside:
                guard
                    isPermitted(
                        config.pointee.authorization, port: config.pointee.port, message, bytes, configuration)
                else { return }
                guard takePart(), passesFairly() else { return }
                routeOutside(message, bytes, listener, config, socket, configuration)
            }
        }
    }

    /// - Parameter isAddress: an address was called, which may be meant for somebody else than its Service.
    func answerNoPort(ofAddress isAddress: Bool) {
        guard isAddress else { return answer(404, .noRoute, "the service has no such port") }
        answer(
            404, .noRoute,
            "this is the address of a service or of one of its endpoints, and it has no such port; name a service in Host"
        )
    }

    private static func isAddress(
        _ message: RequestMessage, _ bytes: ByteView, _ destination: CallDestination?
    ) -> Bool {
        switch destination {
        case .address: return true
        case .authority: return false
        case nil:
            if case .address = self.destination(host: message.head.host.of(bytes), port: 0) { return true }
            return false
        }
    }

    /// Goes on with its routes: it is known and permitted, and its turn has come.
    func routeInTurn() {
        guard let configuration, let downstream, let message = downstream.request else {
            preconditionFailure("a call without its head")
        }
        let bytes = downstream.headBytes
        phase = .routing
        guard let call else {
            let listener = snapshot[snapshot.header.pointee.listeners, Int(fair.listener)]
            return routeOutside(message, bytes, fair.listener, listener, fair.socket, configuration)
        }
        withCallerNamespace(configuration) { route(call, from: $0, message, bytes, fair.listener, configuration) }
    }

    /// Where the connection was going says more than the request's host does, which could name anybody.
    private func lookUp(
        _ message: RequestMessage, _ bytes: ByteView, _ listener: UnsafePointer<ListenerConfig>,
        _ namespace: ByteView, _ routes: RouteTable
    ) -> CallLookup {
        let group = listener.pointee.group
        switch downstream?.origin.destination {
        case .address(let address): return routes.lookUp(address: address, in: group)
        case .authority(let host, let port):
            return host.withView { routes.lookUp(host: $0, .exactly(port), from: namespace, in: group) }
        case nil:
            let wish = PortWish.request(
                port: message.head.port, listener: listener.pointee.port, isSecure: scheme == .https)
            return routes.lookUp(host: message.head.host.of(bytes), wish, from: namespace, in: group)
        }
    }

    private func route(
        _ call: MemberCall, from namespace: ByteView, _ message: RequestMessage, _ bytes: ByteView,
        _ listener: UInt32, _ configuration: LiveConfiguration
    ) {
        let index = configuration.routes.pathIndex(of: call, from: namespace)
        guard index != MemberPortConfig.none else {
            return answer(404, .noRoute, "the service takes no requests of HTTP on this port")
        }
        decision = configuration.routes.decide(
            memberPathIndex: index, listener: listener, head: message.head, bytes: bytes, path: path(message, bytes))
        guard decision.outcome == .rule else {
            return answer(404, .noRoute, "no route of the service matches this request")
        }
        follow(configuration.rule(decision.rule), message, bytes)
    }

    // MARK: hosts outside

    private func routeOutside(
        _ message: RequestMessage, _ bytes: ByteView, _ number: UInt32, _ listener: UnsafePointer<ListenerConfig>,
        _ socket: UInt32, _ configuration: LiveConfiguration
    ) {
        guard isWhatWasNamed(message, bytes) else {
            noteDenial(message, bytes)
            return answer(421, .unauthorized, "the host is another one than the connection was opened to")
        }
        outsideOf = listener.pointee.group
        decide(message, bytes, socket, configuration)
        if let downstream, decision.outcome == .rule {
            if isMisdirected(downstream) { return answerMisdirected() }
            // Routes of others that share the socket are theirs, with policies of their own.
            let decided = self.listener
            if decided.pointee.group == listener.pointee.group {
                guard
                    decided == listener
                        || isPermitted(
                            decided.pointee.authorization, port: decided.pointee.port, message, bytes, configuration)
                else { return }
                return follow(configuration.rule(decision.rule), message, bytes)
            }
        }
        decision.outcome = .noRoute
        decision.listener = number
        let group = configuration.routes.group(listener.pointee.group)
        guard group.pointee.egress == .allow, group.pointee.egressRule != MemberPortConfig.none else {
            noteDenial(message, bytes)
            return answer(403, .unauthorized, "this gateway lets nobody call this host")
        }
        follow(configuration.rule(group.pointee.egressRule), message, bytes)
    }

    /// Whether the request's host is that by which its connection was let in: a CONNECT's, or a handshake's server name; and
    /// its port, where it names one, that of the CONNECT or the one that was dialled. Through a host that is allowed nobody
    /// reaches another one.
    private func isWhatWasNamed(_ message: RequestMessage, _ bytes: ByteView) -> Bool {
        guard let downstream else { return false }
        let host = message.head.host.of(bytes)
        if let port = message.head.port, let called = downstream.origin.destination?.port, port != called {
            return false
        }
        if case .authority(let name, _) = downstream.origin.destination {
            return name.withView { HostName.isSame($0, host) }
        }
        guard let name = downstream.tls?.session.serverName, !name.isEmpty else { return true }
        return name.withView { HostName.isSame($0, host) }
    }

    private func noteDenial(_ message: RequestMessage, _ bytes: ByteView) {
        guard let origin = downstream?.origin else { return }
        worker.egressDenials.note(
            message.head.host.of(bytes), port: message.head.port ?? (scheme == .https ? 443 : 80), origin)
    }

    // MARK: the caller

    /// The namespace that the caller is in, by its certificate or its address; empty: unknown.
    private func withCallerNamespace(_ configuration: LiveConfiguration, _ body: (ByteView) -> Void) {
        if let caller = downstream?.origin.caller { return caller.namespace.withView(body) }
        guard let peer = downstream?.peer, let workload = configuration.routes.workload(at: peer.ip) else {
            return body(.empty)
        }
        body(snapshot.text(workload.pointee.namespace))
    }
}
