import Connection
import Core
import Glibc
import IO
import Telemetry

/// This worker's listening socket of one address. Level-triggered: what is not accepted now is reported again.
final class Listener: EventSource {
    /// Connections accepted in one turn before others have theirs.
    static let batch = 64

    let id: UInt32
    let address: SocketAddress
    /// Nil: it is closed.
    private var fd: SharedFD?
    private let worker: Worker
    private var isAccepting = false

    init(id: UInt32, address: SocketAddress, fd: SharedFD, worker: Worker) {
        self.id = id
        self.address = address
        self.fd = fd
        self.worker = worker
        super.init()
    }

    deinit { precondition(!isAccepting, "a listener went while it was accepting") }

    func startAccepting() {
        guard !isAccepting, let fd else { return }
        isAccepting = true
        worker.loop.addReader(fd.raw, self)
    }

    func stopAccepting() {
        guard isAccepting, let fd else { return }
        isAccepting = false
        worker.loop.remove(fd.raw, closing: false)
    }

    /// Takes what waits in the queue, so that nobody whom the kernel has let in is reset; then closes: whoever comes later
    /// is refused, or another's, instead of waiting here in vain.
    func finishAccepting() {
        while isAccepting, acceptSome() {}
        stopAccepting()
        fd = nil
    }

    override func ready(_ events: ReadyEvents) { _ = acceptSome() }

    /// Accepts a batch. False: nothing waits any more, or there is no room.
    private func acceptSome() -> Bool {
        guard let fd else { return false }
        for _ in 0..<worker.acceptsPerEvent(id) {
            do throws(Errno) {
                guard let (raw, peer) = try Socket.accept(fd.raw) else { return false }
                worker.admit(OwnedFD(adopting: raw), peer: peer, socket: id)
            } catch {
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the queue. Accepting again at once would spin.
                worker.statistics.increment(.downstreamConnectionsRefused)
                worker.registry.closeOldestIdle(count: Self.batch)
                worker.pauseAccepting()
                return false
            }
        }
        return true
    }
}
