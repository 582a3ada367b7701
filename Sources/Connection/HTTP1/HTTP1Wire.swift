import Core
import HTTP
import IO

/// The socket of an HTTP/1.1 connection, and the framing of what is written to it. Owned by one connection, which lends
/// itself to every call.
struct HTTP1Wire: ~Copyable {
    /// Runs of a body up to this size are copied behind what waits to be written: one plain send is cheaper than two
    /// places gathered.
    static let copiedRun = 4096

    private(set) var fd: CInt
    /// Nil: clear text.
    let tls: TLSChannel?

    init(adopting fd: consuming OwnedFD, tls: TLSChannel? = nil) {
        self.fd = fd.release()
        self.tls = tls
    }

    deinit { precondition(fd < 0, "a connection went before it was closed") }

    var isOpen: Bool { fd >= 0 }

    /// Takes what epoll says of the socket into the stream's flags.
    func note(_ events: ReadyEvents, _ stream: MessageStream) {
        if events.has(.anyForReading) {
            stream.mayRead = true
            tls?.socketMayHaveMore = true
        }
        if events.has(.anyForWriting) { stream.mayWrite = true }
        if events.has(.anyEnd) {
            stream.peerFinished = true
            tls?.peerFinished = true
        }
        if events.has(.anyLoss) { stream.isGone = true }
    }

    // MARK: reading

    func fill(_ stream: MessageStream) -> MessageStream.Fill {
        guard stream.mayRead else { return stream.failure != nil ? .failed : .nothing }
        stream.resources.buffers.supply(&stream.input)
        if stream.input.room == 0 || stream.input.isEmpty, stream.input.start > stream.pinned {
            stream.input.compact(keeping: stream.pinned)
        }
        guard stream.input.room > 0 else { return .full }
        // Not by a closure: in builds without optimisation it would be an object of its own.
        let result =
            if let tls {
                tls.receive(fd, into: &stream.input, &stream.resources.buffers)
            } else {
                SystemCalls.receive(fd, into: &stream.input)
            }
        switch result {
        case .octets(let count):
            stream.octetsReceived &+= UInt64(count)
            // A short read emptied the socket; the next octets are a new edge. Not so once the FIN has been announced.
            if let tls {
                stream.mayRead = tls.mayHaveMore
            } else if stream.input.room > 0, !stream.peerFinished {
                stream.mayRead = false
            }
            return .more
        case .wouldBlock:
            stream.mayRead = false
            return .nothing
        case .endOfFile:
            stream.peerFinished = true
            return .endOfFile
        case .failed(let error):
            stream.failure = error
            stream.mayRead = false
            return .failed
        }
    }

    // MARK: writing

    func write(body data: ByteView, more: Bool, _ stream: MessageStream) -> Int {
        switch stream.outgoing {
        case .none:
            preconditionFailure("a body where none was announced")
        case .length(let remaining):
            let taken = writeRaw(
                data.upTo(Int(min(UInt64(data.count), remaining))), more: more && remaining > UInt64(data.count), stream
            )
            stream.outgoing = .length(remaining: remaining - UInt64(taken))
            return taken
        case .untilClose:
            return writeRaw(data, more: false, stream)
        case .chunked:
            return writeChunk(data, stream)
        }
    }

    private func writeRaw(_ data: ByteView, more: Bool, _ stream: MessageStream) -> Int {
        if data.count <= Self.copiedRun, stream.output.count + data.count <= ConnectionResources.blockSize {
            stream.resources.buffers.supply(&stream.output)
            // What was sent already leaves a hole, which a sink that is never quite served would let grow for ever.
            if stream.output.room < data.count { stream.output.compact() }
            stream.output.append(data)
            return data.count
        }
        guard stream.mayWrite, stream.failure == nil else { return 0 }
        if let tls { return encrypt(data, tls, stream) }
        switch SystemCalls.send(fd, stream.output.view, data, more: more) {
        case .octets(let count):
            stream.holdsBack = more
            stream.octetsSent &+= UInt64(count)
            if count < stream.output.count + data.count { stream.mayWrite = false }
            let queued = min(count, stream.output.count)
            stream.output.consume(queued)
            if stream.output.isEmpty { stream.output.clear() }
            return count - queued
        case .wouldBlock, .endOfFile:
            stream.mayWrite = false
            return 0
        case .failed(let error):
            stream.failure = error
            return 0
        }
    }

