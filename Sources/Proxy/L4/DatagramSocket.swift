import Core
import IO
import Telemetry

/// This worker's socket of an address that takes datagrams. Level-triggered: what is not taken now is reported again.
///
/// The kernel spreads datagrams over the workers' sockets by both addresses, so those of one client come here or nowhere.
final class DatagramSocket: EventSource {
    /// Batches taken in one turn before others have theirs.
    private static let batchesPerTurn = 4

    let id: UInt32
    private let fd: SharedFD
    private unowned(unsafe) let datagrams: Datagrams
    private let loop: EventLoop
    private let isV6: Bool
    private(set) var isReading = false

    init(id: UInt32, fd: SharedFD, datagrams: Datagrams, loop: EventLoop) {
        self.id = id
        self.fd = fd
        self.datagrams = datagrams
        self.loop = loop
        // Without IPv6 in the kernel `[::]` became `0.0.0.0`.
        isV6 = Socket.localAddress(fd.raw).map { !$0.ip.isV4 } ?? false
        super.init()
    }

    deinit { precondition(!isReading, "a socket went while it was read") }

    func startReading() {
        guard !isReading else { return }
        isReading = true
        loop.addReader(fd.raw, self)
    }

    func stopReading() {
        guard isReading else { return }
        isReading = false
        loop.remove(fd.raw, closing: false)
    }

    override func ready(_ events: ReadyEvents) {
        let batch = datagrams.batch
        for _ in 0..<Self.batchesPerTurn where isReading {
            // A failure is an ICMP message about an answer of ours that did not arrive: nothing is to be done.
            guard batch.receive(fd.raw, addressed: true) == .received else { return }
            datagrams.arrived(on: self)
            if batch.count < DatagramBatch.limit { return }
        }
    }

    /// Sends a whole batch to a client, from the address that it called. Returns how many were taken.
    func answer(_ batch: DatagramBatch, to peer: SocketAddress, from local: IPAddress?) -> Int {
        let all = 0..<batch.count
        batch.address(all, to: peer, from: local, socketIsV6: isV6)
        return batch.send(all, fd.raw)
    }
}
