import CNghttp2
import Core

/// What nghttp2 calls. Each notes what happened, in the session's events or on the lane, and returns.
///
/// A lane is its stream's user data, unretained: the session holds it as long as the library knows the stream.
enum HTTP2Callbacks {
    static func install(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            with(user) { $0.beginBlock(frame!) }
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) { _, _, name, nameLength, value, length, _, user in
            with(user) { $0.field(ByteView(name, count: nameLength), ByteView(value, count: length)) }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            with(user) { $0.received(frame!) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, data, length, user in
            with(user) { $0.content(id, ByteView(data, count: length)) }
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, user in
            with(user) { $0.closed(id, HTTP2ErrorCode(rawValue: code)) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            with(user) { $0.sent(frame!) }
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, length, source, user in
            with(user) { session in
                withLane(source!.pointee.ptr) { session.send(frame!, header!, length, $0) }
            }
            return 0
        }
    }

    static func provider(_ lane: HTTP2Lane) -> nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.source.ptr = Unmanaged.passUnretained(lane).toOpaque()
        provider.read_callback = { _, _, _, length, flags, source, user in
            with(user) { session in
                withLane(source!.pointee.ptr) { session.offer($0, length, flags!) }
            }
        }
        return provider
    }
}

// Functions of the file, because a closure for C may capture nothing, not even a type.
/// The session lives as long as the library's own, which calls; nothing is counted on the way.
@inline(__always) private func with<R>(_ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> R) -> R {
    Unmanaged<HTTP2Session>.fromOpaque(user.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
}

@inline(__always) private func withLane<R>(_ pointer: UnsafeMutableRawPointer?, _ body: (HTTP2Lane) -> R) -> R {
    Unmanaged<HTTP2Lane>.fromOpaque(pointer.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
}

extension HTTP2Session {
    /// The session's own reference is enough for what is done with it.
    @inline(__always) private func lane(_ id: Int32) -> Unmanaged<HTTP2Lane>? {
        nghttp2_session_get_stream_user_data(raw, id).map { Unmanaged<HTTP2Lane>.fromOpaque($0) }
    }

    // MARK: heads

    fileprivate func beginBlock(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        guard UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue else { return 0 }
        let category = frame.pointee.headers.cat
        headSince = now
        if category == NGHTTP2_HCAT_REQUEST {
            let lane = library.leaseLane()
            lane.id = frame.pointee.hd.stream_id
            add(lane)
            nghttp2_session_set_stream_user_data(raw, lane.id, Unmanaged.passUnretained(lane).toOpaque())
            blockLane = .passUnretained(lane)
            block.begin(.request, on: lane, limits: limits.requestHead)
            return 0
        }
        guard let lane = lane(frame.pointee.hd.stream_id) else { return 0 }
        blockLane = lane
        // On the client's side a head without `:status`, behind content, is trailers; the library tells the two apart in
        // the same way: only a response that is not final yet can have another head.
        lane._withUnsafeGuaranteedRef { lane in
            if side == .client, !lane.hasFinalHead {
                block.begin(.response, on: lane, limits: limits.responseHead)
            } else {
                let trailers = HeadLimits(
                    octets: limits.trailers.trailers, fields: limits.trailers.trailerFields, requestLine: 0)
                block.begin(.trailers, on: lane, limits: trailers)
            }
        }
        return 0
    }

    fileprivate func field(_ name: ByteView, _ value: ByteView) -> Int32 {
        guard let lane = blockLane else { return 0 }
        return lane._withUnsafeGuaranteedRef { lane in
            switch block.field(name, value, on: lane) {
            case .next: return 0
            case .malformed:
                block.abandon(on: lane)
                nghttp2_submit_rst_stream(raw, 0, lane.id, HTTP2ErrorCode.protocolError.rawValue)
                return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
            case .tooMuch:
                block.abandon(on: lane)
                end(for: .droppedHead)
                return Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
        }
    }

    private func endBlock(_ frame: UnsafePointer<nghttp2_frame>) {
        guard let lane = blockLane else { return }
        lane._withUnsafeGuaranteedRef { if $0.id == frame.pointee.hd.stream_id { endBlock(frame, $0) } }
    }

    @inline(__always) private func endBlock(_ frame: UnsafePointer<nghttp2_frame>, _ lane: HTTP2Lane) {
        blockLane = nil
        let ends = frame.pointee.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        let isTrailers = block.kind == .trailers
        if block.kind == .response, block.isFinal { lane.hasFinalHead = true }
        block.end(on: lane)
        if lane.heads.count > HTTP2Limits.unreadHeads * limits.responseHead.octets, side == .client {
            // Interim heads without end, each of them small on the wire.
            lane.refusal = .headTooLarge
            lane.heads.release()
            reset(lane, .enhanceYourCalm)
        }
        if isTrailers {
            // Trailers past their limit cannot be answered in every case: content may be on its way already.
            if lane.refusal != nil, lane.isAnnounced { return reset(lane, .enhanceYourCalm) }
        } else {
            lane.isAnnounced = true
            if ends { lane.endedWithHead = true }
        }
        if ends { lane.endWasReceived = true }
        if !isTrailers { events.append(.head(.passUnretained(lane))) }
        if ends { events.append(.end(.passUnretained(lane))) }
    }

    // MARK: other frames

    fileprivate func received(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue: endBlock(frame)
        case NGHTTP2_DATA.rawValue:
            guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, let lane = lane(header.stream_id) else {
                return
            }
            lane._withUnsafeGuaranteedRef { $0.endWasReceived = true }
            events.append(.end(lane))
        case NGHTTP2_SETTINGS.rawValue:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { events.append(.settings) }
        case NGHTTP2_PING.rawValue:
            guard header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 else { return }
            let data = withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
            pingAnswered(UInt64(bigEndian: data))
        case NGHTTP2_GOAWAY.rawValue:
            peerGoesAway = true
            events.append(
                .goAway(
                    lastStream: UInt32(bitPattern: frame.pointee.goaway.last_stream_id),
                    HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code)))
        default: break
        }
    }

    fileprivate func content(_ id: Int32, _ data: ByteView) {
        // Given back at once: what bounds a stream is its own window.
        nghttp2_session_consume_connection(raw, data.count)
        guard let lane = lane(id), !lane._withUnsafeGuaranteedRef({ $0.isResetByUs }) else { return }
        events.append(.content(lane, data))
    }

    fileprivate func closed(_ id: Int32, _ code: HTTP2ErrorCode) {
        // Its place among the session's lanes, and with it their reference, goes here.
        guard let lane = lane(id)?.takeUnretainedValue() else { return }
        if let current = blockLane, current.toOpaque() == Unmanaged.passUnretained(lane).toOpaque() { blockLane = nil }
        if lane.hasYielded { yielded.removeAll { $0 === lane } }
        lane.closedWith = code
        lane.stalledSince = .distantFuture
        remove(lane)
        if lane.isFinished, lane.endWasReceived, code == .noError { guardian.streamEndedWell() }
        if lane.isAnnounced { events.append(.closed(.passRetained(lane), code)) } else { library.giveBack(lane) }
    }

    fileprivate func sent(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, let lane = lane(header.stream_id) else {
                return
            }
            lane._withUnsafeGuaranteedRef { finished($0) }
        case NGHTTP2_RST_STREAM.rawValue:
            // What we end for reasons of our own is not the peer's doing.
            if let lane = lane(header.stream_id), lane._withUnsafeGuaranteedRef({ $0.isResetByUs }) { return }
            if let abuse = guardian.provokedReset(now: now) { end(for: abuse) }
            if limits.endsConnectionOnInvalidMessage,
                frame.pointee.rst_stream.error_code == HTTP2ErrorCode.protocolError.rawValue
            {
                terminate(.protocolError)
            }
        case NGHTTP2_GOAWAY.rawValue:
            let code = HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code)
            if code != .noError { error = code }
        default: break
        }
    }

    /// All of our direction is sent.
    private func finished(_ lane: HTTP2Lane) {
        lane.isFinished = true
        if lane.endsEarly { reset(lane, .noError) }
    }

    // MARK: content out

    /// How much of the lane's output goes into the next DATA frame. Nothing is copied yet.
    fileprivate func offer(_ lane: HTTP2Lane, _ room: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        if lane.sentInTurn >= HTTP2Limits.quantum, !lane.output.isEmpty {
            lane.hasYielded = true
            yielded.append(lane)
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        let count = min(room, lane.output.count)
        if count == 0, !lane.outputEnded {
            lane.isDeferred = true
            lane.sentInTurn = 0
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        guard lane.outputEnded, count == lane.output.count else { return count }
        flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        if !lane.trailersToSend.isEmpty {
            let start = lane.trailersToSend.writePointer - lane.trailersToSend.count
            library.fieldList.readTrailers(ByteView(start, count: lane.trailersToSend.count), at: start)
            lane.trailersToSend.clear()
            if library.fieldList.count > 0 {
                flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                nghttp2_submit_trailer(raw, lane.id, library.fieldList.list, library.fieldList.count)
            }
        }
        return count
    }

    fileprivate func send(
        _ frame: UnsafePointer<nghttp2_frame>, _ header: UnsafePointer<UInt8>, _ length: Int, _ lane: HTTP2Lane
    ) {
        guard let sink else { preconditionFailure("a frame is sent while nothing is produced") }
        sink.pointee.append(ByteView(header, count: HTTP2FrameScan.headerOctets))
        sink.pointee.append(lane.output.view.upTo(length))
        lane.output.consume(length)
        lane.sentInTurn += length
        lane.contentSent &+= UInt64(length)
        if lane.output.isEmpty {
            lane.output.clear()
            lane.stalledSince = .distantFuture
        }
        if length > 0 { guardian.contentSent() }
        if frame.pointee.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 { finished(lane) }
        if lane.wantsRoom {
            lane.wantsRoom = false
            events.append(.room(.passUnretained(lane)))
        }
    }
}
