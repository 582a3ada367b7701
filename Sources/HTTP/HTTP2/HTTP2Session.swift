import CNghttp2
import Core

/// One HTTP/2 connection without its socket, as server or as client (RFC 9113): octets in, events out, octets out.
///
/// nghttp2 does the framing, HPACK and the states of streams; its callbacks only note what happened. So nobody is called from
/// inside the library, and whoever takes an event may do anything with the session. After `receive` and `produce`, take all
/// events before the next call of either.
///
/// Limits: ``HTTP2Limits``. A connection error or an abuse leaves a GOAWAY to be produced, then ``isOver``.
public final class HTTP2Session {
    public enum Side: UInt8, BitwiseCopyable, Sendable { case server, client }

    public let side: Side
    public let limits: HTTP2Limits
    let library: HTTP2Library
    var raw: OpaquePointer!
    /// The streams that are not over, in no order.
    public internal(set) var lanes: [HTTP2Lane] = []
    var events: [HTTP2Event] = []
    private var nextEventIndex = 0
    /// Time of the call under way.
    var now: Instant
    var guardian: HTTP2Guard
    private var scan: HTTP2FrameScan
    var block = HTTP2BlockReader()
    /// Whose block is being read.
    var blockLane: Unmanaged<HTTP2Lane>?
    /// Since when; good while ``isInsideHead``.
    public internal(set) var headSince = Instant.distantFuture
    /// Lanes that have sent their part of a turn and have more.
    var yielded: [HTTP2Lane] = []
    /// Requests that were given to the library.
    var requests: UInt = 0
    /// Where `produce` writes; set while it runs.
    var sink: UnsafeMutablePointer<ByteBuffer>?
    /// What the peer did too often.
    public internal(set) var abuse: HTTP2Guard.Abuse?
    /// The code of a GOAWAY that we sent for an error.
    public internal(set) var error: HTTP2ErrorCode?
    /// The peer's GOAWAY: no stream can be opened any more.
    public internal(set) var peerGoesAway = false
    /// The library cannot go on.
    private var isBroken = false
    private var drain = Drain.none
    private var drainDeadline = Instant.distantFuture

    private enum Drain { case none, announced, final }
    /// Opaque data of our own PING in a drain.
    static let drainPing: UInt64 = 0x534C_5549_4345_4459

    public init(side: Side, limits: HTTP2Limits, library: HTTP2Library, now: Instant) {
        self.side = side
        self.limits = limits
        self.library = library
        self.now = now
        guardian = HTTP2Guard(limits: limits.abuse, now: now)
        scan = HTTP2FrameScan(isServer: side == .server, limits: limits.abuse)
        raw = library.makeSession(side, limits, for: self)
        sendSettings()
    }

    deinit {
        nghttp2_session_del(raw)
        // What nobody takes any more.
        for case .closed(let lane, _) in events[nextEventIndex...] { lane.release() }
    }

