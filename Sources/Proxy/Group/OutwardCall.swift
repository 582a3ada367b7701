import Config
import Connection
import Core
import IO
import Telemetry

/// A connection below HTTP on its way to a host outside of the group that has to be looked up first.
struct OutwardCall {
    var choice: RelayChoice
    /// Of the configuration that the choice was made in.
    var revision: UInt64
    /// Without port.
    var host: [UInt8]
    var port: UInt16
    /// Targets on this machine and its links may be reached; of a choice with a backend, that backend says it.
    var allowsLocal = false
}

/// Connections below HTTP to hosts that are no members: only as routes of the Gateway have it written, else by
/// `sluice.dev/egress`.
extension Arrival: DynamicHosts.Waiter {
    func goOutside(
        _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        switch (spoken, origin.destination) {
        case (.tls(let name), .authority(let host, _)):
            // Through a host that is allowed nobody reaches another one that the handshake names.
            guard name.isEmpty || host.withView({ HostName.isSame($0, name) }) else {
                return deny(name, spoken, listener)
            }
            host.withView { goOutside(spoken, to: $0, listener, configuration) }
        case (.tls(let name), .address), (.tls(let name), nil):
            goOutside(spoken, to: name, listener, configuration)
        case (.octets, .authority(let host, _)), (.http, .authority(let host, _)):
            host.withView { goOutside(spoken, to: $0, listener, configuration) }
        case (.octets, .address), (.http, .address), (.octets, nil), (.http, nil):
            goOutside(spoken, to: .empty, listener, configuration)
        }
    }

    /// - Parameter name: the host that is wanted, by whatever told it; empty: only an address is known.
    private func goOutside(
        _ spoken: Spoken, to name: ByteView, _ listener: UnsafePointer<ListenerConfig>,
        _ configuration: LiveConfiguration
    ) {
        switch configuration.routes.wayOut(to: name, by: listener) {
        case .asWritten(let rule): relayOutside(spoken, to: name, by: rule, listener, configuration)
        case .asAsked:
            let local = configuration.allowsLocalTargets(configuration.group(of: listener))
            relayAsAsked(spoken, to: name, listener, local: local, configuration)
        case .denied: deny(name, spoken, listener)
        }
    }

    /// By a rule of the Gateway's own routes.
    private func relayOutside(
        _ spoken: Spoken, to name: ByteView, by rule: UInt32, _ listener: UnsafePointer<ListenerConfig>,
        _ configuration: LiveConfiguration
    ) {
        let choice = worker.relays.choose(
            kind(of: spoken), serverName(of: spoken), by: rule, in: configuration.snapshot)
        if choice.leadsToNamedHost(in: configuration.snapshot) {
            guard !name.isEmpty else { return refuseCall(.dnsFailure, choice) }
            return resolve(
                OutwardCall(
                    choice: choice, revision: configuration.revision, host: name.array, port: port(over: listener)))
        }
        handOver()
        worker.relays.begin(choice, self, on: ownListener(listener), configuration)
    }

    /// `sluice.dev/egress: allow`: to the address that was dialled, or to one of the host that was named.
    /// - Parameter local: targets on this machine and its links may be reached.
    private func relayAsAsked(
        _ spoken: Spoken, to name: ByteView, _ listener: UnsafePointer<ListenerConfig>, local: Bool,
        _ configuration: LiveConfiguration
    ) {
        let choice = RelayChoice(kind(of: spoken), serverName: serverName(of: spoken))
        guard case .address(let address) = origin.destination else {
            return resolve(
                OutwardCall(
                    choice: choice, revision: configuration.revision, host: name.array, port: port(over: listener),
                    allowsLocal: local))
        }
        guard allows(address, local: local), !configuration.routes.isMember(address.ip) else {
            return refuseCall(.noRoute, choice)
        }
        var text = ByteBuffer()
        address.ip.write(to: &text)
        let cluster = worker.clusters.cluster(
            ClusterConfig.asAsked, of: listener.pointee.group, host: text.view, port: address.port,
            addresses: [address.ip], in: configuration)
        handOver()
        worker.relays.begin(choice, self, on: nil, configuration, to: cluster)
    }

    /// TLS that an ordinary listener passes on: to its route's backend, of which a turn of the weights is taken once, or to the
    /// host itself where that is a Backend of type DynamicResolver.
    func passOn(
        _ name: ByteView, _ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) {
        let (choice, hasRule) = worker.relays.choose(.tls, name, of: listener, in: configuration.snapshot)
        guard !name.isEmpty, choice.leadsToNamedHost(in: configuration.snapshot) else {
            handOver()
            return worker.relays.begin(choice, hasRule: hasRule, name, self, listener, configuration)
        }
        var said = PolicyWords()
        let isPermitted = worker.permitsConnection(
            listener.pointee.authorization, origin, port: listener.pointee.port, serverName: name, nil, configuration,
            words: &said)
        words = RelayWords(said)
        if isPermitted {
            resolve(
                OutwardCall(
                    choice: choice, revision: configuration.revision, host: name.array, port: listener.pointee.port))
        } else {
            worker.relays.refuse(self, choice, .unauthorized)
        }
    }

