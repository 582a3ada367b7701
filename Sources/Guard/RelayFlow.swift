import Core
import IO

/// One direction of a relayed connection: octets pass through a kernel pipe and are never seen (splice(2)).
///
///     open ─ the source's FIN ─▶ emptying ─ the pipe is empty: FIN to the sink ─▶ ended
struct RelayFlow {
    enum Progress {
        /// Nothing more to do before one of the two is ready again.
        case waiting
        /// Cut short so that others have their turn.
        case unfinished
        /// The end was passed on.
        case ended
        /// One of the two was reset.
        case broken
        /// No pipe is to be had now.
        case starved
    }

    private var pipe: Pipe?
    private var sourceHasEnded = false
    private(set) var hasEnded = false
    private(set) var octets: UInt64 = 0

    mutating func run(from source: RelaySide, to sink: RelaySide, _ shelf: PipeShelf) -> Progress {
        if hasEnded { return .ended }
        var budget = GuardLimits.octetsPerTurn
        while true {
            if pipe == nil {
                if sourceHasEnded {
                    Socket.shutdownWrite(sink.fd)
                    hasEnded = true
                    return .ended
                }
                guard source.mayRead else { return .waiting }
                guard let leased = shelf.lease() else { return .starved }
                pipe = leased
            }
            guard let pipe else { preconditionFailure("octets without a pipe") }
            if pipe.level == 0 {
                switch SystemCalls.splice(from: source.fd, to: pipe.writeEnd, length: pipe.capacity, more: false) {
                case .octets(let count): pipe.level = count
                case .wouldBlock:
                    source.mayRead = false
                    release(shelf)
                    return .waiting
                case .endOfFile:
                    sourceHasEnded = true
                    release(shelf)
                    continue
                case .failed:
                    return .broken
                }
            }
            while pipe.level > 0 {
                guard sink.mayWrite else { return .waiting }
                switch SystemCalls.splice(from: pipe.readEnd, to: sink.fd, length: pipe.level, more: false) {
                case .octets(let count):
                    pipe.level -= count
                    octets &+= UInt64(count)
                    budget -= count
                case .wouldBlock:
                    sink.mayWrite = false
                    return .waiting
                case .endOfFile, .failed: return .broken
                }
            }
            if budget <= 0 { return .unfinished }
        }
    }

    mutating func release(_ shelf: PipeShelf) {
        if let pipe { shelf.giveBack(pipe) }
        pipe = nil
    }
}

/// One socket of a relayed connection, and what epoll has said of it.
final class RelaySide: EventSource {
    let fd: CInt
    var mayRead = true
    var mayWrite = true
    private var isClosed = false
    private unowned let relay: GuardRelay

    /// Registers the socket, which it owns from then on.
    init(_ fd: consuming OwnedFD, of relay: GuardRelay, in loop: EventLoop) {
        self.fd = fd.release()
        self.relay = relay
        super.init()
        loop.add(self.fd, self)
    }

    override func ready(_ events: ReadyEvents) {
        // It may have been closed since its turn was asked for.
        guard !isClosed else { return }
        if events.has(.anyForReading) { mayRead = true }
        if events.has(.anyForWriting) { mayWrite = true }
        relay.sideIsReady(self, events)
    }

    /// - Parameter abruptly: the peer is to see a reset.
    func close(_ loop: EventLoop, abruptly: Bool) {
        isClosed = true
        if abruptly { Socket.resetOnClose(fd) }
        loop.remove(fd)
        _ = OwnedFD(adopting: fd)
    }
}
