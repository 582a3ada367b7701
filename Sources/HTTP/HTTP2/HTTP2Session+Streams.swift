import CNghttp2
import Core

/// What is done with one stream.
extension HTTP2Session {
    // MARK: heads

    /// Sends a response's head, or an interim one: the first `length` octets of `text`, status line to empty line as in
    /// HTTP/1.1, which are consumed. Fields that belong to HTTP/1.1 connections stay behind.
    /// - Parameter ends: neither content nor trailers follow.
    public func respond(on lane: HTTP2Lane, _ text: inout ByteBuffer, length: Int, ends: Bool) {
        defer { text.consume(length) }
        guard lane.closedWith == nil else { return }
        // The final head stays with the lane, where it is read when it is sent; interim ones the library copies.
        let isFinal = !lane.headIsSent && Self.isFinal(text.view.upTo(length))
        var start = text.writePointer - text.count
        if isFinal { start = lane.keepHead(text.view.upTo(length)) }
        let status = library.fieldList.readResponse(ByteView(start, count: length), at: start, stays: isFinal)
        precondition(status != 0, "a response without a status line")
        let list = library.fieldList.list
        let count = library.fieldList.count
        if status < 200, status != 101 {
            nghttp2_submit_headers(raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), lane.id, nil, list, count, nil)
            return
        }
        lane.headIsSent = true
        lane.outputEnded = ends
        let result = withUnsafePointer(to: HTTP2Callbacks.provider(lane)) {
            nghttp2_submit_response(raw, lane.id, list, count, ends ? nil : $0)
        }
        if result != 0 { reset(lane, .internalError) }
    }

    /// Not one that another follows; 101 begins a tunnel.
    private static func isFinal(_ text: ByteView) -> Bool {
        text.count < 12 || text[9] != 0x31 || text[9..<12].equals("101")
    }

    /// Opens a stream with a request: as in ``respond(on:_:length:ends:)``.
    /// An upgrade to WebSocket becomes an extended CONNECT (RFC 8441), which does not end.
    /// - Returns: nil when no stream can be opened any more.
    public func request(
        _ text: inout ByteBuffer, length: Int, scheme: Scheme, ends: Bool
    ) -> HTTP2Lane? {
        defer { text.consume(length) }
        guard canOpen else { return nil }
        let lane = library.leaseLane()
        let start = lane.keepHead(text.view.upTo(length))
        let view = ByteView(start, count: length)
        let keepsNames = requests % HTTP2Limits.keptNames == 0
        requests &+= 1
        guard
            let line = library.fieldList.readRequest(view, at: start, scheme: scheme, keepsNames: keepsNames)
        else {
            preconditionFailure("a request without a request line")
        }
        lane.method = line.method
        lane.isWebSocket = line.isWebSocket
        let ends = ends && !line.isWebSocket
        lane.headIsSent = true
        lane.isAnnounced = true
        lane.outputEnded = ends
        let id = withUnsafePointer(to: HTTP2Callbacks.provider(lane)) {
            nghttp2_submit_request(
                raw, nil, library.fieldList.list, library.fieldList.count, ends ? nil : $0,
                Unmanaged.passUnretained(lane).toOpaque())
        }
        guard id > 0 else {
            library.giveBack(lane)
            return nil
        }
        lane.id = id
        add(lane)
        return lane
    }

    /// Whether a stream can be opened, as far as GOAWAY and stream numbers go; how many at once is the peer's settings.
    public var canOpen: Bool { !peerGoesAway && !isDraining && nghttp2_session_check_request_allowed(raw) != 0 }

    // MARK: content

    /// The lane's output, or what follows it, has grown.
    public func resume(_ lane: HTTP2Lane) {
        guard lane.closedWith == nil else { return }
        if lane.stalledSince == .distantFuture, !lane.output.isEmpty {
            lane.stalledSince = now
            lane.markedSent = lane.contentSent
        }
        if lane.isDeferred {
            lane.isDeferred = false
            nghttp2_session_resume_data(raw, lane.id)
        }
    }

    /// The message ends with what is in the output, and with ``HTTP2Lane/trailersToSend`` when that is not empty.
    public func endOutput(_ lane: HTTP2Lane) {
        guard !lane.outputEnded else { return }
        lane.outputEnded = true
        resume(lane)
    }

    /// The reader has used `count` octets of content: the peer may send as many more on this stream.
    public func consumed(_ count: Int, on lane: HTTP2Lane) {
        guard count > 0, lane.closedWith == nil, !lane.endWasReceived else { return }
        nghttp2_session_consume_stream(raw, lane.id, count)
    }

    // MARK: the end

    /// Ends the stream at once, both ways. Its `closed` event comes with the next `produce`.
    public func reset(_ lane: HTTP2Lane, _ code: HTTP2ErrorCode) {
        guard lane.closedWith == nil, !lane.isResetByUs else { return }
        lane.isResetByUs = true
        lane.stalledSince = .distantFuture
        nghttp2_submit_rst_stream(raw, 0, lane.id, code.rawValue)
    }

    /// The lane's `closed` event was taken, and nobody needs anything of it any more.
    public func giveBack(_ lane: HTTP2Lane) {
        precondition(lane.closeWasTaken, "a lane is given back while events may speak of it")
        library.giveBack(lane)
    }

    /// The response is given to the session although the request goes on: its rest is refused, but only when the response is sent
    /// to its end (RFC 9113, section 8.1).
    public func endEarly(_ lane: HTTP2Lane) {
        if lane.isFinished { reset(lane, .noError) } else { lane.endsEarly = true }
    }

    func add(_ lane: HTTP2Lane) {
        lane.index = lanes.count
        lanes.append(lane)
    }

    func remove(_ lane: HTTP2Lane) {
        precondition(lanes[lane.index] === lane)
        let last = lanes.removeLast()
        if last !== lane {
            last.index = lane.index
            lanes[lane.index] = last
        }
        lane.index = -1
    }
}
