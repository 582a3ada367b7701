import Config
import Connection
import Core
import Glibc
import IO
import Telemetry
import Upstream

/// The UDP side of a worker: its sockets, and the sessions of their clients. Owns both.
///
/// Limits: ``limit`` sessions, of one descriptor each; ``idle``. At the limit the one that has been silent longest of a few
/// drawn at random goes: whoever sends from many addresses at once mostly pushes out himself.
final class Datagrams: Timed {
    /// A session of which nothing has been heard for so long is over.
    var idle = TimeAmount.seconds(60)
    /// The same while the worker drains.
    static let drainIdle = TimeAmount.seconds(2)
    /// Sessions that are compared when one has to go.
    private static let drawn = 5
    /// After a new snapshot, until sessions of endpoints that are gone end; these are known a second after it.
    private static let sweepDelay = ClusterRegistry.sweepDelay + .milliseconds(500)

    var limit = DescriptorShares.datagramSessions
    private(set) lazy var batch = DatagramBatch()
    private let worker: Worker
    private var sockets: [UInt32: DatagramSocket] = [:]
    private var byKey: [DatagramSession.Key: DatagramSession] = [:]
    private var all: [DatagramSession] = []

    init(worker: Worker) { self.worker = worker }

    /// Sessions.
    var count: Int { all.count }
    var idleNow: TimeAmount { worker.isDraining ? min(idle, Self.drainIdle) : idle }

    // MARK: sockets

    func add(_ id: UInt32, _ fd: SharedFD) {
        close(id)
        let socket = DatagramSocket(id: id, fd: fd, datagrams: self, loop: worker.loop)
        sockets[id] = socket
        if !worker.isDraining, worker.configuration?.index(ofSocket: id) != nil { socket.startReading() }
    }

    func close(_ id: UInt32) {
        guard let socket = sockets.removeValue(forKey: id) else { return }
        retire(socket)
    }

    private func retire(_ socket: DatagramSocket) {
        socket.stopReading()
        for session in all where session.socket === socket { end(session, .localReset) }
    }

    /// A new snapshot is in use: sessions go on, unless their socket or their endpoint is gone.
    func configurationChanged() {
        guard let configuration = worker.configuration, !sockets.isEmpty else { return }
        for socket in sockets.values {
            if configuration.index(ofSocket: socket.id) == nil {
                retire(socket)
            } else if !worker.isDraining {
                socket.startReading()
            }
        }
        // Those without an endpoint may find one now.
        for session in all where session.endpoint == nil { end(session, session.refusal) }
        if !all.isEmpty { worker.loop.setDeadline(self, worker.loop.now + Self.sweepDelay) }
    }

    override func deadlinePassed(now: Instant) {
        for session in all where session.endpoint?.isRetired ?? false { end(session, .noHealthyUpstream) }
    }

    // MARK: datagrams

    /// The batch holds what has just come: runs of one client go on together.
    func arrived(on socket: DatagramSocket) {
        worker.statistics.increment(.datagramsReceived, by: UInt64(batch.count))
        var start = 0
        while start < batch.count {
            guard let peer = batch.peer(start) else {
                start += 1
                continue
            }
            let local = batch.local(start)
            var end = start + 1
            while end < batch.count, batch.peer(end) == peer, batch.local(end) == local { end += 1 }
            let key = DatagramSession.Key(socket: socket.id, peer: peer, local: local)
            if let session = byKey[key] ?? begin(key, on: socket) {
                session.forward(start..<end, of: batch)
            } else {
                worker.statistics.increment(.datagramsDropped, by: UInt64(end - start))
            }
            start = end
        }
    }

    /// Chooses an endpoint for a client that was not known. Nil: there is none to be had now.
    private func begin(_ key: DatagramSession.Key, on socket: DatagramSocket) -> DatagramSession? {
        guard !worker.isDraining, let configuration = worker.configuration,
            let index = configuration.index(ofSocket: socket.id)
        else { return nil }
        let snapshot = configuration.snapshot
        let config = snapshot[snapshot.header.pointee.sockets, Int(index)]
        let listener = worker.relays.listener(.empty, on: config, in: snapshot)
        let (choice, hasRule) = worker.relays.choose(.udp, .empty, of: listener, in: snapshot)
        var refusal = hasRule ? ReasonCode.noCluster : .noRoute
        var endpoint: Endpoint?
        if choice.cluster != BackendConfig.invalid {
            endpoint = configuration.cluster(choice.cluster, of: worker).next()
            refusal = endpoint == nil ? .noHealthyUpstream : .none
        }
        while count >= limit { end(leastRecent(), .overload) }
        var upstream: CInt?
        if let endpoint {
            guard let fd = connect(to: endpoint) else { return nil }
            upstream = fd
            worker.liveState.requestBegan(endpoint.slot)
        }
        let session = DatagramSession(
            key, on: socket, choice, endpoint: endpoint, upstream: upstream, refusal: refusal, datagrams: self,
            worker: worker)
        session.index = all.count
        all.append(session)
        byKey[key] = session
        worker.statistics.increment(.datagramSessions)
        worker.statistics.increment(.datagramSessionsNow)
        return session
    }

    /// Where no descriptor is left, a session that is silent gives its own up.
    private func connect(to endpoint: Endpoint) -> CInt? {
        while true {
            do throws(Errno) {
                return try Socket.connectDatagrams(endpoint.address).release()
            } catch {
                guard error.code == EMFILE || error.code == ENFILE, !all.isEmpty else {
                    worker.statistics.upstreamConnectFailed(endpoint: endpoint.slot)
                    return nil
                }
                end(leastRecent(), .overload)
            }
        }
    }

    private func leastRecent() -> DatagramSession {
        var found = all[Int(worker.random.next() % UInt64(all.count))]
        for _ in 1..<Self.drawn {
            let other = all[Int(worker.random.next() % UInt64(all.count))]
            if other.lastMoved < found.lastMoved { found = other }
        }
        return found
    }

    // MARK: ending

    func end(_ session: DatagramSession, _ reason: ReasonCode) {
        guard session.index >= 0 else { return }
        session.close()
        byKey[session.key] = nil
        let last = all.removeLast()
        if last !== session {
            all[session.index] = last
            last.index = session.index
        }
        session.index = -1
        worker.statistics.decrement(.datagramSessionsNow)
        if let endpoint = session.endpoint {
            worker.liveState.requestEnded(endpoint.slot)
            worker.statistics.relayed(
                received: session.received, sent: session.sent, route: session.choice.routeSlot,
                endpoint: endpoint.slot)
        }
        if worker.accessLog.isOn { writeRecord(session, reason) }
        if worker.isDraining { drained() }
    }

    private func writeRecord(_ session: DatagramSession, _ reason: ReasonCode) {
        var record = AccessRecord()
        record.reason = reason
        record.start = session.begunWall
        record.duration = session.lastMoved - session.begun
        record.bodyReceived = session.received
        record.bodySent = session.sent
        record.attempts = session.endpoint == nil ? 0 : 1
        record.endpoint = session.endpoint?.address
        let origin = ConnectionOrigin(peer: session.key.peer, socketID: session.key.socket, acceptedAt: session.begun)
        session.choice.write(record, origin, to: worker.accessLog)
    }

    /// No new sessions; those that there are end with the first short silence. Called when the worker is draining.
    func drain() {
        for session in all { session.endSooner() }
        drained()
    }

    func cut() {
        for session in all { end(session, .localReset) }
    }

    private func drained() {
        guard all.isEmpty else { return }
        for socket in sockets.values { socket.stopReading() }
        worker.connectionEnded()
    }
}
