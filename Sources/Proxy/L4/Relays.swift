import Config
import Connection
import Core
import IO
import Routing
import Telemetry
import Upstream

/// Begins relays below HTTP. Their connections belong to the ``DownstreamRegistry`` as all others do.
final class Relays: Timed {
    private let worker: Worker
    /// Sessions that ended just now, which may still be in the middle of a call. No deadline passes within one.
    private var justEnded: [RelaySession] = []
    private let hostSuffixes = UnsafeMutablePointer<HostKey.Suffix>.allocate(capacity: SnapshotLimits.hostLabels)

    init(worker: Worker) { self.worker = worker }

    deinit { hostSuffixes.deallocate() }

    // MARK: whose connection it is

    /// The listener for a server name: the most specific one serves it alone.
    func listener(
        _ serverName: ByteView, on socket: UnsafePointer<SocketConfig>, in snapshot: Snapshot
    ) -> UnsafePointer<ListenerConfig>? {
        var key = HostKey(serverName, suffixes: hostSuffixes)
        var matches = HostMatches(socket.pointee.hosts)
        let index = matches.next(&key, in: snapshot)
        return index == HostIndex.none ? nil : snapshot[snapshot.header.pointee.listeners, Int(index)]
    }

    /// The rule of a listener for a server name: the most specific one.
    private func rule(
        _ serverName: ByteView, of listener: UnsafePointer<ListenerConfig>, in snapshot: Snapshot
    ) -> UnsafePointer<RuleConfig>? {
        // The hosts of a group's listener are those of its requests.
        let index = listener.pointee.isOfGroup ? listener.pointee.streamHosts : listener.pointee.hosts
        return rule(serverName, in: index, snapshot).map { snapshot[snapshot.header.pointee.rules, Int($0)] }
    }

    /// What the most specific name of an index stands for that a host has: a rule, or else what the index is of.
    func rule(_ host: ByteView, in index: HostIndex, _ snapshot: Snapshot) -> UInt32? {
        var key = HostKey(host, suffixes: hostSuffixes)
        var matches = HostMatches(index)
        let found = matches.next(&key, in: snapshot)
        return found == HostIndex.none ? nil : found
    }

    /// One turn of the weights of the rule that serves this listener's connections.
    func choose(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, of listener: UnsafePointer<ListenerConfig>?,
        in snapshot: Snapshot
    ) -> (choice: RelayChoice, hasRule: Bool) {
        guard let listener, let rule = rule(serverName, of: listener, in: snapshot) else {
            return (RelayChoice(kind, serverName: serverName), false)
        }
        return (choose(kind, serverName, by: rule, in: snapshot), true)
    }

    func choose(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, by rule: UInt32, in snapshot: Snapshot
    ) -> RelayChoice {
        choose(kind, serverName, by: snapshot[snapshot.header.pointee.rules, Int(rule)], in: snapshot)
    }

    private func choose(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, by rule: UnsafePointer<RuleConfig>, in snapshot: Snapshot
    ) -> RelayChoice {
        RelayChoice(
            kind, rule, worker.weights.pick(rule, in: snapshot), serverName: serverName, in: snapshot,
            isLogged: worker.accessLog.isOn)
    }

    // MARK: beginning and ending

    /// Relays a connection whose octets begin with what its arrival has read.
    func begin(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, _ arrival: Arrival,
        _ listener: UnsafePointer<ListenerConfig>?, _ configuration: LiveConfiguration
    ) {
        let (choice, hasRule) = choose(kind, serverName, of: listener, in: configuration.snapshot)
        guard choice.cluster != BackendConfig.invalid else {
            return refuse(arrival, choice, hasRule ? .noCluster : .noRoute)
        }
        var words = ByteBuffer()
        if let listener,
            !worker.permitsConnection(
                listener.pointee.authorization, arrival.origin, port: listener.pointee.port, serverName: serverName,
                nil, configuration, words: &words)
        {
            return refuse(arrival, choice, .unauthorized, words.view)
        }
        begin(
            choice, arrival, listener, configuration, to: configuration.cluster(choice.cluster, of: worker))
    }

