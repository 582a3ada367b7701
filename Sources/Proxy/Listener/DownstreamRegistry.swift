import Connection
import Core
import IO
import Telemetry

/// Every downstream connection of this worker. Owns them.
///
/// Limit: ``DescriptorShares/downstream``. At the limit a connection that has been idle for long goes; when none is idle,
/// new ones are refused (``Overload``).
final class DownstreamRegistry {
    /// Who has just been accepted and has said nothing yet is about to; only later it counts as idle. Otherwise a burst of
    /// connections would push itself out, and nobody of it were served.
    static let firstRequestGrace = TimeAmount.seconds(1)

    private var connections: [any DownstreamConnection] = []
    private let worker: Worker
    let limit: Int
    /// Where the search for an idle connection goes on.
    private var hand = 0

    init(worker: Worker) {
        self.worker = worker
        limit = DescriptorShares.downstream
        connections.reserveCapacity(min(limit, 1024))
    }

    var count: Int { connections.count }

    func adopt(_ fd: consuming OwnedFD, peer: SocketAddress, socket: UInt32) {
        adopt(fd, ConnectionOrigin(peer: peer, socketID: socket, acceptedAt: worker.loop.now))
    }

    func adopt(_ fd: consuming OwnedFD, _ origin: ConnectionOrigin) {
        adopt(
            HTTP1ServerConnection(
                adopting: fd, origin: origin, acceptor: worker, resources: worker.resources))
    }

    func adopt(_ connection: any DownstreamConnection) {
        connection.registryIndex = connections.count
        connections.append(connection)
        worker.statistics.increment(.downstreamConnections)
        worker.statistics.increment(.downstreamConnectionsNow)
    }

    /// A connection goes on as another object: what is spoken on it is known now.
    func replace(_ old: any DownstreamConnection, with new: any DownstreamConnection) {
        let index = old.registryIndex
        precondition(index >= 0 && connections[index] === old, "an unknown connection")
        old.registryIndex = -1
        new.registryIndex = index
        connections[index] = new
    }

    /// A connection has closed.
    func forget(_ connection: any DownstreamConnection) {
        let index = connection.registryIndex
        precondition(index >= 0 && connections[index] === connection, "an unknown connection")
        connection.registryIndex = -1
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.registryIndex = index
        }
        worker.statistics.decrement(.downstreamConnectionsNow)
        let slot = connection.origin.countedIn
        if slot != 0 { worker.liveState.connectionEnded(listener: slot) }
        if connection.origin.callerKey != 0 { worker.liveState.callers.ended(connection.origin.callerKey) }
        worker.connectionEnded()
    }

    /// Closes idle connections, those first that have been idle longer than most: the hand goes round, and the time since
    /// it passed is what a connection had to become busy again (the clock algorithm of page replacement).
    @discardableResult func closeOldestIdle(count wanted: Int) -> Int {
        var closed = 0
        var looked = 0
        while closed < wanted, looked < connections.count, !connections.isEmpty {
            if hand >= connections.count { hand = 0 }
            let connection = connections[hand]
            looked += 1
            let justCame = connection.isFresh && worker.loop.now - connection.origin.acceptedAt < Self.firstRequestGrace
            let makesWay = connection.isIdle && !justCame && connection.makeWay()
            if makesWay {
                worker.statistics.increment(.idleConnectionsClosed)
                closed += 1
            }
            // One that is closed is not in its place any more.
            if !connection.isClosed { hand += 1 }
        }
        return closed
    }

    /// Asks connections to end: busy ones after their response, idle ones soon.
    func drain() {
        for connection in connections { connection.drain() }
    }

    /// Ends those of one listening socket, for which nobody answers any more: idle ones now, so that their clients go to whoever
    /// has the address next, busy ones after their response.
    func retire(socket: UInt32) {
        for connection in connections where connection.origin.socketID == socket {
            if !connection.isIdle || !connection.makeWay() { connection.drain() }
        }
    }

    /// Breaks off every exchange under way: its client sees a reset, its record says that the gateway did it.
    func cut() {
        for connection in connections { connection.cut() }
    }
}
