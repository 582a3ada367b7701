import Config
import Connection
import Core
import IO
import Telemetry
import Upstream

/// One client's connection below HTTP and the connection to the endpoint that was chosen for it: a TCPRoute's, or a
/// TLSRoute's. Octets pass as they come, in both directions, until both have ended.
///
///     connecting ─ established ─▶ relaying ─ both FINs passed, a reset, idle, cut ─▶ over
///
/// Owned by the worker's ``DownstreamRegistry``. A direction that is slow stops the reading of its source; half-closing is
/// passed on; a reset of one side becomes a reset of the other.
final class RelaySession: RawConnectionOwner, DownstreamConnection {
    enum Phase: UInt8 { case connecting, relaying, over }

    private let worker: Worker
    let origin: ConnectionOrigin
    var registryIndex = -1
    private(set) var phase = Phase.connecting
    private let choice: RelayChoice
    private var cluster: Cluster
    /// The central gateway, for when nobody here can be reached; nil: there is none, or it has it already.
    var central: Cluster?
    /// Whom it is for, as the central gateway is told through a tunnel.
    var authority: [UInt8] = []
    private var downstream: RawConnection?
    private var upstream: RawConnection?
    private var connector: Connector?
    private var endpoint: Endpoint?
    /// Endpoints that could not be connected to, and the one in use.
    private var tried = TriedEndpoints()
    /// The permit for the connection to the endpoint is held.
    private var holdsPermit = false
    private lazy var place = makePlace()

    private func makePlace() -> WaitingPlace {
        WaitingPlace { [unowned self] in
            connect()
            return !place.isWaiting
        }
    }
    private var flows = RelayFlows()
    private var isHandedOn = false
    /// Its own backend, which was not asked because it could not be reached a moment ago.
    private var untried: Cluster?
    private var attempts = 0
    /// One of them failed for want of something here, which says nothing of the endpoint.
    private var lacksMeans = false
    private let startedWall: Int64
    private var lastMoved = Instant(nanoseconds: 0)
    /// How long nothing may move; nil: the worker's.
    private var ownIdle: TimeAmount?
    /// When it ends in any case.
    private var endsAt = Instant.distantFuture

    /// - Parameter received: octets of the client that were read already.
    init(
        _ choice: RelayChoice, to cluster: Cluster, origin: ConnectionOrigin, received: ByteView, worker: Worker
    ) {
        self.choice = choice
        self.cluster = cluster
        self.origin = origin
        self.worker = worker
        startedWall = worker.loop.wallNow
        super.init()
        self.received = received.isEmpty ? [] : received.array
        worker.statistics.increment(.relaysNow)
    }

    /// What the listener's policy says of its connections (`timeout.tcp.idleTimeout`, `maxConnectionDuration`).
    func apply(_ plan: ClientConnectionPlan) {
        if plan.tcpIdleTimeout.isSet { ownIdle = plan.tcpIdleTimeout.over(.forever) }
        if plan.maxConnectionDuration > .zero { endsAt = origin.acceptedAt + plan.maxConnectionDuration }
    }

    private var idle: TimeAmount { ownIdle ?? worker.limits.streamIdle }

    /// The only endpoint that may be connected to, since it was called by its own address; nil: any.
    var only: SocketAddress?

    /// Octets that go first, until the connection to the endpoint is there.
    private var received: [UInt8] = []

    /// Begins, with the client's connection.
    func begin(with downstream: RawConnection) {
        self.downstream = downstream
        if central != nil, cluster.isDiverted {
            untried = cluster
            return handOn()
        }
        connect()
    }

    var isIdle: Bool { false }
    var isFresh: Bool { false }
    var isClosed: Bool { phase == .over }

    // MARK: the endpoint

