import Config
import Connection
import Core
import IO
import Routing
import Telemetry
import Upstream

/// Begins relays below HTTP. Their connections belong to the ``DownstreamRegistry`` as all others do.
final class Relays: Timed {
    let worker: Worker
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
        begin(choice, hasRule: hasRule, serverName, arrival, listener, configuration)
    }

    /// As above, when the turn has been taken; nobody has been asked yet.
    func begin(
        _ choice: RelayChoice, hasRule: Bool, _ serverName: ByteView, _ arrival: Arrival,
        _ listener: UnsafePointer<ListenerConfig>?, _ configuration: LiveConfiguration
    ) {
        var choice = choice
        guard choice.cluster != BackendConfig.invalid else {
            return refuse(arrival, choice, hasRule ? .noCluster : .noRoute)
        }
        // A call to a group has been asked about where it was known whom it is for.
        if let listener, !arrival.isCall {
            var words = PolicyWords()
            let isPermitted = worker.permitsConnection(
                listener.pointee.authorization, arrival.origin, port: listener.pointee.port, serverName: serverName,
                nil, configuration, words: &words)
            choice.words = RelayWords(words)
            guard isPermitted else { return refuse(arrival, choice, .unauthorized) }
        }
        begin(
            choice, arrival, listener, configuration, to: configuration.cluster(choice.cluster, of: worker))
    }

    /// As above, by a rule of a group's member; ``MemberPortConfig/none``: there is none.
    func begin(
        _ kind: RelayChoice.Kind, _ serverName: ByteView, _ arrival: Arrival, rule: UInt32,
        of call: MemberCall, on listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        guard rule != MemberPortConfig.none else {
            return refuse(arrival, RelayChoice(kind, serverName: serverName), .noRoute)
        }
        let choice = choose(kind, serverName, by: rule, in: configuration.snapshot)
        guard choice.cluster != BackendConfig.invalid else { return refuse(arrival, choice, .noCluster) }
        begin(
            choice, arrival, nil, configuration, to: configuration.cluster(choice.cluster, of: worker),
            only: call.endpoint, for: call, by: listener, handingOn(of: call, configuration))
    }

    /// As above, when the choice is made and permitted.
    /// - Parameters:
    ///   - listener: whose limits count for it; nil: those of the connection that it came in did.
    ///   - cluster: nil: the choice's own.
    func begin(
        _ choice: RelayChoice, _ arrival: Arrival, on listener: UnsafePointer<ListenerConfig>?,
        _ configuration: LiveConfiguration, to cluster: Cluster? = nil
    ) {
        guard cluster != nil || choice.cluster != BackendConfig.invalid else {
            return refuse(arrival, choice, .noCluster)
        }
        // To hosts outside of a group nothing is handed on: the rules for them are those of whoever lets their caller out.
        begin(
            choice, arrival, listener, configuration,
            to: cluster ?? configuration.cluster(choice.cluster, of: worker), .never)
    }

    private func begin(
        _ choice: RelayChoice, _ arrival: Arrival, _ listener: UnsafePointer<ListenerConfig>?,
        _ configuration: LiveConfiguration, to cluster: Cluster, only endpoint: SocketAddress? = nil,
        for call: MemberCall? = nil, by groupListener: UnsafePointer<ListenerConfig>? = nil,
        _ handingOn: HandingOn = .anyhow
    ) {
        var choice = choice
        if choice.words.detail.isEmpty { choice.words = arrival.words }
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
            var (choice, hasRule) = choose(.tls, name, of: listener, in: configuration.snapshot)
            guard choice.cluster != BackendConfig.invalid else {
                tell(choice, handshake.origin, hasRule ? .noCluster : .noRoute)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            var words = PolicyWords()
            let isPermitted = worker.permitsConnection(
                listener.pointee.authorization, handshake.origin, port: listener.pointee.port, serverName: name,
                handshake.channel, configuration, words: &words)
            choice.words = RelayWords(words)
            guard isPermitted else {
                tell(choice, handshake.origin, .unauthorized)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            let managed = worker.managedListener(listener.pointee.identity, configuration)
            guard var origin = worker.counted(handshake, managed?.listener, listener) else {
                tell(choice, handshake.origin, .overload)
                handshake.cancel()
                return worker.registry.forget(handshake)
            }
            origin.listenerIdentity = listener.pointee.identity
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

    /// Closes a connection that leads nowhere. Where a rule has no valid backend, a reset says so (Gateway API,
    /// TCPRouteRule.backendRefs: connections must be rejected); where nothing is known of it, its end does. Inside of a
    /// tunnel an end would look as if the far side had said all that it had to say.
    func refuse(_ arrival: Arrival, _ choice: RelayChoice, _ reason: ReasonCode) {
        var choice = choice
        if choice.words.detail.isEmpty { choice.words = arrival.words }
        tell(choice, arrival.origin, reason)
        switch reason {
        case .noRoute where arrival.origin.tunnel == nil: arrival.close()
        default: arrival.abort()
        }
    }

    /// Counts and records a connection that led nowhere.
    func tell(_ choice: RelayChoice, _ origin: ConnectionOrigin, _ reason: ReasonCode) {
        worker.statistics.relayEnded(reason: reason)
        guard worker.accessLog.isOn else { return }
        var record = AccessRecord()
        record.start = worker.loop.wallNow
        record.duration = worker.loop.now - origin.acceptedAt
        record.reason = reason
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
