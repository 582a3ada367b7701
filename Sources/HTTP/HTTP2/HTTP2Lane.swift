import Core

/// What a session knows of one stream: its heads as text, what is to be sent on it, and how far both directions are.
/// Made by ``HTTP2Session``, lent to whoever serves the stream, and given back after its `closed` event.
///
/// Limits: received text at most twice the head's limit and the trailers'; `output` as much as its writer puts there.
public final class HTTP2Lane {
    /// 0: not yet numbered.
    public internal(set) var id: Int32 = 0
    /// Whoever serves the stream; the session never looks at it.
    public var owner: AnyObject? {
        get { servedBy?.takeUnretainedValue() }
        set {
            let former = servedBy
            servedBy = newValue.map { Unmanaged.passRetained($0) }
            former?.release()
        }
    }
    /// The ``owner``, held by the lane, for uses that cannot end its life and so need not count it.
    public private(set) var servedBy: Unmanaged<AnyObject>?
    /// Its place among the session's lanes.
    var index = -1

    // MARK: what was received

    /// Heads as text, one behind the other, each with its final empty line: a request's one; a response's after its
    /// interim ones. Consumed by whoever reads them.
    public var heads = ByteBuffer()
    /// Trailer fields that may be forwarded, as lines with CRLF, without an empty line.
    public var trailers = ByteBuffer()
    /// The peer has ended its direction, and its `end` event was taken: nothing follows what was delivered.
    public internal(set) var peerEnded = false
    /// The peer has ended its direction; what came before may still be among the events.
    public internal(set) var endWasReceived = false
    /// The last head ended it: no content and no trailers follow.
    public internal(set) var endedWithHead = false
    /// `CONNECT` with `:protocol: websocket` (RFC 8441); the text says GET, or 101.
    public internal(set) var isWebSocket = false
    public internal(set) var scheme: Scheme?
    /// The request that a response on this stream answers.
    public internal(set) var method = Method.get
    /// The head passed a limit, or what it says cannot be; nothing of it was kept.
    public internal(set) var refusal: HeadRefusal?
    /// Its first head was delivered; a stream that ends before is never spoken of.
    var isAnnounced = false
    /// A response's final head has come; another block is trailers.
    var hasFinalHead = false

    // MARK: what is sent

    /// Content that waits to be sent. After adding to it, or to what follows it, call ``HTTP2Session/resume(_:)``.
    public var output = ByteBuffer()
    /// Trailer lines with CRLF, sent behind the content.
    public var trailersToSend = ByteBuffer()
    /// Nothing more is added: the stream's direction ends with the output, or with the trailers behind it.
    public internal(set) var outputEnded = false
    /// The request, or the response's final head, as text: the library reads it where it is until it is sent.
    var sentHead = ByteBuffer()
    /// The final head was given to the library.
    public internal(set) var headIsSent = false
    /// Its content waits for nothing but more of it.
    var isDeferred = false
    var hasYielded = false
    var sentInTurn = 0
    /// All of its direction was sent, END_STREAM included.
    public internal(set) var isFinished = false
    /// Whoever fills the output wants to know when some of it was sent.
    public var wantsRoom = false

    // MARK: its end

    /// The stream is over, with this code.
    public internal(set) var closedWith: HTTP2ErrorCode?
    /// Its `closed` event was taken: nothing about it is among the events any more.
    public internal(set) var closeWasTaken = false
    /// We ended it, for reasons of our own.
    var isResetByUs = false
    /// Our direction was ended although the peer's goes on: what it still sends is not wanted.
    var endsEarly = false

    // MARK: stalls

    var contentSent: UInt64 = 0
    var markedSent: UInt64 = 0
    /// Since when octets wait, and the peer has given no window worth mentioning for them.
    var stalledSince = Instant.distantFuture

    init() {}

    deinit { servedBy?.release() }

    /// As new. What it holds of small memory stays for the next stream.
    func reset() {
        id = 0
        owner = nil
        index = -1
        Self.empty(&heads)
        Self.empty(&trailers)
        Self.empty(&output)
        Self.empty(&trailersToSend)
        Self.empty(&sentHead)
        peerEnded = false
        endWasReceived = false
        endedWithHead = false
        isWebSocket = false
        scheme = nil
        method = .get
        refusal = nil
        isAnnounced = false
        hasFinalHead = false
        outputEnded = false
        headIsSent = false
        isDeferred = false
        hasYielded = false
        sentInTurn = 0
        isFinished = false
        wantsRoom = false
        closedWith = nil
        closeWasTaken = false
        isResetByUs = false
        endsEarly = false
        contentSent = 0
        markedSent = 0
        stalledSince = .distantFuture
    }

    /// Copies the head to where it stays as long as the library needs it. Once a stream.
    func keepHead(_ text: ByteView) -> UnsafeMutablePointer<UInt8> {
        precondition(sentHead.isEmpty, "a stream has one final head")
        sentHead.append(text)
        return sentHead.writePointer - text.count
    }

    /// Octets of a buffer that a free lane keeps.
    public static let kept = 2048

    private static func empty(_ buffer: inout ByteBuffer) {
        if buffer.capacity > kept { buffer.release() } else { buffer.clear() }
    }
}
