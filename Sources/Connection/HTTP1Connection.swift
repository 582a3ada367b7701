import Core
import HTTP
import IO

/// How the body that we send ends (RFC 9112, section 6.3).
public enum OutgoingFraming: Equatable, BitwiseCopyable, Sendable {
    case none
    case length(remaining: UInt64)
    case chunked
    /// By closing, or never (tunnels).
    case untilClose
}

/// One HTTP/1.1 connection, seen from either side: the socket, what was read and not yet used, what is to be written.
///
/// Limits: `input` and `output` hold one block each while a body passes; a head may grow its buffer up to the head's limit.
open class HTTP1Connection: EventSource {
    /// Runs of a body up to this size are copied behind what waits to be written: one plain send is cheaper than two
    /// places gathered.
    public static let copiedRun = 4096

    public final let resources: ConnectionResources
    public final private(set) var fd: CInt
    public final var input = ByteBuffer()
    public final var output = ByteBuffer()
    public final var incoming = BodyReader()
    public final var outgoing = OutgoingFraming.none
    /// Octets at the input's start that stay where they are: the head of the message being served.
    public final var pinned = 0
    /// The socket may have octets, or its end, for us. Edge-triggered: true until a read comes back short.
    public final var mayRead = false
    /// The socket takes octets.
    public final var mayWrite = false
    /// The peer has sent its FIN; what it sent before may still wait to be read.
    public final private(set) var peerFinished = false
    /// Both directions are over: the peer has closed or reset the connection, nobody waits for an answer.
    public final private(set) var isGone = false
    public final private(set) var failure: Errno?
    public final var octetsReceived: UInt64 = 0
    public final var octetsSent: UInt64 = 0
    /// The last write said that more would follow.
    private var holdsBack = false
    /// Body octets on their way through the kernel (splice); nil: none.
    final var pipe: Pipe?

    init(adopting fd: consuming OwnedFD, resources: ConnectionResources) {
        self.fd = fd.release()
        self.resources = resources
        super.init()
    }

    deinit { precondition(fd < 0, "a connection went before it was closed") }

    public final var isOpen: Bool { fd >= 0 }

    public final override func ready(_ events: ReadyEvents) {
        guard fd >= 0 else { return }
        if events.has(.anyForReading) { mayRead = true }
        if events.has(.anyForWriting) { mayWrite = true }
        if events.has(.anyEnd) { peerFinished = true }
        if events.has(.anyLoss) { isGone = true }
        handle(events)
    }

    /// For the two sides.
    func handle(_ events: ReadyEvents) {}

    // MARK: reading

    public enum Fill { case more, nothing, full, endOfFile, failed }

    /// One read into the input.
    public final func fill() -> Fill {
        guard mayRead else { return failure != nil ? .failed : .nothing }
        resources.buffers.supply(&input)
        if input.room == 0 || input.isEmpty, input.start > pinned { input.compact(keeping: pinned) }
        guard input.room > 0 else { return .full }
        switch SystemCalls.receive(fd, into: &input) {
        case .octets(let count):
            octetsReceived &+= UInt64(count)
            // A short read emptied the socket; the next octets are a new edge. Not so once the FIN has been announced.
            if input.room > 0, !peerFinished { mayRead = false }
            return .more
        case .wouldBlock:
            mayRead = false
            return .nothing
        case .endOfFile:
            peerFinished = true
            return .endOfFile
        case .failed(let error):
            failure = error
            mayRead = false
            return .failed
        }
    }

    // MARK: writing

    /// Takes octets of the body, framed as `outgoing` says, as many as the socket and one block allow.
    /// - Parameter more: what follows is about to be written too; see ``pushHeldBack()``.
    /// - Returns: how many were taken; fewer than offered: `writable` will be called.
    public final func write(body data: ByteView, more: Bool = false) -> Int {
        switch outgoing {
        case .none:
            preconditionFailure("a body where none was announced")
        case .length(let remaining):
            let taken = writeRaw(
                data.upTo(Int(min(UInt64(data.count), remaining))), more: more && remaining > UInt64(data.count))
            outgoing = .length(remaining: remaining - UInt64(taken))
            return taken
        case .untilClose:
            return writeRaw(data, more: false)
        case .chunked:
            return writeChunk(data)
        }
    }

    private func writeRaw(_ data: ByteView, more: Bool) -> Int {
        if data.count <= Self.copiedRun, output.count + data.count <= ConnectionResources.blockSize {
            resources.buffers.supply(&output)
            // What was sent already leaves a hole, which a sink that is never quite served would let grow for ever.
            if output.room < data.count { output.compact() }
            output.append(data)
            return data.count
        }
        guard mayWrite, failure == nil else { return 0 }
        switch SystemCalls.send(fd, output.view, data, more: more) {
        case .octets(let count):
            holdsBack = more
            octetsSent &+= UInt64(count)
            if count < output.count + data.count { mayWrite = false }
            let queued = min(count, output.count)
            output.consume(queued)
            if output.isEmpty { output.clear() }
            return count - queued
        case .wouldBlock, .endOfFile:
            mayWrite = false
            return 0
        case .failed(let error):
            failure = error
            return 0
        }
    }

