import Core
import IO
import Telemetry

/// A cluster of this worker's that nothing could be served by: its requests go to the central gateway, until it can be
/// reached again.
///
///     diverted ─ every `pause`: an endpoint is usable, and takes a connection ─▶ over
///
/// Where active checks look after the endpoints, their word is enough.
final class Diversion: Timed {
    /// Between two looks.
    static let pause = TimeAmount.milliseconds(500)
    /// How long an endpoint may take to accept a probe's connection.
    static let patience = TimeAmount.milliseconds(400)

    private unowned let cluster: Cluster
    private let breaker: Breaker
    private let worker: Worker
    private let since: Instant
    private var probe: ReachProbe?
    private var turn = 0

    /// Begins it, and says so.
    init(of cluster: Cluster, worker: Worker) {
        self.cluster = cluster
        self.worker = worker
        breaker = cluster.breaker
        since = worker.loop.now
        super.init()
        worker.statistics.increment(.diversions)
        worker.statistics.increment(.divertedNow)
        cluster.breaker.noteDiversion(true)
        worker.log.warning(
            "cannot be served from here: requests go to the central gateway", ["backend": .text(cluster.name)])
        worker.loop.setDeadline(self, worker.loop.now + Self.pause)
    }

    /// It ends with its cluster, or because ``Cluster/endDiversion()`` says so.
    func end(isBack: Bool) {
        worker.loop.clearDeadline(self)
        probe?.close()
        probe = nil
        worker.statistics.decrement(.divertedNow)
        breaker.noteDiversion(false)
        guard isBack else { return }
        worker.log.info(
            "served from here again",
            [
                "backend": .text(cluster.name),
                "diverted_ms": LogValue((worker.loop.now - since).milliseconds),
            ])
    }

    override func deadlinePassed(now: Instant) {
        // One that has not been accepted by now was not in time.
        probe?.close()
        probe = nil
        worker.loop.setDeadline(self, now + Self.pause)
        guard cluster.usable > 0 else { return }
        if cluster.isChecked { return cluster.endDiversion() }
        turn += 1
        guard let endpoint = cluster.next(turn: turn) else { return }
        probe = ReachProbe(endpoint, worker.loop) { [unowned self] isReached in
            probe?.close()
            probe = nil
            if isReached { cluster.endDiversion() }
        }
        // Whoever answers in time answers before the next look.
        if probe != nil { worker.loop.setDeadline(self, now + Self.patience) }
    }
}

/// One connection that is made to see whether it can be made.
private final class ReachProbe: EventSource {
    private let loop: EventLoop
    private var fd: CInt
    private let done: (Bool) -> Void

    /// Nil: it could not even be tried.
    init?(_ endpoint: Endpoint, _ loop: EventLoop, _ done: @escaping (Bool) -> Void) {
        let made: OwnedFD? =
            endpoint.unixPath.isEmpty
            ? try? Socket.connect(endpoint.transport.tunnel?.gate(of: endpoint.address) ?? endpoint.address)
            : try? Socket.connect(path: endpoint.unixPath)
        guard let made else { return nil }
        fd = made.release()
        self.loop = loop
        self.done = done
        super.init()
        loop.add(fd, self)
    }

    override func ready(_ events: ReadyEvents) {
        guard fd >= 0, events.has(.anyForWriting) else { return }
        done(Socket.pendingError(fd) == nil)
    }

    func close() {
        guard fd >= 0 else { return }
        loop.remove(fd)
        // Nothing was said on it: the endpoint need not keep its end in memory.
        Socket.resetOnClose(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
    }
}
