import Config
import Connection
import Core
import Glibc
import HTTP
import IO
import TLS
import Telemetry
import Upstream

/// One address that serves a cluster, with this worker's connections to it.
///
/// Owned by the ``ClusterRegistry`` and by exchanges under way. Limit: `idleLimit` idle connections of HTTP/1.1.
final class Endpoint: ConnectionOwner {
    static let idleLimit = 512
    /// Between two lines in the log about handshakes that fail: each request may try one.
    static let warningPause = TimeAmount.seconds(10)

    /// Unspecified for a Unix socket.
    let address: SocketAddress
    /// Of a Unix socket; empty: the address counts.
    let unixPath: String
    /// Only a process of this one's user may listen there.
    var isOfOurUser = false
    /// `unix:` and the path of a Unix socket, else empty.
    private var unixName = ByteBuffer()
    /// Its own name, as the newest snapshot has it; empty: none.
    private(set) var hostname = ByteBuffer()
    /// Its place in the shared statistics and live state.
    let slot: UInt32
    /// ``EndpointConfig/identity``.
    let identity: UInt64
    /// What balancers know it by.
    let key: UInt64
    /// Of its cluster: whose line waits for its connections.
    private let breaker: Breaker
    /// Of its connections.
    private let permits: ConnectionPermits
    /// How connections to it are made; the cluster's, as of the newest snapshot.
    private(set) var transport: UpstreamTransport
    /// No snapshot names it any more: connections that come back are closed.
    var isRetired = false
    /// Idle connections of HTTP/1.1, the most recently used last.
    private var idle: [HTTP1ClientConnection] = []
    /// Connections of HTTP/2, busy or not, the newest last.
    var multiplexed: [HTTP2ClientConnection] = []
    /// Connections that are being made, and who waits for each.
    var waiting = PendingConnections()
    /// What ALPN chose last, where the endpoint may choose.
    var negotiated = BackendProtocol.negotiated
    private var resumption: TLSResumption?
    private var nextWarning = Instant(nanoseconds: 0)
    let worker: Worker
    /// How long the endpoint keeps idle connections.
    private var patience = IdlePatience()

    init(
        address: SocketAddress, unixPath: String = "", slot: UInt32, identity: UInt64, transport: UpstreamTransport,
        breaker: Breaker, worker: Worker
    ) {
        self.identity = identity
        key = unixPath.isEmpty ? Candidate.key(of: address) : unixPath.withView { HashMix.hash($0) }
        self.breaker = breaker
        permits = ConnectionPermits(breaker, worker.liveState, slot: slot)
        self.unixPath = unixPath
        if !unixPath.isEmpty { unixName.append(string: "unix:\(unixPath)") }
        self.address = address
        self.slot = slot
        self.transport = transport
        self.worker = worker
    }

    /// As people are shown it.
    var name: String { unixPath.isEmpty ? address.description : "unix:\(unixPath)" }

    /// Says in a record that this endpoint was asked last; valid as long as the endpoint.
    func name(in record: inout AccessRecord) {
        record.endpoint = address
        record.endpointName = unixName.view
    }

    func call(_ hostname: ByteView) {
        self.hostname.clear()
        self.hostname.append(hostname)
    }

    /// The newest snapshot's word. Connections made under other settings serve what is on them, and no more.
    func adopt(_ transport: UpstreamTransport) {
        let isSame = self.transport.isSame(as: transport)
        self.transport = transport
        guard !isSame else { return }
        negotiated = .negotiated
        resumption = nil
        waiting.closeToOthers()
        closeIdle()
    }

    // MARK: streams for exchanges

    /// A stream on a connection that exists. Nil: none is free; see ``connect(for:alone:preamble:)``.
    /// - Parameters:
    ///   - canBeRepeated: a connection that turns out dead costs time alone. Otherwise it is asked before whether it still is
    ///     one, and none is taken that has been idle for nearly as long as the endpoint keeps them.
    ///   - version: of HTTP, by which the client's request came; 0: whichever.
    func lease(for owner: ConnectionOwner, version: UInt8 = 0, canBeRepeated: Bool = true) -> ClientStream? {
        guard !transport.isForOne else { return nil }
        let wanted = self.wanted(version)
        if wanted != .http2, let connection = canBeRepeated ? newestIdle : confirmedIdle() {
            idle.removeLast()
            worker.statistics.decrement(.upstreamPooledNow)
            connection.becomeBusy(owner: owner)
            return connection
        }
        if wanted == .http1 { return nil }
        // The newest first, so that those from a time of many exchanges become idle and go.
        guard let connection = multiplexed.last(where: { $0.freeLanes > 0 }) else { return nil }
        // With others on it, it is alive as far as anybody can know.
        if !canBeRepeated, connection.lanesInUse == 0, !connection.confirm() {
            return multiplexed.last { $0.freeLanes > 0 }.map { $0.openStream(owner: owner) }
        }
        return connection.openStream(owner: owner)
    }