    /// As above, by a rule of a group's member; ``MemberPortConfig/none``: there is none.
    ///
    /// In clear text the central gateway is not told whose octets they are: it would go by what it reads in them, which is the
    /// client's. So they are handed on only where the address that is named can be meant for nothing else: the member has one
    /// port, and it is declared to take octets, or TLS.
    func begin(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, _ arrival: Arrival, rule: UInt32,
        of call: MemberCall, on listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        guard rule != MemberPortConfig.none else {
            return refuse(arrival, RelayChoice(kind, serverName: serverName), .noRoute)
        }
        let choice = choose(kind, serverName, by: rule, in: configuration.snapshot)
        guard choice.cluster != BackendConfig.invalid else { return refuse(arrival, choice, .noCluster) }
        let isPlain: Bool =
            switch configuration.routes.memberPort(call).pointee.memberProtocol {
            case .tcp, .tls: configuration.routes.member(call).pointee.ports.count == 1
            case .undeclared, .http: false
            }
        begin(
            choice, arrival, nil, configuration, to: configuration.cluster(choice.cluster, of: worker),
            only: call.endpoint, for: call, by: listener, isPlain ? .anyhow : .throughTunnels)
    }

    /// As above, when the choice is made.
    /// - Parameter cluster: nil: the choice's own.
    func begin(
        _ choice: RelayChoice, _ arrival: Arrival, _ configuration: LiveConfiguration, to cluster: Cluster? = nil
    ) {
        // Such a connection goes to where its client said. Nobody else would know that.
        if let cluster {
            return begin(choice, arrival, nil, configuration, to: cluster, .never)
        }
        guard choice.cluster != BackendConfig.invalid else { return refuse(arrival, choice, .noCluster) }
        begin(
            choice, arrival, nil, configuration, to: configuration.cluster(choice.cluster, of: worker), .never)
    }

    private func begin(
        _ choice: RelayChoice, _ arrival: Arrival, _ listener: UnsafePointer<ListenerConfig>?,
        _ configuration: LiveConfiguration, to cluster: Cluster, only endpoint: SocketAddress? = nil,
        for call: MemberCall? = nil, by groupListener: UnsafePointer<ListenerConfig>? = nil,
        _ handingOn: HandingOn = .anyhow
    ) {
        var origin = arrival.origin
        let managed = listener.flatMap { worker.managedListener($0.pointee.identity, configuration) }
        if let managed, !worker.counts(managed.listener, &origin) { return refuse(arrival, choice, .overload) }
        let octets = arrival.takeInput()
        let fd = arrival.take()
        if let managed { worker.settle(&origin, fd, under: managed.number, configuration) }
        let session = RelaySession(
            choice, to: cluster, origin: origin, received: octets.view, worker: worker)
        session.only = endpoint
        if endpoint == nil {
            nameCentral(session, choice, listener ?? groupListener, call, configuration, handingOn)
        }
        if let managed { session.apply(configuration.snapshot[managed.listener.pointee.client, 0].pointee.connection) }
        let downstream = RawConnection(
            taking: fd, events: arrival.events, isPaired: origin.tunnel != nil, owner: session,
            resources: worker.resources)
        worker.registry.replace(arrival, with: session)
        session.begin(with: downstream)
    }

