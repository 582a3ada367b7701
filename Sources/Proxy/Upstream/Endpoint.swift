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
    /// Connections that are being made, and who waits for each.
    private var waiting: [Waiting] = []
    private let worker: Worker

    private struct Waiting {
        let connector: Connector
        var owners: [ConnectionOwner]
    }

    init(address: SocketAddress, slot: UInt32, worker: Worker) {
        self.address = address
        self.slot = slot
        self.worker = worker
    }

    // MARK: streams for exchanges

    /// A stream on a connection that exists: the most recently used one. Nil: none is free; see ``connect(for:alone:)``.
    func lease(for owner: ConnectionOwner) -> ClientStream? {
        guard let connection = idle.popLast() else { return nil }
        worker.statistics.decrement(.upstreamPooledNow)
        connection.becomeBusy(owner: owner)
        return connection
    }

    /// Makes a connection; `owner` is told by `connected` or `connectFailed`, never within this call.
    /// - Parameter alone: not on a connection that others wait for too.
    func connect(for owner: ConnectionOwner, alone: Bool = false) throws(Errno) {
        let connector = try Connector(
            to: address, timeout: worker.limits.connect, security: nil, owner: self, resources: worker.resources)
        waiting.append(Waiting(connector: connector, owners: [owner]))
    }

    /// `owner` waits no more.
    func cancel(_ owner: ConnectionOwner) {
        for i in waiting.indices {
            guard let place = waiting[i].owners.firstIndex(where: { $0 === owner }) else { continue }
            waiting[i].owners.remove(at: place)
            if waiting[i].owners.isEmpty { waiting.remove(at: i).connector.cancel() }
            return
        }
    }

    override func established(_ connector: Connector) {
        worker.statistics.upstreamConnected(endpoint: slot)
        let owners = take(connector)
        guard let first = owners.first else { preconditionFailure("a connection that nobody waited for") }
        first.connected(HTTP1ClientConnection(connector, owner: first, pool: self, resources: worker.resources))
    }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        for owner in take(connector) { owner.connectFailed(failure) }
    }

    private func take(_ connector: Connector) -> [ConnectionOwner] {
        guard let index = waiting.firstIndex(where: { $0.connector === connector }) else {
            preconditionFailure("an unknown connector")
        }
        return waiting.remove(at: index).owners
    }

    // MARK: the pool

    override func returned(_ connection: HTTP1ClientConnection) -> Bool {
        guard !isRetired, !worker.isDraining, idle.count < Self.idleLimit else { return false }
        idle.append(connection)
        worker.statistics.increment(.upstreamPooledNow)
        return true
    }

    override func closed(_ connection: HTTP1ClientConnection) {
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
