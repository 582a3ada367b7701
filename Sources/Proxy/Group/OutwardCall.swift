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
        _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>, _ group: UnsafePointer<GroupConfig>,
        _ configuration: LiveConfiguration
    ) {
        guard let destination = origin.destination else { preconditionFailure("a call to nowhere") }
        switch (spoken, destination) {
        case (.tls(let name), .authority(let host, _)):
            // Through a host that is allowed nobody reaches another one that the handshake names.
            guard name.isEmpty || host.withView({ HostName.isSame($0, name) }) else {
                return deny(name, group, configuration)
            }
            host.withView { goOutside(spoken, to: $0, listener, group, configuration) }
        case (.tls(let name), .address): goOutside(spoken, to: name, listener, group, configuration)
        case (.octets, .authority(let host, _)), (.http, .authority(let host, _)):
            host.withView { goOutside(spoken, to: $0, listener, group, configuration) }
        case (.octets, .address), (.http, .address): goOutside(spoken, to: .empty, listener, group, configuration)
        }
    }

    /// - Parameter name: the host that is wanted, by whatever told it; empty: only an address is known.
    private func goOutside(
        _ spoken: Spoken, to name: ByteView, _ listener: UnsafePointer<ListenerConfig>,
        _ group: UnsafePointer<GroupConfig>, _ configuration: LiveConfiguration
    ) {
        if let rule = worker.relays.rule(name, in: listener.pointee.streamHosts, configuration.snapshot) {
            return relayOutside(spoken, to: name, by: rule, configuration)
        }
        guard group.pointee.egress == .allow else { return deny(name, group, configuration) }
        relayAsAsked(spoken, local: configuration.allowsLocalTargets(group), configuration)
    }

    /// By a rule of the Gateway's own routes.
    private func relayOutside(
        _ spoken: Spoken, to name: ByteView, by rule: UInt32, _ configuration: LiveConfiguration
    ) {
        let snapshot = configuration.snapshot
        let choice = worker.relays.choose(kind(of: spoken), serverName(of: spoken), by: rule, in: snapshot)
        if choice.cluster != BackendConfig.invalid {
            let config = snapshot[snapshot.header.pointee.clusters, Int(choice.cluster)]
            if !config.pointee.dynamicResolver.isEmpty {
                guard !name.isEmpty else { return refuseCall(.dnsFailure) }
                return resolve(
                    OutwardCall(choice: choice, revision: configuration.revision, host: name.array, port: port))
            }
        }
        handOver()
        worker.relays.begin(choice, self, configuration)
    }

    /// `sluice.dev/egress: allow`: to the address that was dialled, or to one of the host that was named.
    /// - Parameter local: targets on this machine and its links may be reached.
    private func relayAsAsked(_ spoken: Spoken, local: Bool, _ configuration: LiveConfiguration) {
        guard let destination = origin.destination else { preconditionFailure("a call to nowhere") }
        let choice = RelayChoice(kind(of: spoken), serverName: serverName(of: spoken))
        switch destination {
        case .address(let address):
            guard allows(address, local: local) else { return refuseCall(.noRoute) }
            var text = ByteBuffer()
            address.ip.write(to: &text)
            let cluster = worker.clusters.cluster(
                ClusterConfig.asAsked, host: text.view, port: address.port, addresses: [address.ip], in: configuration)
            handOver()
            worker.relays.begin(choice, self, configuration, to: cluster)
        case .authority(let host, let port):
            resolve(
                OutwardCall(
                    choice: choice, revision: configuration.revision, host: host, port: port, allowsLocal: local))
        }
    }

    func kind(of spoken: Spoken) -> RelayChoice.Kind {
        if case .tls = spoken { .tls } else { .tcp }
    }

    func serverName(of spoken: Spoken) -> ByteView {
        if case .tls(let name) = spoken { name } else { .empty }
    }

    private var port: UInt16 { origin.destination?.port ?? 0 }

    /// This host is not to be reached: the caller sees a reset, the log and the counters who it was.
    private func deny(_ name: ByteView, _ group: UnsafePointer<GroupConfig>, _ configuration: LiveConfiguration) {
        if name.isEmpty, let destination = origin.destination {
            worker.egressDenials.note(destination, origin)
        } else {
            worker.egressDenials.note(name, port: port, origin)
        }
        refuseCall(.noRoute)
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
        case .failed, .forbidden: refuseCall(.dnsFailure)
        case .overloaded: refuseCall(.overload)
        case .addresses(let all):
            var config = ClusterConfig.asAsked
            var allowsLocal = call.allowsLocal
            let snapshot = configuration.snapshot
            // The answer may come under another configuration, in which the number means another cluster.
            if call.choice.cluster != BackendConfig.invalid {
                guard call.revision == configuration.revision else { return refuseCall(.dnsFailure) }
                config = snapshot[snapshot.header.pointee.clusters, Int(call.choice.cluster)].pointee
                allowsLocal = snapshot[config.dynamicResolver, 0].pointee.allowsLocalTargets
            }
            // Nobody reaches a member past its policies by a name that somebody outside has given it.
            guard let group = calledGroup(configuration) else { return refuseCall(.noRoute) }
            let allowed = all.filter {
                allows(SocketAddress(ip: $0, port: call.port), local: allowsLocal)
                    && !configuration.routes.isMember($0, of: group)
            }
            guard !allowed.isEmpty else { return refuseCall(.dnsFailure) }
            let cluster = call.host.withView {
                worker.clusters.cluster(config, host: $0, port: call.port, addresses: allowed, in: configuration)
            }
            handOver()
            worker.relays.begin(call.choice, self, configuration, to: cluster)
        }
    }

    /// Connections do not go round in circles, nor to the gateway's own neighbours.
    private func allows(_ address: SocketAddress, local: Bool) -> Bool {
        (local || !address.ip.isLocalTarget) && !worker.isOwnListener(address)
    }

    func resolvingTookTooLong() {
        stopResolving()
        refuseCall(.dnsFailure)
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