    private func connect() {
        // Whose ejection is over is tried by one connection, at its first attempt.
        let probation = attempts == 0 && only == nil ? cluster.outliers?.probation(of: cluster.endpoints) : nil
        guard let next = probation ?? nextEndpoint() else {
            cluster.breaker.leave(place)
            if central != nil {
                if !lacksMeans { cluster.divert() }
                return handOn()
            }
            return returnsToLocal() ? () : end(.noHealthyUpstream)
        }
        guard cluster.breaker.isTurn(of: place), next.takeConnection() else { return wait() }
        cluster.breaker.leave(place)
        endpoint = next
        tried.add(next.key)
        holdsPermit = true
        attempts += 1
        do throws(Errno) {
            let security = try next.transport.security(resuming: nil)
            let preamble = cluster.transport.preamble(
                for: origin, localAddress: downstream?.localAddress, to: next.address)
            if let tunnel = next.transport.tunnel {
                connector = try worker.tunnels.connect(
                    to: next.address, through: tunnel, timeout: connectPatience, security: security,
                    preamble: preamble, call: tunnelCall, owner: self)
            } else {
                connector = try Connector(
                    to: next.address, unixPath: next.unixPath, timeout: connectPatience, security: security,
                    preamble: preamble, owner: self, resources: worker.resources)
            }
            worker.liveState.requestBegan(next.slot)
        } catch {
            lacksMeans = lacksMeans || error.isShortage
            connectFailed(next)
        }
    }

    private var tunnelCall: TunnelCall {
        var call = TunnelCall(authority: authority, client: origin.peer.ip)
        if let told = origin.tunnel?.told {
            call.trace = told.trace
            call.baggage = told.baggage
        }
        call.isHandedOn = isHandedOn
        return call
    }

    private func nextEndpoint() -> Endpoint? {
        guard let only else { return cluster.next(tried: tried) }
        return cluster.endpoint(only).flatMap { tried.contains($0.key) ? nil : $0 }
    }

    /// The backend has as many connections as its circuit breaker allows: in line until one ends.
    private func wait() {
        if !place.isWaiting, !cluster.breaker.join(place) {
            return central != nil ? handOn() : end(.upstreamOverflow)
        }
        stillBusy()
    }

    /// The central gateway has it from now on. Nothing was sent yet.
    private func handOn() {
        guard let central else { preconditionFailure("a relay has nobody to be handed on to") }
        self.central = nil
        isHandedOn = true
        worker.statistics.increment(.relaysHandedOn)
        go(to: central)
    }

    /// No central gateway answers either: a backend here that was not even asked is asked after all.
    private func returnsToLocal() -> Bool {
        guard let local = untried else { return false }
        untried = nil
        go(to: local)
        return true
    }

    private func go(to next: Cluster) {
        cluster = next
        tried = TriedEndpoints()
        attempts = 0
        lacksMeans = false
        connect()
    }

    /// A connection that takes long is given up earlier when there is another way.
    private var connectPatience: TimeAmount {
        central == nil && !isHandedOn
            ? worker.limits.connect : min(worker.limits.connect, Exchange.FallbackLimits.connect)
    }

    private func givePermitBack() {
        guard holdsPermit else { return }
        holdsPermit = false
        endpoint?.connectionEnded()
    }

    override func established(_ connector: Connector) {
        guard let endpoint else { preconditionFailure("a connection to nowhere") }
        self.connector = nil
        worker.statistics.upstreamConnected(endpoint: endpoint.slot)
        cluster.outliers?.note(.success, at: endpoint, of: cluster.endpoints)
        let connection = RawConnection(connector, owner: self, resources: worker.resources)
        upstream = connection
        phase = .relaying
        received.withView { flows.up.begin(with: $0, resources: worker.resources) }
        received = []
        stillBusy()
        advance()
    }

    override func failed(_ connector: Connector, _ failure: ConnectFailure) {
        guard let endpoint else { preconditionFailure("a connection to nowhere") }
        self.connector = nil
        worker.liveState.requestEnded(endpoint.slot)
        if case .timedOut = failure { worker.statistics.increment(.upstreamConnectTimeouts) }
        connectFailed(endpoint)
    }

