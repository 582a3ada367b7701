import Connection
import Core
import Glibc
import HTTP
import IO
import TLS
import Telemetry

/// One address that speaks HBONE, under one set of TLS settings, with this worker's connections to it.
///
/// Owned by the ``TunnelPool``. Limits: those of ``TunnelLimits``.
final class TunnelPeer: ConnectionOwner {
    private let gate: SocketAddress
    private let context: TLSContext
    private unowned(unsafe) let pool: TunnelPool
    private let resources: ConnectionResources
    private var connections: [HTTP2ClientConnection] = []
    private var connector: Connector?
    private var waiting: [OutboundTunnel] = []
    private var resumption: TLSResumption?
    private var nextWarning = Instant(nanoseconds: 0)

    init(gate: SocketAddress, context: TLSContext, pool: TunnelPool) {
        self.gate = gate
        self.context = context
        self.pool = pool
        resources = pool.resources
    }

    var isUnused: Bool { connections.isEmpty && connector == nil && waiting.isEmpty }
    var hasRoom: Bool { waiting.count < TunnelLimits.waitersPerPeer }

    /// Gives the tunnel a stream now, or when there is one.
    func open(_ tunnel: OutboundTunnel) {
        if waiting.isEmpty, let connection = connections.last(where: { $0.freeLanes > 0 }) {
            return tunnel.begin(on: connection.openStream(owner: tunnel))
        }
        waiting.append(tunnel)
        connectIfNeeded()
    }

    private func connectIfNeeded() {
        guard connector == nil, !waiting.isEmpty, connections.count < TunnelLimits.connectionsPerPeer else { return }
        do throws(Errno) {
            let security = Connector.Security(context: context, serverName: "", resuming: resumption)
            if resumption?.isSingleUse == true { resumption = nil }
            connector = try Connector(
                to: gate, timeout: pool.patience, security: security, owner: self, resources: resources)
        } catch {
            // Its callers must not be told within their own call.
            resources.loop.setDeadline(self, resources.loop.now)
        }
    }

    override func deadlinePassed(now: Instant) {
        guard connector == nil else { return }
        giveUp(.refused(Errno.noConnection))
    }

    private func serveWaiting() {
        giveStreams()
        connectIfNeeded()
    }

    /// There is no further connection: who waits takes the streams that there are. The others learn why, and may go elsewhere;
    /// trying again is for who comes next, or this would try without any pause for as long as somebody waits.
    private func giveUp(_ failure: ConnectFailure) {
        giveStreams()
        failAll(failure)
    }

    /// Tunnels whose caller has given up meanwhile are passed over.
    private func giveStreams() {
        waiting.removeAll { $0.isOver }
        while !waiting.isEmpty, let connection = connections.last(where: { $0.freeLanes > 0 }) {
            let tunnel = waiting.removeFirst()
            guard !tunnel.isOver else { continue }
            tunnel.begin(on: connection.openStream(owner: tunnel))
        }
    }

    private func failAll(_ failure: ConnectFailure) {
        let failed = waiting
        waiting = []
        for tunnel in failed { tunnel.fail(failure) }
        pool.mayForget()
    }

    // MARK: connections

    override func established(_ connector: Connector) {
        self.connector = nil
        guard connector.channel?.session.applicationProtocol.equals("h2") == true else {
            connector.cancel()
            return giveUp(.tls("the peer does not speak HTTP/2"))
        }
        var terms = UpstreamTerms()
        terms.idle = TunnelLimits.keptIdle
        terms.initialStreamWindowSize = TunnelLimits.streamWindow
        terms.initialConnectionWindowSize = TunnelLimits.connectionWindow
        terms.maxConcurrentStreams = TunnelLimits.streams
        let connection = HTTP2ClientConnection(
            connector, scheme: .https, pool: self, terms: terms, resources: resources)
        connections.append(connection)
        serveWaiting()
        if pool.isRetiring { retireIfIdle(connection) }
    }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        self.connector = nil
        resumption = nil
        if resources.loop.now >= nextWarning {
            nextWarning = resources.loop.now + Endpoint.warningPause
            let reason =
                switch failure {
                case .refused(let error): error.description
                case .timedOut: "timed out"
                case .tls(let text): text
                }
            pool.log.warning(
                "a tunnel cannot be opened", ["peer": .init(gate.description), "error": .init(reason)])
        }
        giveUp(failure)
    }

    override func lanesFreed(_ connection: HTTP2ClientConnection) {
        if !waiting.isEmpty { serveWaiting() }
        if pool.isRetiring { retireIfIdle(connection) }
    }

    override func closed(_ connection: HTTP2ClientConnection) {
        if let newer = connection.tls?.session.takeResumption() { resumption = newer }
        connections.removeAll { $0 === connection }
        if !waiting.isEmpty { connectIfNeeded() }
        if isUnused { pool.mayForget() }
    }

    /// A CONNECT was given up before its answer. Where all that is made here are probes, the next one is made on a connection of
    /// its own: this one may lead to a machine that is not there any more.
    func leftUnanswered() {
        guard pool.isForProbes else { return }
        for connection in connections { connection.retire() }
    }

    /// A drain has begun. What is under way may still need tunnels: a connection serves them until none is left on it, since
    /// behind our GOAWAY it could open no stream, and each further tunnel would take a handshake of its own, or have none.
    func retire() { for connection in connections { retireIfIdle(connection) } }

    private func retireIfIdle(_ connection: HTTP2ClientConnection) {
        if connection.lanesInUse == 0 { connection.retire() }
    }
}

extension Errno {
    /// There are no descriptors, or no memory, for a connection.
    fileprivate static var noConnection: Errno { Errno(EMFILE) }
}
