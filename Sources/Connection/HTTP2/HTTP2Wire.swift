import Core
import IO

/// The socket of an HTTP/2 connection, in clear or with TLS. Owned by one connection.
struct HTTP2Wire: ~Copyable {
    private(set) var fd: CInt
    /// Nil: clear text.
    let tls: TLSChannel?
    /// There may be octets, or the end, for us. Edge-triggered: true until a read comes back short.
    private(set) var mayRead = false
    private(set) var mayWrite = false
    /// The peer has sent its FIN; what came before it may still wait to be read.
    private var peerFinished = false

    init(adopting fd: consuming OwnedFD, tls: TLSChannel?) {
        self.fd = fd.release()
        self.tls = tls
        // The handshake may have brought more than its end.
        if tls != nil { mayRead = true }
        // What the socket refuses, epoll tells of later.
        mayWrite = true
    }

    deinit { precondition(fd < 0, "a connection went before it was closed") }

    var isOpen: Bool { fd >= 0 }

    mutating func note(_ events: ReadyEvents) {
        if events.has(.anyForReading) {
            mayRead = true
            tls?.socketMayHaveMore = true
        }
        if events.has(.anyForWriting) { mayWrite = true }
        if events.has(.anyEnd) {
            peerFinished = true
            tls?.peerFinished = true
        }
    }

    mutating func receive(into buffer: inout ByteBuffer, _ buffers: inout BufferPool) -> Transfer {
        let result =
            tls.map { $0.receive(fd, into: &buffer, &buffers) } ?? SystemCalls.receive(fd, into: &buffer)
        switch result {
        case .octets:
            // A short read emptied the socket; the next octets are a new edge. Not so once the FIN has been announced.
            if let tls {
                mayRead = tls.mayHaveMore
            } else if buffer.room > 0, !peerFinished {
                mayRead = false
            }
        case .wouldBlock, .endOfFile, .failed: mayRead = false
        }
        return result
    }

    /// How much of it was taken; with TLS, encrypted.
    mutating func send(_ view: ByteView, _ buffers: inout BufferPool) -> Transfer {
        guard let tls else {
            let result = SystemCalls.send(fd, view)
            switch result {
            case .octets(let count): if count < view.count { mayWrite = false }
            case .wouldBlock, .endOfFile, .failed: mayWrite = false
            }
            return result
        }
        buffers.supply(&tls.session.pending)
        let count = tls.session.write(view)
        if count == 0, tls.session.pending.isEmpty { return .failed(.protocolBroken) }
        if let error = push() { return .failed(error) }
        return count == 0 ? .wouldBlock : .octets(count)
    }

    /// Octets were encrypted that the socket has not taken yet.
    var isHolding: Bool { tls.map { !$0.session.pending.isEmpty } ?? false }

    /// Sends what was encrypted and did not fit the socket.
    mutating func push() -> Errno? {
        guard let tls, !tls.session.pending.isEmpty else { return nil }
        var failure: Errno?
        if !tls.push(fd, failure: &failure) { mayWrite = false }
        return failure
    }

    /// The borrowed memory of the channel; only when nothing is under way.
    func reclaim(_ buffers: inout BufferPool) { tls?.session.releaseWhenIdle(to: &buffers) }

    /// Says that no more will be sent: a FIN, over TLS after a close_notify (RFC 8446, section 6.1).
    mutating func finishSending() {
        if let tls {
            tls.session.closeNotify()
            _ = push()
        }
        Socket.shutdownWrite(fd)
    }

    mutating func close(_ source: EventSource, _ resources: ConnectionResources) {
        guard fd >= 0 else { return }
        if let tls {
            tls.session.received.clear()
            tls.session.pending.clear()
            tls.session.releaseWhenIdle(to: &resources.buffers)
        }
        resources.loop.clearDeadline(source)
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        mayRead = false
        mayWrite = false
    }
}