    /// What waits and `data` behind it, as far as the channel takes them; then everything that is encrypted is sent.
    private func encrypt(_ data: ByteView, _ tls: TLSChannel, _ stream: MessageStream) -> Int {
        stream.resources.buffers.supply(&tls.session.pending)
        let count = tls.session.write(stream.output.view, data)
        if count == 0, tls.session.pending.isEmpty {
            // Reading has ended the session: nobody would ever say that there is room.
            stream.failure = .protocolBroken
            return 0
        }
        let queued = min(count, stream.output.count)
        stream.output.consume(queued)
        if stream.output.isEmpty { stream.output.clear() }
        stream.octetsSent &+= UInt64(count)
        if !tls.push(fd, failure: &stream.failure) { stream.mayWrite = false }
        return count - queued
    }

    /// One chunk (RFC 9112, section 7.1): its size, the data, CRLF. Extensions of the sender are not passed on.
    private func writeChunk(_ data: ByteView, _ stream: MessageStream) -> Int {
        let framing = 20
        if stream.output.count + framing >= ConnectionResources.blockSize { _ = flush(stream) }
        let room = ConnectionResources.blockSize - stream.output.count - framing
        guard room > 0, stream.failure == nil, !data.isEmpty else { return 0 }
        let taken = min(room, data.count)
        stream.resources.buffers.supply(&stream.output)
        if stream.output.start > 0 { stream.output.compact() }
        stream.output.append(hex: UInt64(taken))
        stream.output.append("\r\n")
        stream.output.append(data.upTo(taken))
        stream.output.append("\r\n")
        return taken
    }

    func endBody(after source: MessageStream?, _ stream: MessageStream) {
        if case .chunked = stream.outgoing {
            stream.resources.buffers.supply(&stream.output)
            stream.output.append("0\r\n")
            if let source { source.takeTrailers(to: &stream.output) }
            stream.output.append("\r\n")
        } else if let source {
            source.dropTrailers()
        }
        stream.outgoing = .none
    }

    func flush(_ stream: MessageStream) -> Bool {
        if let tls { return flush(tls, stream) }
        while !stream.output.isEmpty {
            guard stream.mayWrite, stream.failure == nil else { return false }
            switch SystemCalls.send(fd, stream.output.view) {
            case .octets(let count):
                stream.holdsBack = false
                stream.octetsSent &+= UInt64(count)
                if count < stream.output.count { stream.mayWrite = false }
                stream.output.consume(count)
            case .wouldBlock, .endOfFile:
                stream.mayWrite = false
            case .failed(let error):
                stream.failure = error
            }
        }
        stream.output.clear()
        return stream.failure == nil
    }

    private func flush(_ tls: TLSChannel, _ stream: MessageStream) -> Bool {
        while !stream.output.isEmpty || !tls.session.pending.isEmpty {
            guard stream.mayWrite, stream.failure == nil else { return false }
            stream.resources.buffers.supply(&tls.session.pending)
            let count = tls.session.write(stream.output.view)
            stream.output.consume(count)
            stream.octetsSent &+= UInt64(count)
            if count == 0, tls.session.pending.isEmpty {
                stream.failure = .protocolBroken
            } else if !tls.push(fd, failure: &stream.failure) {
                stream.mayWrite = false
            }
        }
        stream.output.clear()
        return stream.failure == nil
    }

    // MARK: ending

    /// Says that no more will be sent: a FIN, over TLS after a close_notify (RFC 8446, section 6.1).
    func finishSending(_ stream: MessageStream) {
        if let tls {
            tls.session.closeNotify()
            _ = tls.push(fd, failure: &stream.failure)
        }
        Socket.shutdownWrite(fd)
    }

    /// The borrowed memory of the channel, between exchanges.
    func reclaim(_ stream: MessageStream) { tls?.session.releaseWhenIdle(to: &stream.resources.buffers) }

    /// The end that was read was not the peer's word.
    var isTruncated: Bool { tls?.isTruncated == true }

    /// Somebody else takes the socket over.
    mutating func take() -> CInt {
        defer { fd = -1 }
        return fd
    }

    /// Closes the socket at once and gives all memory back.
    mutating func close(_ stream: MessageStream) {
        guard fd >= 0 else { return }
        if let tls {
            if stream.failure == nil, !stream.isGone {
                tls.session.closeNotify()
                _ = tls.push(fd, failure: &stream.failure)
            }
            tls.session.received.clear()
            tls.session.pending.clear()
            tls.session.releaseWhenIdle(to: &stream.resources.buffers)
        }
        stream.resources.loop.clearDeadline(stream)
        stream.resources.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        stream.spliceable = -1
        stream.mayRead = false
        stream.mayWrite = false
        stream.resources.buffers.reclaim(&stream.input)
        stream.resources.buffers.reclaim(&stream.output)
        stream.returnPipe()
    }
}