    /// What is spoken for a request of this version (BackendTrafficPolicy `useClientProtocol`).
    private func wanted(_ version: UInt8) -> BackendProtocol {
        guard transport.usesClientProtocol, version > 0, transport.backendProtocol != .opaque else {
            return transport.backendProtocol
        }
        return version == 2 ? .http2 : .http1
    }

    /// By its place: `last` of an array allocates in builds without optimisation, where tests count.
    private var newestIdle: HTTP1ClientConnection? { idle.isEmpty ? nil : idle[idle.count - 1] }

    /// The most recently used idle connection of HTTP/1.1, if it is safe to use.
    private func confirmedIdle() -> HTTP1ClientConnection? {
        while let connection = newestIdle {
            let age = worker.loop.now - connection.idleSince
            // The others have been idle for longer.
            if patience.isRunningOut(at: age) { return nil }
            if connection.confirm() { return connection }
        }
        return nil
    }

    /// Sees to it that a stream can be had at once: on a connection that exists, or is being made for several; else on a
    /// new one, for which the permits are taken now. False: the cluster, or this endpoint, has as many connections as its
    /// circuit breaker allows.
    /// - Parameters:
    ///   - alone: on a new connection.
    ///   - version: as for ``lease(for:version:canBeRepeated:)``; likewise `canBeRepeated`.
    func prepare(alone: Bool, version: UInt8, canBeRepeated: Bool) -> Bool {
        if !alone, !transport.isForOne {
            let wanted = self.wanted(version)
            if wanted != .http2, canBeRepeated ? !idle.isEmpty : confirmedIdle() != nil { return true }
            if wanted != .http1, multiplexed.contains(where: { $0.freeLanes > 0 }) { return true }
            if placeToJoin(wanted) != nil { return true }
        }
        return prepareConnection()
    }

    /// Sees to it that ``connect(for:version:alone:preamble:)`` has its permits: what looked like a connection was none.
    func mayConnect(version: UInt8, alone: Bool) -> Bool {
        if permits.isPrepared { return true }
        if !alone, !transport.isForOne, placeToJoin(wanted(version)) != nil { return true }
        return prepareConnection()
    }

    private func prepareConnection() -> Bool { permits.prepare(orAfter: closeOneIdle) }

    /// Takes the permits for one connection; each is given back by ``connectionEnded()``.
    func takeConnection() -> Bool { permits.take(orAfter: closeOneIdle) }

    func connectionEnded() { permits.giveBack() }

    /// False: there is none.
    func closeOneIdle() -> Bool {
        guard let connection = idle.first else { return false }
        idle.removeFirst()
        worker.statistics.decrement(.upstreamPooledNow)
        connection.close()
        return true
    }

    /// Where others wait for a connection that will carry several streams.
    private func placeToJoin(_ wanted: BackendProtocol) -> Int? {
        guard speaksHTTP2(wanted) else { return nil }
        return waiting.placeToJoin(wanted)
    }

    /// Makes a connection; `owner` is told by `connected` or `connectFailed`, never within this call.
    /// - Parameters:
    ///   - alone: not on a connection that others wait for too.
    ///   - preamble: a PROXY header, which makes the connection this owner's alone.
    ///   - call: what a tunnel is told of the one call that it is for, where it is for one.
    func connect(
        for owner: ConnectionOwner, version: UInt8 = 0, alone: Bool = false,
        preamble: consuming ByteBuffer = ByteBuffer(), call: TunnelCall? = nil
    ) throws(Errno) {
        let wanted = self.wanted(version)
        let isShared = speaksHTTP2(wanted) && !alone && preamble.isEmpty && call == nil
        if isShared, let place = placeToJoin(wanted) {
            waiting.join(place, owner)
            return
        }
        guard permits.use(orAfter: closeOneIdle) else { throw Errno(EBUSY) }
        let connector: Connector
        do throws(Errno) {
            connector = try makeConnector(wanted, preamble, call)
        } catch {
            connectionEnded()
            throw error
        }
        if resumption?.isSingleUse == true { resumption = nil }
        waiting.add(connector, wanted, isShared: isShared, for: owner)
    }

