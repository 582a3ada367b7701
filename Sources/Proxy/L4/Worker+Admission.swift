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
        if socket.pointee.listenerProtocol == .http, socket.pointee.proxyProtocol == .off {
            return registry.adopt(fd, peer: peer, socket: id)
        }
        let origin = ConnectionOrigin(peer: peer, socketID: id, acceptedAt: loop.now)
        let arrival = Arrival(adopting: fd, origin: origin, worker: self)
        registry.adopt(arrival)
        arrival.begin()
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
