import Config
import Core
import IO
import Routing
import TLS
import Telemetry

/// This worker's TLS contexts, made from the snapshot's records when a handshake first needs them, and kept while a record
/// of the same content is in use: a reload that changes no certificate disturbs none, one that does concerns new
/// handshakes alone. Owned by the worker.
final class TLSContexts {
    /// Which listener's certificate a context shows.
    struct Listener {
        var identity: UInt64
        /// As it was when the context was made; the context outlives changes of all but its certificates.
        var listenerProtocol: ListenerProtocol
    }

    /// A context for each listener, even where two of them have the same certificates: sessions resume only under the
    /// listener that made them.
    private struct ServerKey: Hashable {
        var content: UInt64
        var listener: UInt64
        var resumes: Bool
        /// ALPN is answered. Where a group's listener ends TLS the server name says what is spoken inside.
        var speaksHTTP: Bool

        init(_ listener: UnsafePointer<ListenerConfig>, speaksHTTP: Bool, in snapshot: Snapshot) {
            self.speaksHTTP = speaksHTTP
            content = snapshot[listener.pointee.tls, 0].pointee.identity
            self.listener = listener.pointee.identity
            resumes =
                listener.pointee.client.isEmpty
                || !snapshot[listener.pointee.client, 0].pointee.connection.forbidsResumption
        }
    }

    private var servers: [ServerKey: TLSContext] = [:]
    private var clients: [UInt64: TLSContext] = [:]
    private var listeners: [ObjectIdentifier: Listener] = [:]
    /// By listening socket.
    private var fronts: [UInt32: TLSFront] = [:]
    private let worker: Worker
    private let ticketKeys: TicketKeyRing
    private var keyOctets = ByteBuffer()

    init(worker: Worker, ticketKeys: TicketKeyRing) {
        self.worker = worker
        self.ticketKeys = ticketKeys
    }

    // MARK: downstream

    /// Who answers on a listening socket: the listener with the most specific name.
    func front(ofSocket id: UInt32) -> TLSFront {
        if let known = fronts[id] { return known }
        let worker = worker
        let front = TLSFront { [unowned(unsafe) worker] name in
            guard let configuration = worker.configuration, let index = configuration.index(ofSocket: id) else {
                return nil
            }
            let snapshot = configuration.snapshot
            let socket = snapshot[snapshot.header.pointee.sockets, Int(index)]
            guard let listener = worker.relays.listener(name ?? .empty, on: socket, in: snapshot) else { return nil }
            guard listener.pointee.listenerProtocol == .tlsTerminate, listener.pointee.isOfGroup else {
                return worker.tlsContexts.server(listener, in: snapshot)
            }
            let mayBeHTTP = configuration.mayBeHTTP(name ?? .empty, within: listener, on: worker.relays)
            return worker.tlsContexts.server(listener, speaksHTTP: mayBeHTTP, in: snapshot)
        }
        fronts[id] = front
        return front
    }

    /// Which listener chose this context.
    func listener(of context: TLSContext) -> Listener? { listeners[ObjectIdentifier(context)] }

    private func server(
        _ listener: UnsafePointer<ListenerConfig>, speaksHTTP: Bool = true, in snapshot: Snapshot
    ) -> TLSContext? {
        guard !listener.pointee.tls.isEmpty else { return nil }
        let config = snapshot[listener.pointee.tls, 0].pointee
        let key = ServerKey(listener, speaksHTTP: speaksHTTP, in: snapshot)
        if let known = servers[key] { return known }
        do throws(TLSSettingsError) {
            var settings = ServerTLSSettings(
                certificates: (0..<Int(config.certificates.count)).map {
                    snapshot.keyPair(snapshot[config.certificates, $0].pointee)
                })
            settings.parameters = snapshot.parameters(config.parameters)
            if !speaksHTTP { settings.parameters.alpn = [] }
            settings.clientValidation =
                config.clientValidation.isEmpty
                ? nil : snapshot.validation(snapshot[config.clientValidation, 0].pointee, worker.patterns)
            settings.ticketScope = String(listener.pointee.identity, radix: 16) + (speaksHTTP ? "" : " octets")
            if key.resumes { settings.ticketKeys = { [unowned(unsafe) self] in currentTicketKeys() } }
            settings.now = { [unowned(unsafe) worker] in worker.loop.wallNow / 1_000_000_000 }
            let context = try TLSContext(server: settings)
            servers[key] = context
            listeners[ObjectIdentifier(context)] = Listener(
                identity: listener.pointee.identity, listenerProtocol: listener.pointee.listenerProtocol)
            return context
        } catch {
            // The controller has tried the same settings; this is a difference between two processes, or a want of memory.
            worker.log.error(
                "a listener's TLS settings cannot be used",
                ["listener": .init(snapshot.text(listener.pointee.name).string), "error": .init(error.description)])
            return nil
        }
    }

    private func currentTicketKeys() -> TicketKeys {
        keyOctets.clear()
        ticketKeys.copy(to: &keyOctets)
        precondition(!keyOctets.isEmpty, "the controller publishes no snapshot before there are ticket keys")
        return TicketKeys(keyOctets.view)
    }

    // MARK: upstream

    /// The context for a cluster's connections; nil, with a line in the log, when its settings cannot be used.
    func client(_ config: UpstreamTLSConfig, in snapshot: Snapshot) -> TLSContext? {
        if let known = clients[config.identity] { return known }
        do throws(TLSSettingsError) {
            let context = try snapshot.clientContext(config, worker.patterns)
            clients[config.identity] = context
            return context
        } catch {
            worker.log.error("a backend's TLS settings cannot be used", ["error": .init(error.description)])
            return nil
        }
    }

    // MARK: changes

    /// Lets go what the newest snapshot does not name and no handshake or connection under way has.
    func sweep(_ snapshot: Snapshot) {
        var named = Set<ServerKey>()
        let listenerTable = snapshot.header.pointee.listeners
        for i in 0..<Int(listenerTable.count) {
            let listener = snapshot[listenerTable, i]
            guard !listener.pointee.tls.isEmpty else { continue }
            named.insert(ServerKey(listener, speaksHTTP: true, in: snapshot))
            guard listener.pointee.listenerProtocol == .tlsTerminate, listener.pointee.isOfGroup else { continue }
            named.insert(ServerKey(listener, speaksHTTP: false, in: snapshot))
        }
        for key in Array(servers.keys) where !named.contains(key) {
            // A handshake under way asks at its end whose context it has; the next change comes by here again.
            guard let index = servers.index(forKey: key), isKnownUniquelyReferenced(&servers.values[index]) else {
                continue
            }
            listeners[ObjectIdentifier(servers.values[index])] = nil
            servers.remove(at: index)
        }
        var clientsNamed = Set<UInt64>()
        let clusterTable = snapshot.header.pointee.clusters
        for i in 0..<Int(clusterTable.count) {
            let cluster = snapshot[clusterTable, i]
            if !cluster.pointee.tls.isEmpty { clientsNamed.insert(snapshot[cluster.pointee.tls, 0].pointee.identity) }
            guard !cluster.pointee.tunnel.isEmpty else { continue }
            let tunnel = snapshot[cluster.pointee.tunnel, 0]
            clientsNamed.insert(snapshot[tunnel.pointee.tls, 0].pointee.identity)
        }
        for identity in clients.keys where !clientsNamed.contains(identity) { clients[identity] = nil }
    }
}
