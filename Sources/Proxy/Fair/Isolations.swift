import Config
import Connection
import Core
import IO
import Telemetry
import Upstream

/// Services that workers have died of, as one worker sees them: it names those that its predecessor died of, and says where a
/// call of such a service is to be served.
final class Isolations {
    private let worker: Worker
    /// What the predecessor died of; told as soon as a snapshot gives it a name.
    private var untold: Untold?

    private struct Untold {
        var slot: UInt32
        var input: InputKind
        var isIsolated: Bool
    }

    /// Of the last worker.
    private var socket: IsolationSocket?
    /// The way to it, by the version of HTTP.
    private var clusters: [UInt8: Cluster] = [:]

    init(worker: Worker) { self.worker = worker }

    /// Where it listens; empty: there is no other worker.
    private var path = ""
    /// Not taken into use yet.
    private var inherited: SharedFD?

    /// What all workers of the family have in common.
    /// - Parameter fd: the listening socket of isolated services, which the last worker alone accepts from.
    func inherit(_ fd: SharedFD) {
        guard let path = Socket.path(fd.raw) else { return }
        self.path = path
        if worker.liveState.worker == place { inherited = fd }
    }

    private var hasPlace: Bool { !path.isEmpty }
    private var isPlace: Bool { hasPlace && worker.liveState.worker == place }

    /// A configuration is in force.
    func adopt(_ configuration: LiveConfiguration) {
        guard configuration.hasGroups else { return }
        if let inherited {
            self.inherited = nil
            socket = IsolationSocket(inherited, worker: worker)
        }
        tell(configuration.snapshot)
    }

    /// The way to the worker that isolated services are kept to.
    /// - Parameter config: of the backend that the call would go to.
    func way(like config: ClusterConfig, isHTTP2: Bool, in configuration: LiveConfiguration) -> Cluster {
        if let known = clusters[isHTTP2 ? 2 : 1] { return known }
        var plain = config
        plain.backendProtocol = isHTTP2 ? .http2 : .http1
        // A connection is of one client's: its header says whose.
        plain.proxyProtocol = .v2
        plain.tls = Table()
        plain.tunnel = Table()
        plain.traffic = Table()
        plain.endpoints = Table()
        plain.slot = 0
        let transport = UpstreamTransport(plain, in: configuration.snapshot, worker.tlsContexts)
        let cluster = Cluster(plain, transport: transport, tables: RendezvousTables(), worker: worker)
        let endpoint = Endpoint(
            address: SocketAddress(ip: .any, port: 0), unixPath: path, slot: 0, identity: 0, transport: transport,
            breaker: cluster.breaker, worker: worker)
        // The family holds the name as long as it lives; a worker that outlives it for a moment tells nothing to a stranger.
        endpoint.isOfOurUser = true
        cluster.adopt(plain, [endpoint], in: configuration.snapshot)
        clusters[isHTTP2 ? 2 : 1] = cluster
        return cluster
    }

    /// A drain has begun: see ``IsolationSocket/drain()``.
    func drain() { socket?.drain() }

    /// What a connection on this way begins with; nil: the endpoint is another one.
    func preamble(for origin: ConnectionOrigin, to target: Endpoint) -> ByteBuffer? {
        guard !clusters.isEmpty, target.unixPath == path, let listener = worker.address(ofSocket: origin.socketID)
        else { return nil }
        var header = ByteBuffer()
        HandedOrigin.write(origin, listener: listener, to: &header)
        return header
    }

    /// The worker whose calls of isolated services they all are: the last one.
    var place: Int { worker.liveState.members.workerCount - 1 }

    /// Takes note of how the worker's predecessor ended.
    /// - Parameter fatal: what it was busy with when a signal of its own making ended it.
    func begin(after fatal: (slot: UInt32, input: InputKind)?) {
        guard let fatal, fatal.slot != 0, fatal.slot < MemberCell.limit else { return }
        let isIsolated = worker.liveState.member(fatal.slot).noteDeath(fatal.input, now: SystemCalls.wallNow())
        untold = Untold(slot: fatal.slot, input: fatal.input, isIsolated: isIsolated)
    }

    /// Says by name what is to be said.
    private func tell(_ snapshot: Snapshot) {
        guard let untold, let name = Self.name(ofSlot: untold.slot, in: snapshot) else { return }
        self.untold = nil
        let cell = worker.liveState.member(untold.slot)
        worker.log.error(
            "this worker's predecessor died of serving a service",
            ["service": .init(name), "input": .init("\(untold.input.text)"), "deaths": .init(cell.deaths)])
        guard untold.isIsolated else { return }
        if worker.liveState.members.workerCount == 1 {
            worker.log.error(
                "a service has killed the worker twice with the same kind of input: it is refused for a while after each death",
                ["service": .init(name), "seconds": .init(UInt64(Isolation.refusal.milliseconds / 1000))])
        } else {
            worker.log.error(
                "a service has killed workers twice with the same kind of input: one worker alone serves it",
                [
                    "service": .init(name), "worker": .init(UInt64(place)),
                    "seconds": .init(UInt64(Isolation.lasts.milliseconds / 1000)),
                ])
        }
    }

    private static func name(ofSlot slot: UInt32, in snapshot: Snapshot) -> String? {
        let groups = snapshot.header.pointee.groups
        for group in 0..<Int(groups.count) {
            let members = snapshot[groups, group].pointee.members
            for number in 0..<Int(members.count) {
                let member = snapshot[members, number]
                if member.pointee.fairShare.slot == slot { return snapshot.text(member.pointee.qualifiedName).string }
            }
        }
        return nil
    }

    /// Where a call is to be served.
    enum Verdict { case here, isolationWorker, nowhere }

    func verdict(on slot: UInt32) -> Verdict {
        guard slot != 0 else { return .here }
        let cell = worker.liveState.member(slot)
        guard cell.deaths > 1, cell.isolation(now: worker.loop.wallNow) != nil else { return .here }
        if hasPlace { return isPlace ? .here : .isolationWorker }
        return cell.isRefused(now: worker.loop.wallNow) ? .nowhere : .here
    }
}
