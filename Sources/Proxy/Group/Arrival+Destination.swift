import Config
import Connection
import Core
import IO
import Routing
import Telemetry

/// Connections of which it is known where they go before anything is read of them: the address that a redirected or
/// transparent connection was sent to, or what a CONNECT named. And those that have come to a group's listener below HTTP
/// itself, where the server name or a request's host tells.
///
/// What is spoken is what the member's port declares. Where nobody declares it, what comes first tells, within
/// ``Arrival/sniffing``; then it is octets, as of protocols in which the server speaks first.
extension Arrival {
    /// How long an undeclared protocol may keep everybody waiting.
    static let sniffing = TimeAmount.milliseconds(100)

    enum Spoken {
        case http
        case tls(serverName: ByteView)
        case octets
    }

    /// It goes to somebody of a group, or to a host outside of it.
    var isCall: Bool { origin.destination != nil || origin.groupIdentity != 0 }

    /// Begins as a call by name on a listener below HTTP. False: the listener answers itself.
    func begins(
        byNameOn listener: UnsafePointer<ListenerConfig>, serverName: ByteView, _ configuration: LiveConfiguration
    ) -> Bool {
        switch listener.pointee.listenerProtocol {
        case .tcp:
            origin.groupIdentity = listener.pointee.identity
            beginSniffing()
        case .tlsPassthrough:
            origin.groupIdentity = listener.pointee.identity
            // There is no handshake here after which a certificate would tell who calls.
            if worker.countsCaller(listener, &origin, configuration) {
                sniffed(.tls(serverName: serverName))
            } else {
                close()
            }
        case .http, .https, .hbone, .tlsTerminate, .udp: return false
        }
        return true
    }

    /// The listener of a group that takes this connection for where it goes; nil: it goes nowhere but here.
    func calledListener(
        _ configuration: LiveConfiguration, _ socket: UnsafePointer<SocketConfig>
    ) -> UnsafePointer<ListenerConfig>? {
        guard isCall else { return nil }
        return configuration.groupListener(of: origin, on: socket)
    }

    /// Begins with what the destination declares.
    func follow(_ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration) {
        switch place(.octets, listener, configuration) {
        case .member(let call):
            switch configuration.routes.memberPort(call).pointee.memberProtocol {
            case .http: sniffed(.http)
            case .tcp: sniffed(.octets)
            case .tls: awaitHello()
            case .undeclared: beginSniffing()
            }
        case .outside: beginSniffing()
        case .noPort, .ambiguous: refuseCall(.noRoute)
        }
    }

    /// Who is called: where the connection was going says it, else the server name.
    private func place(
        _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>, _ configuration: LiveConfiguration
    ) -> CallLookup {
        let group = listener.pointee.group
        if let destination = origin.destination { return configuration.lookUp(destination, for: origin, in: group) }
        guard case .tls(let name) = spoken, !name.isEmpty else { return .outside }
        return configuration.withNamespace(of: origin) {
            configuration.routes.lookUp(host: name, .passedOn(listener: listener.pointee.port), from: $0, in: group)
        }
    }

    // MARK: what is spoken

    private func beginSniffing() {
        phase = .sniffing
        sniff()
        if phase == .sniffing { wait(Self.sniffing) }
    }

    func sniff() {
        switch SniffedProtocol(input.view) {
        case .http: sniffed(.http)
        case .tls: awaitHello()
        case .octets: sniffed(.octets)
        case .unknown: break
        }
    }

    /// The rest of the ClientHello has as long as elsewhere.
    private func awaitHello() {
        phase = .hello
        guard let (configuration, socket) = currentPlace else { return close() }
        readHello(configuration, socket)
        if phase == .hello { wait(socket.pointee.client.inspectionTimeout.over(Self.patience)) }
    }

    // MARK: where it goes

    /// It is known what is spoken, too. The configuration may be another one by now.
    func sniffed(_ spoken: Spoken) {
        guard let (configuration, socket) = currentPlace, let listener = calledListener(configuration, socket) else {
            return close()
        }
        if case .http = spoken {
            handOver()
            return worker.beginHTTP(self)
        }
        let place = place(spoken, listener, configuration)
        guard isPermitted(place, spoken, listener, configuration) else { return }
        switch place {
        case .member(let call):
            let rule = configuration.withNamespace(of: origin) { configuration.routes.streamRule(of: call, from: $0) }
            relay(spoken, by: rule, of: call, on: listener, configuration)
        case .noPort, .ambiguous: refuseCall(.noRoute, spoken)
        case .outside where origin.destination == nil && serverName(of: spoken).isEmpty:
            // It names nobody: the Gateway's route for all connections, if there is one.
            handOver()
            worker.relays.begin(kind(of: spoken), .empty, self, listener, configuration)
        case .outside: goOutside(spoken, listener, configuration)
        }
    }

    /// Asks the policies of the member's port, or for calls that leave the group those of the listener. False: it is refused.
    private func isPermitted(
        _ place: CallLookup, _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>,
        _ configuration: LiveConfiguration
    ) -> Bool {
        var authorization = listener.pointee.authorization
        var port = listener.pointee.port
        if case .member(let call) = place {
            let member = configuration.routes.memberPort(call)
            authorization = member.pointee.authorization
            port = member.pointee.number
        }
        var name = ByteView.empty
        var kind = RelayChoice.Kind.tcp
        if case .tls(let serverName) = spoken { (name, kind) = (serverName, .tls) }
        var said = PolicyWords()
        let isPermitted = worker.permitsConnection(
            authorization, origin, port: port, serverName: name, nil, configuration, words: &said)
        words = RelayWords(said)
        if !isPermitted { worker.relays.refuse(self, RelayChoice(kind, serverName: name), .unauthorized) }
        return isPermitted
    }

    /// Relays by a rule, or refuses where there is none.
    private func relay(
        _ spoken: Spoken, by rule: UInt32, of call: MemberCall, on listener: UnsafePointer<ListenerConfig>,
        _ configuration: LiveConfiguration
    ) {
        handOver()
        switch spoken {
        case .tls(let name): worker.relays.begin(.tls, name, self, rule: rule, of: call, on: listener, configuration)
        case .octets, .http: worker.relays.begin(.tcp, .empty, self, rule: rule, of: call, on: listener, configuration)
        }
    }

    /// Nothing leads from here to where the caller wants: it sees a reset.
    func refuseCall(_ reason: ReasonCode, _ spoken: Spoken = .octets) {
        refuseCall(reason, RelayChoice(kind(of: spoken), serverName: serverName(of: spoken)))
    }

    func refuseCall(_ reason: ReasonCode, _ choice: RelayChoice) {
        var choice = choice
        if choice.words.detail.isEmpty { choice.words = words }
        worker.relays.tell(choice, origin, reason)
        abort()
    }

    var currentPlace: (LiveConfiguration, UnsafePointer<SocketConfig>)? {
        guard let configuration = worker.configuration, let index = configuration.index(ofSocket: origin.socketID)
        else { return nil }
        return (configuration, configuration.snapshot[configuration.snapshot.header.pointee.sockets, Int(index)])
    }
}
