import Config
import Connection
import Core
import HTTP
import IO
import TLS
import Telemetry

/// What becomes of a connection whose TLS handshake this worker answers, and of one that begins with HTTP/2.
extension Worker {
    /// A TLS handshake that a listener of ours answers; what was read of it goes with the arrival.
    func beginHandshake(_ arrival: Arrival) {
        let handshake = TLSHandshake(
            taking: arrival.take(), received: arrival.takeInput(), origin: arrival.origin,
            front: tlsContexts.front(ofSocket: arrival.origin.socketID), owner: self, resources: resources)
        registry.replace(arrival, with: handshake)
        arrivals.add(handshake)
        handshake.ready(arrival.events)
    }

    /// The handshake is over: the listener, and within HTTPS the protocol that ALPN chose, say what is spoken inside.
    func serve(_ handshake: TLSHandshake) {
        arrivals.remove(handshake)
        let channel = handshake.channel
        guard let context = channel.session.context, let listener = tlsContexts.listener(of: context) else {
            // Swept away by a change in the middle of the handshake.
            handshake.cancel()
            return registry.forget(handshake)
        }
        statistics.increment(.tlsHandshakes)
        if channel.session.isResumed { statistics.increment(.tlsHandshakesResumed) }
        let current = configuration.flatMap { configuration in
            configuration.listener(listener.identity).map {
                configuration.snapshot[configuration.snapshot.header.pointee.listeners, Int($0)]
            }
        }
        let spoken = current?.pointee.listenerProtocol ?? listener.listenerProtocol
        if spoken == .tlsTerminate {
            guard let configuration, let current, current.pointee.isOfGroup else { return relay(handshake) }
            return open(handshake, current, configuration)
        }
        if spoken == .hbone, !channel.session.applicationProtocol.equals("h2") {
            // There is no HBONE by HTTP/1.1; who offers no ALPN at all speaks something else.
            handshake.cancel()
            return registry.forget(handshake)
        }
        guard let taken = takeCounted(handshake, listener.identity, current) else { return }
        var origin = taken.origin
        if spoken == .hbone { origin.terms = hboneTerms(origin.terms) }
        serveRequests(handshake, taken.fd, origin)
    }

    /// Counts a connection whose handshake is over, with its listener's and its caller's, and takes it over.
    /// - Returns: nil: there is no room for it, and it is closed.
    private func takeCounted(
        _ handshake: TLSHandshake, _ identity: UInt64, _ current: UnsafePointer<ListenerConfig>?
    ) -> (fd: CInt, origin: ConnectionOrigin)? {
        let managed = configuration.flatMap { managedListener(identity, $0) }
        guard let counted = counted(handshake, managed?.listener, current) else {
            handshake.cancel()
            registry.forget(handshake)
            return nil
        }
        var (fd, origin) = handshake.take(listenerIdentity: identity)
        origin.terms = nil
        origin.countedIn = counted.countedIn
        origin.callerKey = counted.callerKey
        if let managed, let configuration { settle(&origin, fd, under: managed.number, configuration) }
        origin.caller = counted.caller
        return (fd, origin)
    }

    /// What is known of a connection whose handshake is over, when it counts as its listener's and its caller's.
    /// - Parameters:
    ///   - managed: the listener, where it counts connections.
    ///   - current: the listener, as it is configured now.
    /// - Returns: nil: there is no room for it, and nothing was counted.
    func counted(
        _ handshake: TLSHandshake, _ managed: UnsafePointer<ListenerConfig>?,
        _ current: UnsafePointer<ListenerConfig>?
    ) -> ConnectionOrigin? {
        var counted = handshake.origin
        if let managed, !counts(managed, &counted) { return nil }
        if let current, current.pointee.isOfGroup, let caller = Self.caller(of: handshake.channel) {
            counted.caller = caller
        }
        if let configuration, let current, !countsCaller(current, &counted, configuration) {
            if counted.countedIn != handshake.origin.countedIn {
                liveState.connectionEnded(listener: counted.countedIn)
            }
            return nil
        }
        return counted
    }