    /// Relays what is inside of a TLS connection that a listener of ours has answered (TLSRoute, `tls.mode: Terminate`).
    /// Called when the handshake is over; the registry knows the handshake.
    func begin(
        _ handshake: TLSHandshake, _ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        handshake.channel.session.serverName.withView { name in
            let (choice, hasRule) = choose(.tls, name, of: listener, in: configuration.snapshot)
            guard choice.cluster != BackendConfig.invalid else {
                tell(choice, handshake.origin, hasRule ? .noCluster : .noRoute)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            var words = ByteBuffer()
            guard
                worker.permitsConnection(
                    listener.pointee.authorization, handshake.origin, port: listener.pointee.port, serverName: name,
                    handshake.channel, configuration, words: &words)
            else {
                tell(choice, handshake.origin, .unauthorized, words.view)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            var origin = handshake.origin
            origin.listenerIdentity = listener.pointee.identity
            let managed = worker.managedListener(listener.pointee.identity, configuration)
            if let managed, !worker.counts(managed.listener, &origin) {
                tell(choice, handshake.origin, .overload)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            let session = RelaySession(
                choice, to: configuration.cluster(choice.cluster, of: worker), origin: origin, received: .empty,
                worker: worker)
            nameCentral(session, choice, listener, nil, configuration, .anyhow)
            let downstream = RawConnection(
                handshake, listenerIdentity: origin.listenerIdentity, owner: session, resources: worker.resources)
            if let managed {
                let plan = configuration.snapshot[managed.listener.pointee.client, 0].pointee.connection
                worker.settle(&origin, downstream.fd, under: managed.number, configuration)
                session.apply(plan)
            }
            worker.registry.replace(handshake, with: session)
            session.begin(with: downstream)
        }
    }

    /// Whether a connection may be handed on.
    private enum HandingOn {
        case never
        /// In clear text the other gateway could not tell whom it is for.
        case throughTunnels
        case anyhow
    }

    /// Names the central gateway, where a connection may be handed on to it (`sluice.dev/fallback-gateway`).
    ///
    /// There is no place for a mark in octets. So that two gateways that name each other do not pass a connection to and
    /// fro, one that comes from a central gateway stays here. The CONNECT of a tunnel has a place for it, and for whom it is.
    /// - Parameters:
    ///   - call: whom it is for; nil: nobody of a group, so the backend's Service.
    private func nameCentral(
        _ session: RelaySession, _ choice: RelayChoice, _ listener: UnsafePointer<ListenerConfig>?,
        _ call: MemberCall?, _ configuration: LiveConfiguration, _ handingOn: HandingOn
    ) {
        let origin = session.origin
        guard handingOn != .never, choice.cluster != BackendConfig.invalid, origin.tunnel?.told?.isHandedOn != true
        else { return }
        let snapshot = configuration.snapshot
        let own = snapshot[snapshot.header.pointee.clusters, Int(choice.cluster)]
        var fallback = own.pointee.fallback
        if fallback.isEmpty, let listener { fallback = listener.pointee.fallback }
        guard !fallback.isEmpty else { return }
        let config = snapshot[snapshot.header.pointee.clusters, Int(fallback.opaque)]
        let isTunnelled = !config.pointee.tunnel.isEmpty
        guard isTunnelled || handingOn == .anyhow && (call == nil || !own.pointee.fallback.isEmpty) else { return }
        let central = configuration.cluster(fallback.opaque, of: worker)
        if isTunnelled {
            session.authority =
                call.map { configuration.authority(of: $0) } ?? snapshot.text(own.pointee.authority).array
            if session.authority.isEmpty { return }
        } else {
            let peer = origin.peer.ip
            if !peer.isLoopback, central.endpoints.contains(where: { $0.address.ip == peer }) { return }
        }
        session.central = central
    }

    /// Closes a connection that leads nowhere. Where a rule has no valid backend, a reset says so (Gateway API,
    /// TCPRouteRule.backendRefs: connections must be rejected); where nothing is known of it, its end does. Inside of a
    /// tunnel an end would look as if the far side had said all that it had to say.
    func refuse(
        _ arrival: Arrival, _ choice: RelayChoice, _ reason: ReasonCode, _ detail: ByteView = .empty
    ) {
        tell(choice, arrival.origin, reason, detail)
        switch reason {
        case .noRoute where arrival.origin.tunnel == nil: arrival.close()
        default: arrival.abort()
        }
    }

    /// Counts and records a connection that led nowhere.
    private func tell(
        _ choice: RelayChoice, _ origin: ConnectionOrigin, _ reason: ReasonCode, _ detail: ByteView = .empty
    ) {
        worker.statistics.relayEnded(reason: reason)
        guard worker.accessLog.isOn else { return }
        var record = AccessRecord()
        record.start = worker.loop.wallNow
        record.duration = worker.loop.now - origin.acceptedAt
        record.reason = reason
        record.detail = detail
        choice.write(record, origin, to: worker.accessLog)
    }

    /// The session is over; called last, by itself.
    func ended(_ session: RelaySession) {
        justEnded.append(session)
        worker.loop.setDeadline(self, worker.loop.now)
        worker.registry.forget(session)
    }

    override func deadlinePassed(now: Instant) { justEnded.removeAll(keepingCapacity: true) }
}
