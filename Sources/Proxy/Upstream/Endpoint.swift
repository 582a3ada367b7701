import Connection
import Core
import IO
import Telemetry

/// One address that serves a cluster, with this worker's idle connections to it, the most recently used last.
///
/// Owned by the ``ClusterRegistry`` and by exchanges under way. Limit: `idleLimit` idle connections.
final class Endpoint: ConnectionOwner {
    static let idleLimit = 256

    let address: SocketAddress
    /// Its place in the shared statistics and live state.
    let slot: UInt32
    /// No snapshot names it any more: connections that come back are closed.
    var isRetired = false
    private var idle: [HTTP1ClientConnection] = []
    private let worker: Worker

    init(address: SocketAddress, slot: UInt32, worker: Worker) {
        self.address = address
        self.slot = slot
        self.worker = worker
    }

    /// The most recently used idle connection, now the owner's.
    func takeIdle(for owner: ConnectionOwner) -> HTTP1ClientConnection? {
        guard let connection = idle.popLast() else { return nil }
        worker.statistics.decrement(.upstreamPooledNow)
        connection.becomeBusy(owner: owner)
        return connection
    }

    /// A connection that has served comes back; kept when it can serve again.
    func giveBack(_ connection: HTTP1ClientConnection) {
        connection.lookBehindResponse()
        guard connection.isReusable, !isRetired, !worker.isDraining, idle.count < Self.idleLimit else {
            return connection.close()
        }
        connection.becomeIdle(owner: self)
        idle.append(connection)
        worker.statistics.increment(.upstreamPooledNow)
    }

    /// An idle connection was closed by its peer, or was idle for too long.
    override func closed(_ connection: HTTP1Connection) {
        guard let index = idle.lastIndex(where: { $0 === connection }) else { return }
        idle.remove(at: index)
        worker.statistics.decrement(.upstreamPooledNow)
    }

    func closeIdle() {
        for connection in idle {
            connection.close()
            worker.statistics.decrement(.upstreamPooledNow)
        }
        idle.removeAll()
    }

    func retire() {
        isRetired = true
        closeIdle()
    }
}