    private func makeConnector(
        _ wanted: BackendProtocol, _ preamble: consuming ByteBuffer, _ call: TunnelCall?
    ) throws(Errno) -> Connector {
        let timeout = transport.connectTimeout ?? worker.limits.connect
        let security = try transport.security(
            resuming: resumption, only: transport.usesClientProtocol ? wanted : nil)
        if let tunnel = transport.tunnel {
            return try worker.tunnels.connect(
                to: address, through: tunnel, timeout: timeout, security: security, preamble: preamble, call: call,
                owner: self)
        }
        return try Connector(
            to: address, unixPath: unixPath, isOfOurUser: isOfOurUser, timeout: timeout, security: security,
            preamble: preamble,
            options: transport.terms.socket, owner: self, resources: worker.resources)
    }

    /// Whether a new connection is expected to carry several streams.
    private func speaksHTTP2(_ wanted: BackendProtocol) -> Bool {
        switch wanted {
        case .http1, .opaque: false
        case .http2: true
        case .negotiated: negotiated != .http1
        }
    }

    /// `owner` waits no more.
    func cancel(_ owner: ConnectionOwner) {
        guard let needless = waiting.leave(owner) else { return }
        needless.cancel()
        connectionEnded()
    }

    // MARK: connections that were made

    override func established(_ connector: Connector) { serveWaiting(connector) }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        if case .tls(let text) = failure, worker.loop.now >= nextWarning {
            nextWarning = worker.loop.now + Self.warningPause
            worker.log.warning(
                "a TLS handshake with a backend failed", ["endpoint": .init(name), "error": .init(text)])
        }
        // A ticket that made it fail must not do so for ever.
        resumption = nil
        connectionEnded()
        forEachWaiting(connector) { $0.connectFailed(failure) }
    }

    // MARK: the pool

    override func returned(_ connection: HTTP1ClientConnection) -> Bool {
        keep(connection.tls?.session.takeResumption())
        guard idle.count < min(Self.idleLimit, breaker.idleLimit), mayBeKept(connection.tls),
            !breaker.isWantedElsewhere
        else { return false }
        idle.append(connection)
        worker.statistics.increment(.upstreamPooledNow)
        breaker.wakeLine()
        return true
    }

    override func ended(_ connection: HTTP1ClientConnection) { connectionEnded() }

    override func lanesFreed(_ connection: HTTP2ClientConnection) { breaker.wakeLine() }

    override func closed(_ connection: HTTP1ClientConnection) {
        guard let index = idle.lastIndex(where: { $0 === connection }) else { return }
        if connection.wasEndedByPeer { patience.ended(after: worker.loop.now - connection.idleSince) }
        idle.remove(at: index)
        worker.statistics.decrement(.upstreamPooledNow)
    }

    override func closed(_ connection: HTTP2ClientConnection) {
        keep(connection.tls?.session.takeResumption())
        guard let place = multiplexed.firstIndex(where: { $0 === connection }) else { return }
        multiplexed.remove(at: place)
        connectionEnded()
    }

    /// Whether a connection may carry the requests of others, later.
    func mayBeKept(_ tls: TLSChannel?) -> Bool {
        !isRetired && !worker.isDraining && !transport.isForOne
            && tls?.session.context === transport.context
    }

    private func keep(_ newer: TLSResumption?) {
        if let newer { resumption = newer }
    }

    /// Closes the connections that nobody uses; of those in use no more is made.
    func closeIdle() {
        for connection in idle {
            connection.close()
            worker.statistics.decrement(.upstreamPooledNow)
        }
        idle.removeAll()
        for connection in multiplexed { connection.retire() }
    }

    func retire() {
        isRetired = true
        closeIdle()
    }

    deinit {
        precondition(
            idle.isEmpty && multiplexed.isEmpty && waiting.isEmpty, "an endpoint went before its connections")
    }
}