    /// RFC 9113, section 6.5.2; RFC 8441, section 3; RFC 9218, section 2.1.
    private func sendSettings() {
        let initialWindow = Self.entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.initialStreamWindowSize)
        var entries: [nghttp2_settings_entry]
        switch side {
        case .server:
            entries = [
                Self.entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams), initialWindow,
                Self.entry(
                    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(clamping: limits.requestHead.octets)),
                Self.entry(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1),
                Self.entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
            ]
        case .client:
            entries = [
                Self.entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0), initialWindow,
                Self.entry(
                    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(clamping: limits.responseHead.octets)),
            ]
        }
        let result = nghttp2_submit_settings(raw, 0, &entries, entries.count)
        precondition(result == 0, "our own settings were refused")
        if limits.initialConnectionWindowSize > 65535 {
            nghttp2_session_set_local_window_size(raw, 0, 0, Int32(clamping: limits.initialConnectionWindowSize))
        }
    }

    private static func entry(_ id: nghttp2_settings_id, _ value: UInt32) -> nghttp2_settings_entry {
        nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
    }

    /// A head has begun and is not complete: nothing else can come before it is.
    public var isInsideHead: Bool { blockLane != nil }

    // MARK: octets in

    /// Takes what the peer sent. Always takes all of it; what it means is in the events, and in ``wantsWrite``.
    /// - Parameter octets: must stay as they are until the events are taken.
    public func receive(_ octets: ByteView, now: Instant) {
        self.now = now
        guard !isBroken, abuse == nil, octets.count > 0 else { return }
        let found = scan.read(octets, &guardian, now: now)
        let legal = found.map { octets.upTo($0.before) } ?? octets
        if legal.count > 0 {
            let taken = nghttp2_session_mem_recv(raw, legal.base, legal.count)
            if taken < 0 { return broken(Int32(taken)) }
        }
        switch found?.offence {
        case .abuse(let abuse): return end(for: abuse)
        case .malformed: return terminate(.protocolError)
        case nil: break
        }
        // Control frames are answered, and answers to a peer that does not read pile up.
        if nghttp2_session_get_outbound_queue_size(raw) > HTTP2Limits.waitingFrames { end(for: .waitingFrames) }
    }

    /// The library refused to go on with what was received.
    private func broken(_ result: Int32) {
        if abuse != nil { return }
        let code: HTTP2ErrorCode
        switch nghttp2_error(rawValue: result) {
        case NGHTTP2_ERR_FLOODED: code = .enhanceYourCalm
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC: code = .protocolError
        default: code = .internalError
        }
        terminate(code)
    }

    func end(for abuse: HTTP2Guard.Abuse) {
        guard self.abuse == nil else { return }
        self.abuse = abuse
        terminate(.enhanceYourCalm)
    }

    /// Says GOAWAY with this code; nothing more is received, and the connection is over when it is sent.
    public func terminate(_ code: HTTP2ErrorCode) {
        if nghttp2_session_terminate_session(raw, code.rawValue) != 0 { isBroken = true }
    }

    // MARK: events

    /// The next thing that happened; nil when there is no more.
    public func nextEvent() -> HTTP2Event? {
        guard nextEventIndex < events.count else {
            if !events.isEmpty {
                events.removeAll(keepingCapacity: true)
                nextEventIndex = 0
            }
            return nil
        }
        let event = events[nextEventIndex]
        nextEventIndex += 1
        // Only now: who reads the stream at its head's event must not take what is still to come for nothing.
        switch event {
        case .end(let lane): lane._withUnsafeGuaranteedRef { $0.peerEnded = true }
        case .closed(let lane, _): lane._withUnsafeGuaranteedRef { $0.closeWasTaken = true }
        case .head, .content, .room, .goAway, .settings, .pingAnswered: break
        }
        return event
    }

    /// Gives up memory that only a busy connection needs.
    public func releaseMemory() {
        guard events.isEmpty, lanes.isEmpty else { return }
        events = []
        lanes = []
        yielded = []
        block.release()
    }

    // MARK: octets out

    /// Something waits to be sent.
    public var wantsWrite: Bool { nghttp2_session_want_write(raw) != 0 && !isBroken }

    /// Nothing more will be read or written: the socket can be closed when what was produced is sent.
    public var isOver: Bool {
        isBroken || nghttp2_session_want_read(raw) == 0 && nghttp2_session_want_write(raw) == 0
    }

    /// Appends what is to be sent, until nothing is left or the buffer holds `bound` octets (a frame more, at most).
    public func produce(into buffer: inout ByteBuffer, upTo bound: Int, now: Instant) {
        self.now = now
        guard !isBroken else { return }
        withUnsafeMutablePointer(to: &buffer) { sink in
            self.sink = sink
            fill(sink, bound)
            self.sink = nil
        }
    }

    private func fill(_ sink: UnsafeMutablePointer<ByteBuffer>, _ bound: Int) {
        while sink.pointee.count < bound {
            var octets: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(raw, &octets)
            if count < 0 {
                isBroken = true
                return
            }
            if count > 0 {
                sink.pointee.append(ByteView(octets, count: count))
            } else if !resumeYielded() {
                return
            }
        }
        _ = resumeYielded()
    }

    /// The next round among those that have more to send than one turn's part.
    private func resumeYielded() -> Bool {
        guard !yielded.isEmpty else { return false }
        for lane in yielded {
            lane.hasYielded = false
            lane.sentInTurn = 0
            if lane.closedWith == nil { nghttp2_session_resume_data(raw, lane.id) }
        }
        yielded.removeAll(keepingCapacity: true)
        return true
    }

    // MARK: the connection as a whole

    /// Sends a PING; its answer is an event.
    public func ping(_ data: UInt64) {
        withUnsafeBytes(of: data.bigEndian) {
            _ = nghttp2_submit_ping(raw, 0, $0.bindMemory(to: UInt8.self).baseAddress)
        }
    }

    /// What the peer has announced (RFC 9113, section 6.5.2); 100 before it has.
    public var peerMaxConcurrentStreams: UInt32 {
        nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    }

    /// The peer takes extended CONNECT (RFC 8441, section 3).
    public var peerTakesExtendedConnect: Bool {
        nghttp2_session_get_remote_settings(raw, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }

    /// Begins to end the connection without hurting a stream (RFC 9113, section 6.8): the first GOAWAY says that one will come;
    /// the second, when the peer has answered our PING or ``HTTP2Limits/goAwayPause`` has passed, says which streams
    /// were the last. Call ``tick(now:)`` at ``deadline``.
    public func beginDrain(now: Instant) {
        guard drain == .none else { return }
        switch side {
        case .server:
            drain = .announced
            nghttp2_submit_shutdown_notice(raw)
            ping(Self.drainPing)
            drainDeadline = now + HTTP2Limits.goAwayPause
        case .client: finishDrain()
        }
    }

    public var isDraining: Bool { drain != .none }

    /// When ``tick(now:)`` has something to do.
    public var deadline: Instant { drainDeadline }

    public func tick(now: Instant) {
        if now >= drainDeadline { finishDrain() }
    }

    func pingAnswered(_ data: UInt64) {
        if data == Self.drainPing, drain == .announced { finishDrain() } else { events.append(.pingAnswered(data)) }
    }

    private func finishDrain() {
        drainDeadline = .distantFuture
        guard drain != .final else { return }
        drain = .final
        nghttp2_submit_goaway(raw, 0, nghttp2_session_get_last_proc_stream_id(raw), 0, nil, 0)
    }

    /// Ends the streams that have had octets to send since `before` or longer, and were given no window for them: a peer could
    /// else keep us holding them for as long as it sends now and then a frame. To be called now and then.
    /// - Returns: how many.
    @discardableResult public func reapStalled(now: Instant, after limit: TimeAmount) -> Int {
        var reaped = 0
        for lane in lanes where lane.stalledSince < .distantFuture && lane.closedWith == nil && !lane.isResetByUs {
            if lane.contentSent - lane.markedSent >= HTTP2Limits.stallProgress {
                lane.markedSent = lane.contentSent
                lane.stalledSince = now
            } else if now - lane.stalledSince >= limit {
                reset(lane, .cancel)
                reaped += 1
            }
        }
        return reaped
    }
}
