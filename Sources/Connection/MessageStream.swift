import Core
import HTTP
import IO

/// How the body that we send ends (RFC 9112, section 6.3).
public enum OutgoingFraming: Equatable, BitwiseCopyable, Sendable {
    case none
    case length(remaining: UInt64)
    /// The end is told by the framing itself: the last chunk, or END_STREAM.
    case chunked
    /// By closing, or never (tunnels).
    case untilClose
}

/// The way of messages between us and one peer, one exchange at a time: an HTTP/1.1 connection, or one HTTP/2 stream.
///
/// What an exchange knows of either: octets that came in and are not used yet, octets that are to go out, and what both
/// allow now. A stream never reads or writes on its own account while a message is under way: it says to its owner that it
/// could, and the owner pulls and pushes; so back-pressure needs no switch.
///
/// Limits: `input` and `output` hold one block each while a body passes (an HTTP/2 stream's input its window); a head may
/// grow its buffer up to the head's limit.
open class MessageStream: EventSource {
    public final let resources: ConnectionResources
    public final var input = ByteBuffer()
    public final var output = ByteBuffer()
    public final var incoming = BodyReader()
    public final var outgoing = OutgoingFraming.none
    /// Octets at the input's start that stay where they are: the head of the message being served.
    public final var pinned = 0
    /// There may be octets, or the end, for us. Edge-triggered: true until a read comes back short.
    public final var mayRead = false
    /// Octets are taken.
    public final var mayWrite = false
    /// The peer has said that it sends no more; what it sent before may still wait to be read.
    public final var peerFinished = false
    /// Both directions are over: the peer has closed or reset, nobody waits for an answer.
    public final var isGone = false
    public final var failure: Errno?
    public final var octetsReceived: UInt64 = 0
    public final var octetsSent: UInt64 = 0
    /// A clear-text socket whose octets are this stream's alone, so that the kernel may move them (splice); else -1.
    final var spliceable: CInt = -1
    /// Body octets on their way through the kernel; nil: none.
    final var pipe: Pipe?
    /// The last write said that more would follow.
    final var holdsBack = false

    init(resources: ConnectionResources) {
        self.resources = resources
        super.init()
    }

    /// 1 or 2: the version of HTTP on the wire.
    open var majorVersion: UInt8 { 1 }

    open var isOpen: Bool { preconditionFailure("an abstract stream") }

    // MARK: reading

    public enum Fill { case more, nothing, full, endOfFile, failed }

    /// Gets what has come in into the input: one read.
    open func fill() -> Fill { preconditionFailure("an abstract stream") }

    /// `count` octets of content were taken out of the input: the peer may send as many again.
    open func contentTaken(_ count: Int) {}

    /// The end that was just read is one that cannot be trusted to be the sender's (RFC 9112, section 9.8).
    open var isTruncated: Bool { false }

    /// Appends the trailer fields that were received and may be forwarded, as lines with CRLF. Once.
    open func takeTrailers(to output: inout ByteBuffer) { incoming.takeTrailers(from: &input, to: &output) }

    open func dropTrailers() { incoming.dropTrailers(from: &input) }

    // MARK: writing

    /// A head was appended to the output, in the text form of HTTP/1.1, with its final empty line: it goes out.
    /// - Parameter framing: how the body behind it ends; `nil`: an interim response, another head follows.
    open func headWritten(framing: OutgoingFraming?) {
        if let framing { outgoing = framing }
    }

    /// A whole response of our own, head and body, was appended to the output, in the text form of HTTP/1.1: it goes out.
    open func answerWritten() {}

    /// Takes octets of the body, framed as `outgoing` says, as many as there is room for.
    /// - Parameter more: what follows is about to be written too; see ``pushHeldBack()``.
    /// - Returns: how many were taken; fewer than offered: `writable` will be called.
    open func write(body data: ByteView, more: Bool) -> Int { preconditionFailure("an abstract stream") }

    public final func write(body data: ByteView) -> Int { write(body: data, more: false) }

    /// The body is complete. The trailers that `source` received are passed on where there is a place for them, and dropped
    /// otherwise (RFC 9110, section 6.5.1).
    open func endBody(after source: MessageStream?) { preconditionFailure("an abstract stream") }

    public final func endBody() { endBody(after: nil) }

    /// Sends what waits in the output. True: nothing waits any more.
    open func flush() -> Bool { preconditionFailure("an abstract stream") }

    /// The peer is told that no more octets follow, while it may go on sending (tunnels).
    open func finishSending() { preconditionFailure("an abstract stream") }

    // MARK: the kernel's own path

    /// Octets moved from the socket into the pipe, or from the pipe to the socket; used by ``Relay`` alone.
    final func spliceIn(_ pipe: Pipe, _ length: Int) -> Transfer {
        let result = SystemCalls.splice(from: spliceable, to: pipe.writeEnd, length: length, more: true)
        switch result {
        case .octets(let count): octetsReceived &+= UInt64(count)
        case .wouldBlock: break
        case .endOfFile: peerFinished = true
        case .failed(let error): failure = error
        }
        return result
    }

    final func spliceOut(_ pipe: Pipe, more: Bool) -> Transfer {
        let result = SystemCalls.splice(from: pipe.readEnd, to: spliceable, length: pipe.level, more: more)
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
        guard holdsBack, spliceable >= 0 else { return }
        holdsBack = false
        Socket.push(spliceable)
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
    open func reclaimWhileQuiet() {
        if input.isEmpty, pinned == 0 { resources.buffers.reclaim(&input) }
        if output.isEmpty { resources.buffers.reclaim(&output) }
    }
}