    func kind(of spoken: Spoken) -> RelayChoice.Kind {
        if case .tls = spoken { .tls } else { .tcp }
    }

    func serverName(of spoken: Spoken) -> ByteView {
        if case .tls(let name) = spoken { name } else { .empty }
    }

    /// A server name has no port: it is the one that was dialled, here where nobody says another.
    private func port(over listener: UnsafePointer<ListenerConfig>) -> UInt16 {
        origin.destination?.port ?? listener.pointee.port
    }

    /// The listener whose limits a connection counts under; nil: they were those of the one that it came in.
    private func ownListener(_ listener: UnsafePointer<ListenerConfig>) -> UnsafePointer<ListenerConfig>? {
        origin.destination == nil ? listener : nil
    }

    /// This host is not to be reached: the caller sees a reset, the log and the counters who it was.
    private func deny(_ name: ByteView, _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>) {
        if name.isEmpty, let destination = origin.destination {
            worker.egressDenials.note(destination, origin)
        } else {
            worker.egressDenials.note(name, port: port(over: listener), origin)
        }
        refuseCall(.noRoute, spoken)
    }

    // MARK: looking the host up

    private func resolve(_ call: OutwardCall) {
        phase = .resolving
        outward = call
        let outcome = call.host.withView { worker.dynamicHosts.resolve($0, for: self) }
        if case .waiting = outcome { return wait(worker.limits.connect) }
        hostResolved(outcome)
    }

    func hostResolved(_ outcome: DynamicHosts.Outcome) {
        guard phase == .resolving, let call = outward, let configuration = worker.configuration else { return }
        outward = nil
        switch outcome {
        case .waiting: preconditionFailure("a host that is waited for has no answer yet")
        case .failed, .forbidden: refuseCall(.dnsFailure, call.choice)
        case .overloaded: refuseCall(.overload, call.choice)
        case .addresses(let all):
            var config = ClusterConfig.asAsked
            var allowsLocal = call.allowsLocal
            let snapshot = configuration.snapshot
            // The answer may come under another configuration, in which the number means another cluster.
            if call.choice.cluster != BackendConfig.invalid {
                guard call.revision == configuration.revision else { return refuseCall(.dnsFailure, call.choice) }
                config = snapshot[snapshot.header.pointee.clusters, Int(call.choice.cluster)].pointee
                allowsLocal = snapshot[config.dynamicResolver, 0].pointee.allowsLocalTargets
            }
            guard let listener = listener(of: call, configuration) else { return refuseCall(.noRoute, call.choice) }
            // Nobody reaches a member past its policies by a name that somebody outside has given it.
            let allowed = all.filter {
                allows(SocketAddress(ip: $0, port: call.port), local: allowsLocal)
                    && !(listener.pointee.isOfGroup && configuration.routes.isMember($0))
            }
            guard !allowed.isEmpty else { return refuseCall(.dnsFailure, call.choice) }
            let cluster = call.host.withView {
                worker.clusters.cluster(
                    config, of: listener.pointee.group, host: $0, port: call.port, addresses: allowed,
                    in: configuration)
            }
            handOver()
            worker.relays.begin(call.choice, self, on: ownListener(listener), configuration, to: cluster)
        }
    }

    /// Who took it: a group's listener, or the ordinary one that its server name chose.
    private func listener(
        of call: OutwardCall, _ configuration: LiveConfiguration
    ) -> UnsafePointer<ListenerConfig>? {
        guard let (_, socket) = currentPlace else { return nil }
        if isCall { return calledListener(configuration, socket) }
        return call.host.withView { worker.relays.listener($0, on: socket, in: configuration.snapshot) }
    }

    /// Connections do not go round in circles, nor to the gateway's own neighbours.
    private func allows(_ address: SocketAddress, local: Bool) -> Bool {
        (local || !address.ip.isLocalTarget) && !worker.isOwnListener(address)
    }

    func resolvingTookTooLong() {
        let choice = outward?.choice ?? RelayChoice(.tcp, serverName: .empty)
        stopResolving()
        refuseCall(.dnsFailure, choice)
    }

    func stopResolving() {
        outward = nil
        worker.dynamicHosts.cancel(self)
    }
}

/// Names of hosts, compared as DNS does.
enum HostName {
    /// Whether both name one host: letters of either case, and a final dot or none (RFC 1034, section 3.1).
    static func isSame(_ a: ByteView, _ b: ByteView) -> Bool { withoutDot(a).equalsIgnoringCase(withoutDot(b)) }

    private static func withoutDot(_ name: ByteView) -> ByteView {
        name.count > 1 && name[name.count - 1] == ASCII.dot ? name.upTo(name.count - 1) : name
    }
}