    /// Nothing was sent yet, so another endpoint may have it.
    private func connectFailed(_ failed: Endpoint) {
        worker.statistics.upstreamConnectFailed(endpoint: failed.slot)
        givePermitBack()
        cluster.outliers?.note(.localOrigin, at: failed, of: cluster.endpoints)
        if attempts < min(cluster.endpoints.count, ExchangeLimits.connectAttempts) { return connect() }
        if central != nil {
            if !lacksMeans { cluster.divert() }
            return handOn()
        }
        if !returnsToLocal() { end(.upstreamConnectionFailure) }
    }

    // MARK: octets

    override func ready(_ connection: RawConnection) {
        switch phase {
        case .connecting: if connection.hasError { end(.downstreamTermination) }
        case .relaying: advance()
        case .over: break
        }
    }

    private func advance() {
        guard phase == .relaying, let downstream, let upstream else { return }
        let before = (flows.up.octets, flows.down.octets)
        let progress = flows.run(downstream, upstream)
        count(since: before)
        switch progress {
        case .waiting: break
        case .unfinished: worker.loop.again(downstream)
        case .over(let reason): end(reason)
        }
    }

    private func count(since before: (up: UInt64, down: UInt64)) {
        guard flows.up.octets != before.up || flows.down.octets != before.down else { return }
        worker.statistics.increment(.relayBytesReceived, by: flows.up.octets &- before.up)
        worker.statistics.increment(.relayBytesSent, by: flows.down.octets &- before.down)
        stillBusy()
    }

    private func stillBusy() {
        lastMoved = worker.loop.now
        let quiet = lastMoved + (hasTLS ? min(ConnectionLimits.quietAfter, idle) : idle)
        worker.loop.setDeadline(self, min(quiet, endsAt))
    }

    private var hasTLS: Bool { downstream?.tls != nil || upstream?.tls != nil }

    override func deadlinePassed(now: Instant) {
        let end = min(lastMoved + idle, endsAt)
        guard now < end else { return self.end(now >= endsAt ? .durationTimeout : .streamIdleTimeout) }
        downstream?.reclaimWhileQuiet()
        upstream?.reclaimWhileQuiet()
        worker.loop.setDeadline(self, end)
    }

    // MARK: its end

    /// Nobody can be told below HTTP that the gateway would like to end: it goes on until it ends by itself, or is cut.
    func drain() {}

    func cut() { if phase != .over { end(.localReset) } }

    /// The relay is over: in order, or broken off, which both sides see as a reset.
    private func end(_ reason: ReasonCode) {
        precondition(phase != .over, "a relay ends once")
        let wasConnected = phase == .relaying
        phase = .over
        worker.loop.clearDeadline(self)
        cluster.breaker.leave(place)
        if let connector, let endpoint {
            connector.cancel()
            worker.liveState.requestEnded(endpoint.slot)
        }
        connector = nil
        flows.up.release(worker.resources)
        flows.down.release(worker.resources)
        if wasConnected, let endpoint {
            worker.liveState.requestEnded(endpoint.slot)
            worker.statistics.relayed(
                received: flows.up.octets, sent: flows.down.octets, route: choice.routeSlot, endpoint: endpoint.slot)
        }
        givePermitBack()
        if reason == .none {
            downstream?.close()
            upstream?.close()
        } else {
            origin.tunnel?.willBreak()
            downstream?.abort()
            upstream?.abort()
        }
        worker.statistics.decrement(.relaysNow)
        worker.statistics.relayEnded(reason: reason)
        if worker.accessLog.isOn { writeRecord(reason) }
        worker.relays.ended(self)
    }

    private func writeRecord(_ reason: ReasonCode) {
        var record = AccessRecord()
        record.reason = reason
        record.start = startedWall
        record.duration = worker.loop.now - origin.acceptedAt
        record.bodyReceived = flows.up.octets
        record.bodySent = flows.down.octets
        record.attempts = UInt32(attempts)
        if attempts > 0 { endpoint?.name(in: &record) }
        choice.write(record, origin, to: worker.accessLog)
    }
}