    /// One chunk (RFC 9112, section 7.1): its size, the data, CRLF. Extensions of the sender are not passed on.
    private func writeChunk(_ data: ByteView) -> Int {
        let framing = 20
        if output.count + framing >= ConnectionResources.blockSize { _ = flush() }
        let room = ConnectionResources.blockSize - output.count - framing
        guard room > 0, failure == nil, !data.isEmpty else { return 0 }
        let taken = min(room, data.count)
        resources.buffers.supply(&output)
        if output.start > 0 { output.compact() }
        output.append(hex: UInt64(taken))
        output.append("\r\n")
        output.append(data.upTo(taken))
        output.append("\r\n")
        return taken
    }

    /// The body is complete. The trailers that `source` received are passed on when this body is chunked, and dropped
    /// otherwise: there is nowhere to put them (RFC 9110, section 6.5.1).
    public final func endBody(after source: HTTP1Connection? = nil) {
        if case .chunked = outgoing {
            resources.buffers.supply(&output)
            output.append("0\r\n")
            if let source { source.incoming.takeTrailers(from: &source.input, to: &output) }
            output.append("\r\n")
        } else if let source {
            source.incoming.dropTrailers(from: &source.input)
        }
        outgoing = .none
    }

    /// Sends what waits in the output. True: nothing waits any more.
    public final func flush() -> Bool {
        while !output.isEmpty {
            guard mayWrite, failure == nil else { return false }
            switch SystemCalls.send(fd, output.view) {
            case .octets(let count):
                holdsBack = false
                octetsSent &+= UInt64(count)
                if count < output.count { mayWrite = false }
                output.consume(count)
            case .wouldBlock, .endOfFile:
                mayWrite = false
            case .failed(let error):
                failure = error
            }
        }
        output.clear()
        return failure == nil
    }

    // MARK: the kernel's own path

    /// Octets moved from the socket into the pipe, or from the pipe to the socket; used by ``Relay`` alone.
    final func spliceIn(_ pipe: Pipe, _ length: Int) -> Transfer {
        let result = SystemCalls.splice(from: fd, to: pipe.writeEnd, length: length, more: true)
        switch result {
        case .octets(let count): octetsReceived &+= UInt64(count)
        case .wouldBlock: break
        case .endOfFile: peerFinished = true
        case .failed(let error): failure = error
        }
        return result
    }

    final func spliceOut(_ pipe: Pipe, more: Bool) -> Transfer {
        let result = SystemCalls.splice(from: pipe.readEnd, to: fd, length: pipe.level, more: more)
        switch result {
        case .octets(let count):
            octetsSent &+= UInt64(count)
            holdsBack = more
        case .wouldBlock, .endOfFile: mayWrite = false
        case .failed(let error): failure = error
        }
        return result
    }

    /// What was to follow did not come at once: an incomplete segment that the kernel holds back for it goes out now
    /// instead of after 200 ms (tcp(7), TCP_CORK).
    final func pushHeldBack() {
        guard holdsBack, fd >= 0 else { return }
        holdsBack = false
        Socket.push(fd)
    }

    /// `count` octets of a body of known length left through a pipe.
    final func passed(_ count: Int) {
        guard case .length(let remaining) = outgoing else { preconditionFailure("spliced into a framed body") }
        outgoing = .length(remaining: remaining - UInt64(count))
    }

    final func returnPipe() {
        guard let pipe else { return }
        resources.pipes.giveBack(pipe)
        self.pipe = nil
    }

    // MARK: ending

    /// Gives the borrowed memory back; only when nothing of it is needed.
    final func reclaimMemory() {
        if input.isEmpty { resources.buffers.reclaim(&input) }
        if output.isEmpty { resources.buffers.reclaim(&output) }
        pinned = 0
    }

    /// As ``reclaimMemory()``, in the middle of a tunnel: a head that others still read stays.
    public final func reclaimWhileQuiet() {
        if input.isEmpty, pinned == 0 { resources.buffers.reclaim(&input) }
        if output.isEmpty { resources.buffers.reclaim(&output) }
    }

    /// Closes the socket at once and gives all memory back. Says nothing to the owner.
    func close() {
        guard fd >= 0 else { return }
        resources.loop.clearDeadline(self)
        resources.loop.remove(fd)
        _ = OwnedFD(adopting: fd)
        fd = -1
        mayRead = false
        mayWrite = false
        resources.buffers.reclaim(&input)
        resources.buffers.reclaim(&output)
        returnPipe()
    }

    /// As `close`, but the peer learns of it by a reset: what it was sent is not complete.
    public final func abort() {
        guard fd >= 0 else { return }
        Socket.resetOnClose(fd)
        close()
    }
}
