import Core
import IO

/// The socket of an HTTP/2 connection. Owned by one connection.
struct HTTP2Wire: ~Copyable {
    private(set) var fd: CInt
    /// There may be octets, or the end, for us. Edge-triggered: true until a read comes back short.
    private(set) var mayRead = false
    private(set) var mayWrite = false
    /// The peer has sent its FIN; what came before it may still wait to be read.
    private var peerFinished = false

    init(adopting fd: consuming OwnedFD) { self.fd = fd.release() }

    deinit { precondition(fd < 0, "a connection went before it was closed") }

    var isOpen: Bool { fd >= 0 }

    mutating func note(_ events: ReadyEvents) {
        if events.has(.anyForReading) { mayRead = true }
        if events.has(.anyForWriting) { mayWrite = true }
        if events.has(.anyEnd) { peerFinished = true }
    }

    mutating func receive(into buffer: inout ByteBuffer) -> Transfer {
        let result = SystemCalls.receive(fd, into: &buffer)
        switch result {
        case .octets: if buffer.room > 0, !peerFinished { mayRead = false }
        case .wouldBlock, .endOfFile, .failed: mayRead = false
        }
        return result
    }

    mutating func send(_ view: ByteView) -> Transfer {
        let result = SystemCalls.send(fd, view)
        switch result {
        case .octets(let count): if count < view.count { mayWrite = false }
        case .wouldBlock, .endOfFile, .failed: mayWrite = false
        }
        return result
    }

    /// Our FIN; the peer may still send.
    func finishSending() { Socket.shutdownWrite(fd) }

    mutating func close(_ source: EventSource, _ loop: EventLoop) {
        guard fd >= 0 else { return }
        loop.clearDeadline(source)
        loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        mayRead = false
        mayWrite = false
    }
}
