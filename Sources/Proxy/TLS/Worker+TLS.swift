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
        if spoken == .tlsTerminate { return relay(handshake) }
        if spoken == .hbone, !channel.session.applicationProtocol.equals("h2") {
            // There is no HBONE by HTTP/1.1; who offers no ALPN at all speaks something else.
            handshake.cancel()
            return registry.forget(handshake)
        }
        var counted = handshake.origin
        let managed = configuration.flatMap { managedListener(listener.identity, $0) }
        if let managed, !counts(managed.listener, &counted) {
            handshake.cancel()
            return registry.forget(handshake)
        }
        if let current, current.pointee.isOfGroup, let caller = Self.caller(of: channel) { counted.caller = caller }
        if let configuration, let current, !countsCaller(current, &counted, configuration) {
            if counted.countedIn != handshake.origin.countedIn {
                liveState.connectionEnded(listener: counted.countedIn)
            }
            handshake.cancel()
            return registry.forget(handshake)
        }
        let fd: CInt
        var origin: ConnectionOrigin
        (fd, origin) = handshake.take(listenerIdentity: listener.identity)
        origin.terms = nil
        origin.countedIn = counted.countedIn
        origin.callerKey = counted.callerKey
        if let managed, let configuration { settle(&origin, fd, under: managed.number, configuration) }
        origin.caller = counted.caller
        if spoken == .hbone { origin.terms = hboneTerms(origin.terms) }
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
        return true
    }
}

extension TLSHandshake: Awaited {
    /// Others want its place: the deadline's end, early.
    func giveUp() { cut() }
}
