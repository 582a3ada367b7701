import Config
import Connection
import Core
import IO
import Telemetry
import Upstream

/// Connections under the ClientTrafficPolicy of their listener: how many there may be, what their sockets are told, and the
/// terms that they keep for life.
extension Worker {
    /// Counts a connection as its listener's. False: the listener has as many as it may have, and this one is to be refused.
    func counts(_ listener: UnsafePointer<ListenerConfig>, _ origin: inout ConnectionOrigin) -> Bool {
        guard listener.pointee.slot != 0, origin.countedIn == 0, let configuration else { return true }
        let limit = configuration.snapshot[listener.pointee.client, 0].pointee.connection.connectionLimit
        guard liveState.connectionBegan(listener: listener.pointee.slot, limit: limit) else {
            statistics.increment(.connectionLimitRefusals)
            return false
        }
        origin.countedIn = listener.pointee.slot
        return true
    }

    /// Tells a connection's socket what the policy asks for, and has the connection keep the policy's terms.
    /// - Parameter number: the listener's in the snapshot.
    func settle(_ origin: inout ConnectionOrigin, _ fd: CInt, under number: UInt32, _ configuration: LiveConfiguration)
    {
        let snapshot = configuration.snapshot
        let listener = snapshot[snapshot.header.pointee.listeners, Int(number)]
        guard !listener.pointee.client.isEmpty else { return }
        origin.terms = configuration.terms(ofListener: number, resources.limits)
        let plan = snapshot[listener.pointee.client, 0].pointee.connection
        let keepalive = plan.tcpKeepalive
        if keepalive.isOn {
            Socket.keepAlive(
                fd, probes: keepalive.probes, idleTime: keepalive.idleTime, interval: keepalive.interval)
        }
        if plan.socketBufferLimit > 0 { Socket.boundBuffers(fd, octets: plan.socketBufferLimit) }
    }

    /// How long a connection that its listener has no place for is held before it is closed.
    func closeDelay(_ listener: UnsafePointer<ListenerConfig>) -> TimeAmount {
        guard let configuration, !listener.pointee.client.isEmpty else { return .zero }
        return configuration.snapshot[listener.pointee.client, 0].pointee.connection.closeDelay
    }

    /// The listener that a TLS handshake has turned out to be for, where a policy speaks of its clients.
    func managedListener(
        _ identity: UInt64, _ configuration: LiveConfiguration
    ) -> (number: UInt32, listener: UnsafePointer<ListenerConfig>)? {
        guard configuration.managesClients, let number = configuration.listener(identity) else { return nil }
        let listener = configuration.snapshot[configuration.snapshot.header.pointee.listeners, Int(number)]
        return listener.pointee.client.isEmpty ? nil : (number, listener)
    }

    /// How many connections one event of a listening socket brings.
    func acceptsPerEvent(_ socket: UInt32) -> Int {
        guard let configuration, let index = configuration.index(ofSocket: socket) else { return Listener.batch }
        let client = configuration.snapshot[configuration.snapshot.header.pointee.sockets, Int(index)].pointee.client
        // As many as wait, with a turn for others in between.
        guard client.acceptsPerEvent > 0 else { return Listener.batch }
        return min(Int(client.acceptsPerEvent), Listener.batch)
    }
}
