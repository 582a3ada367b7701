import Connection
import Core
import IO
import Telemetry

/// What one client's address and port has to do with one of ours: an endpoint that was chosen once, and a socket of its own
/// to it, so that what comes back is the client's. Ends when nothing has passed either way for a while.
///
/// A session whose turn fell to an invalid backend, or that found no endpoint, has no socket: its datagrams are dropped, as
/// those of its share should be.
final class DatagramSession: EventSource {
    /// Batches taken in one turn before others have theirs.
    private static let batchesPerTurn = 4

    struct Key: Hashable {
        var socket: UInt32
        var peer: SocketAddress
        /// The address that was called; nil: the kernel did not tell.
        var local: IPAddress?
    }

    let key: Key
    let socket: DatagramSocket
    let choice: RelayChoice
    let endpoint: Endpoint?
    /// Why its datagrams go nowhere.
    let refusal: ReasonCode
    private(set) var lastMoved: Instant
    private(set) var received: UInt64 = 0
    private(set) var sent: UInt64 = 0
    let begun: Instant
    let begunWall: Int64
    /// The place among all sessions; theirs alone.
    var index = -1
    private var fd: CInt = -1
    private unowned(unsafe) let datagrams: Datagrams
    private unowned(unsafe) let worker: Worker

    /// - Parameter upstream: connected to the endpoint; nil: datagrams are dropped.
    init(
        _ key: Key, on socket: DatagramSocket, _ choice: RelayChoice, endpoint: Endpoint?, upstream: CInt?,
        refusal: ReasonCode, datagrams: Datagrams, worker: Worker
    ) {
        self.key = key
        self.socket = socket
        self.choice = choice
        self.endpoint = endpoint
        self.refusal = refusal
        self.datagrams = datagrams
        self.worker = worker
        lastMoved = worker.loop.now
        begun = worker.loop.now
        begunWall = worker.loop.wallNow
        super.init()
        if let upstream {
            fd = upstream
            worker.loop.add(fd, self)
        }
    }

    deinit { precondition(fd < 0, "a session went before it was closed") }

    // MARK: up

    /// Passes datagrams of the client on, as many as the socket takes.
    func forward(_ range: Range<Int>, of batch: DatagramBatch) {
        moved()
        guard fd >= 0 else { return worker.statistics.increment(.datagramsDropped, by: UInt64(range.count)) }
        var octets: UInt64 = 0
        for index in range { octets &+= UInt64(batch.view(index).count) }
        received &+= octets
        worker.statistics.increment(.relayBytesReceived, by: octets)
        batch.unaddress(range)
        let taken = batch.send(range, fd)
        if taken < range.count { worker.statistics.increment(.datagramsDropped, by: UInt64(range.count - taken)) }
    }

    // MARK: down

    override func ready(_ events: ReadyEvents) {
        guard fd >= 0, events.rawValue == 0 || events.has(.anyForReading) else { return }
        let batch = datagrams.batch
        for _ in 0..<Self.batchesPerTurn {
            switch batch.receive(fd, addressed: false) {
            case .received:
                answer(batch)
                if batch.count < DatagramBatch.limit { return }
            case .wouldBlock: return
            // The endpoint's host says that nobody takes datagrams there (ICMP), perhaps only for now.
            case .failed: continue
            }
        }
        worker.loop.again(self)
    }

    private func answer(_ batch: DatagramBatch) {
        moved()
        var octets: UInt64 = 0
        for index in 0..<batch.count { octets &+= UInt64(batch.view(index).count) }
        let taken = socket.answer(batch, to: key.peer, from: key.local)
        sent &+= octets
        worker.statistics.increment(.relayBytesSent, by: octets)
        worker.statistics.increment(.datagramsSent, by: UInt64(taken))
        if taken < batch.count { worker.statistics.increment(.datagramsDropped, by: UInt64(batch.count - taken)) }
    }

    // MARK: ending

    private func moved() {
        lastMoved = worker.loop.now
        worker.loop.setDeadline(self, lastMoved + datagrams.idleNow)
    }

    override func deadlinePassed(now: Instant) { datagrams.end(self, refusal) }

    /// A drain has less patience than there was when the deadline was set.
    func endSooner() { worker.loop.setDeadline(self, lastMoved + datagrams.idleNow) }

    func close() {
        worker.loop.clearDeadline(self)
        guard fd >= 0 else { return }
        worker.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
    }
}