    /// HTTP, in the version that ALPN chose.
    private func serveRequests(_ handshake: TLSHandshake, _ fd: CInt, _ origin: ConnectionOrigin) {
        let channel = handshake.channel
        if channel.session.applicationProtocol.equals(ByteView("h2")) {
            let connection = HTTP2ServerConnection(
                taking: fd, tls: channel, received: ByteBuffer(), origin: origin, acceptor: self, resources: resources)
            registry.replace(handshake, with: connection)
            statistics.increment(.http2Connections)
            connection.ready(.anyTransfer)
            if isDraining { connection.drain() }
        } else {
            let connection = HTTP1ServerConnection(
                taking: fd, tls: channel, received: ByteBuffer(), origin: origin, acceptor: self, resources: resources)
            registry.replace(handshake, with: connection)
            connection.ready(.anyTransfer)
            if isDraining { connection.drain() }
        }
    }

    /// What is inside of TLS that a group's listener ends goes to the member that the server name means, as its port
    /// declares; else to where a route of the Gateway leads.
    private func open(
        _ handshake: TLSHandshake, _ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        let session = handshake.channel.session
        var caller = handshake.origin
        caller.caller = Self.caller(of: handshake.channel) ?? caller.caller
        let isHTTP: Bool
        switch session.serverName.withView({ configuration.lookUp(serverName: $0, within: listener, for: caller) }) {
        case .member(let call):
            switch configuration.routes.memberPort(call).pointee.memberProtocol {
            case .http: isHTTP = true
            case .undeclared where !session.applicationProtocol.isEmpty: isHTTP = true
            case .undeclared, .tcp: isHTTP = false
            // Its endpoints want TLS of the caller's own, which has ended here.
            case .tls: return refuse(handshake)
            }
            let identity = listener.pointee.identity
            guard let (fd, origin) = takeCounted(handshake, identity, listener) else { return }
            if isHTTP { return serveRequests(handshake, fd, origin) }
            let opened = OpenedArrival(handshake, fd, origin, worker: self)
            if configuration.routes.memberPort(call).pointee.memberProtocol == .tcp {
                opened.relay()
            } else {
                opened.sniff()
            }
        case .noPort, .ambiguous: refuse(handshake)
        case .outside:
            let name = session.serverName
            if name.withView({ relays.rule($0, in: listener.pointee.streamHosts, configuration.snapshot) }) != nil {
                return relays.begin(handshake, listener, configuration)
            }
            if name.withView({ configuration.isOfRequests($0, listener, relays) }) {
                let identity = listener.pointee.identity
                guard let (fd, origin) = takeCounted(handshake, identity, listener) else { return }
                return serveRequests(handshake, fd, origin)
            }
            if !name.isEmpty {
                name.withView { egressDenials.note($0, port: listener.pointee.port, caller) }
            }
            refuse(handshake)
        }
    }

    /// Nothing leads from here to whom the server name means.
    private func refuse(_ handshake: TLSHandshake) {
        handshake.channel.session.serverName.withView {
            relays.tell(RelayChoice(.tls, serverName: $0), handshake.origin, .noRoute)
        }
        handshake.cancel()
        registry.forget(handshake)
    }

    /// What is inside is no HTTP: octets, for a TLSRoute's endpoint.
    private func relay(_ handshake: TLSHandshake) {
        guard let configuration, let index = configuration.index(ofSocket: handshake.origin.socketID) else {
            handshake.cancel()
            return registry.forget(handshake)
        }
        let snapshot = configuration.snapshot
        let socket = snapshot[snapshot.header.pointee.sockets, Int(index)]
        let listener = handshake.channel.session.serverName.withView { relays.listener($0, on: socket, in: snapshot) }
        guard let listener, listener.pointee.listenerProtocol == .tlsTerminate else {
            handshake.cancel()
            return registry.forget(handshake)
        }
        relays.begin(handshake, listener, configuration)
    }

    func handshakeFailed(_ failure: TLSFailure) {
        statistics.increment(.tlsHandshakeFailures)
        if log.level == .debug { log.debug("a TLS handshake failed", ["error": .init(failure.text)]) }
    }

    /// HTTP/2 by prior knowledge (RFC 9113, section 3.3), in clear text only: over TLS it is ALPN that chooses.
    func takeOver(_ connection: HTTP1ServerConnection) -> Bool {
        guard connection.tls == nil else { return false }
        var received = ByteBuffer()
        let fd = connection.take(received: &received)
        let successor = HTTP2ServerConnection(
            taking: fd, received: received, origin: connection.origin, acceptor: self, resources: resources)
        registry.replace(connection, with: successor)
        statistics.increment(.http2Connections)
        successor.ready(.anyTransfer)
        // It was asked to end when it was idle.
        if connection.closesAfterResponse { successor.drain() }
        return true
    }
}

extension TLSHandshake: Awaited {
    /// Others want its place: the deadline's end, early.
    func giveUp() { cut() }
}
