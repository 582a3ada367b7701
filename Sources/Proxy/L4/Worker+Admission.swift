import Config
import Connection
import Core
import IO

/// What becomes of an accepted connection. Plain HTTP begins at once; all others begin as an ``Arrival``, which hands the
/// connection over when it knows what it is.
extension Worker {
    func admit(_ fd: consuming OwnedFD, peer: SocketAddress, socket id: UInt32) {
        guard let configuration, let index = configuration.index(ofSocket: id) else {
            return registry.adopt(fd, peer: peer, socket: id)
        }
        let socket = configuration.snapshot[configuration.snapshot.header.pointee.sockets, Int(index)]
        var origin = ConnectionOrigin(peer: peer, socketID: id, acceptedAt: loop.now)
        if !overload.admits() { return refuse(fd, socket) }
        if socket.pointee.client.hasPolicies {
            let number = socket.pointee.client.listener
            if number != SocketClientConfig.none {
                let listener = configuration.snapshot[configuration.snapshot.header.pointee.listeners, Int(number)]
                guard counts(listener, &origin) else { return refusals.hold(fd, for: closeDelay(listener)) }
                settle(&origin, fd.raw, under: number, configuration)
            } else {
                origin.terms = configuration.handshakeTerms(ofSocket: index, resources.limits)
            }
        }
        origin.destination = dialled(fd.raw, peer, socket)
        if hasComeBack(peer, origin.destination, socket) {
            Socket.resetOnClose(fd.raw)
            if origin.countedIn != 0 { liveState.connectionEnded(listener: origin.countedIn) }
            return
        }
        // A PROXY header that is still to come may name another caller.
        if socket.pointee.proxyProtocol == .off || origin.destination != nil,
            !countsCaller(on: socket, &origin, configuration)
        {
            if origin.countedIn != 0 { liveState.connectionEnded(listener: origin.countedIn) }
            return
        }
        if socket.pointee.listenerProtocol == .http, socket.pointee.proxyProtocol == .off, origin.destination == nil {
            return registry.adopt(fd, origin)
        }
        let arrival = Arrival(adopting: fd, origin: origin, worker: self)
        registry.adopt(arrival)
        arrival.begin()
    }

    /// There is no room for it: clear-text HTTP is told in its own words, everybody else by the connection's end.
    private func refuse(_ fd: consuming OwnedFD, _ socket: UnsafePointer<SocketConfig>) {
        statistics.increment(.overloadRefusals)
        statistics.increment(.downstreamConnectionsRefused)
        guard socket.pointee.listenerProtocol == .http else { return }
        refusals.answer(fd, "the gateway is overloaded", date: &date)
    }

    /// HTTP in clear text, behind a PROXY header.
    func beginHTTP(_ arrival: Arrival) {
        let connection = HTTP1ServerConnection(
            taking: arrival.take(), received: arrival.takeInput(), origin: arrival.origin, acceptor: self,
            resources: resources)
        registry.replace(arrival, with: connection)
        connection.ready(arrival.events)
        if isDraining { connection.drain() }
    }
}
