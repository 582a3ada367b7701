import Config
import Connection
import Core
import Routing
import Telemetry

extension Relays {
    /// Relays what is inside of TLS that a group's listener has ended to the member that it is for.
    func begin(
        _ opened: OpenedArrival, _ serverName: ByteView, _ call: MemberCall, on listener: UnsafePointer<ListenerConfig>,
        _ configuration: LiveConfiguration
    ) {
        let snapshot = configuration.snapshot
        let rule = configuration.withNamespace(of: opened.origin) {
            configuration.routes.streamRule(of: call, from: $0)
        }
        guard rule != MemberPortConfig.none else {
            return refuse(opened, RelayChoice(.tls, serverName: serverName), .noRoute)
        }
        var choice = choose(.tls, serverName, by: rule, in: snapshot)
        guard choice.cluster != BackendConfig.invalid else { return refuse(opened, choice, .noCluster) }
        let port = configuration.routes.memberPort(call)
        var words = PolicyWords()
        let isPermitted = worker.permitsConnection(
            port.pointee.authorization, opened.origin, port: port.pointee.number, serverName: serverName,
            opened.channel, configuration, words: &words)
        choice.words = RelayWords(words)
        guard isPermitted else { return refuse(opened, choice, .unauthorized) }
        let session = RelaySession(
            choice, to: configuration.cluster(choice.cluster, of: worker), origin: opened.origin,
            received: opened.octets, worker: worker)
        nameCentral(session, choice, listener, call, configuration, handingOn(of: call, configuration))
        if let managed = worker.managedListener(opened.origin.listenerIdentity, configuration) {
            session.apply(snapshot[managed.listener.pointee.client, 0].pointee.connection)
        }
        opened.letGoOfInput()
        let downstream = RawConnection(
            taking: opened.take(), tls: opened.channel, events: opened.events, owner: session,
            resources: worker.resources)
        worker.registry.replace(opened, with: session)
        session.begin(with: downstream)
    }

    /// As ``refuse(_:_:_:)`` of a connection whose TLS has ended here.
    func refuse(_ opened: OpenedArrival, _ choice: RelayChoice, _ reason: ReasonCode) {
        tell(choice, opened.origin, reason)
        opened.abort()
    }
}
