import Core
import HTTP
import IO

/// One request of an HTTP/2 connection and its response. Made by its connection, which uses it again for others.
public final class HTTP2ServerStream: ServerStream {
    var wire: HTTP2StreamWire
    /// Held, so that no use of it needs counting; the connection lets go of its free streams when it is over.
    private let keeper: HTTP2ServerConnection

    init(_ connection: HTTP2ServerConnection, acceptor: ConnectionOwner) {
        wire = HTTP2StreamWire(connection)
        keeper = connection
        super.init(origin: connection.origin, acceptor: acceptor, resources: connection.resources)
    }

    public override var majorVersion: UInt8 { 2 }
    public override var isOpen: Bool { wire.place != nil }
    public override var tls: TLSChannel? { keeper.tls }
    public override var localAddress: SocketAddress? { Socket.localAddress(keeper.descriptor) }
    public override func fill() -> Fill { wire.fill(self) }
    public override func contentTaken(_ count: Int) { wire.contentTaken(count) }
    public override func write(body data: ByteView, more: Bool) -> Int { wire.write(body: data, self) }
    public override func endBody(after source: MessageStream?) { wire.endBody(after: source, self) }
    public override func flush() -> Bool { wire.flush(self) }
    public override func finishSending() { wire.finishSending() }

    /// The loop has come round to it again.
    public override func ready(_ events: ReadyEvents) {
        if wire.place != nil { owner.readable(self) }
    }

    // MARK: the request

    /// A head has come; the owner is told.
    func begin(_ lane: HTTP2Lane) {
        wire.attach(lane, self)
        owner = acceptor
        mayWrite = true
        mayRead = false
        let message = resources.leaseRequest()
        request = message
        message.began = resources.loop.now
        octetsReceived &+= UInt64(lane.heads.count)
        if let refusal = lane.readRequest(into: &message.head, limits: terms.limits.requestHead) {
            message.head.reset()
            closesAfterResponse = true
            if keeper.session.limits.endsConnectionOnInvalidMessage {
                wire.reset(.protocolError)
                giveUp()
                return keeper.terminate(.protocolError)
            }
            return acceptor.refused(on: self, status: refusal.status, reason: refusal.reason)
        }
        // The head stays at the input's start until the exchange ends; content comes behind it.
        wire.received(headsOf: lane, self)
        pinned = message.head.length
        input.consume(pinned)
        // Where the content ends is told by END_STREAM alone, which the library holds against Content-Length.
        incoming.begin(lane.endedWithHead || message.head.upgradesToWebSocket ? .none : .untilClose)
        acceptor.requestReceived(on: self)
    }

    public override func takeTrailers(to output: inout ByteBuffer) {
        wire.place?._withUnsafeGuaranteedRef { lane in
            output.append(lane.trailers.view)
            lane.trailers.clear()
        }
    }

    public override func dropTrailers() { wire.lane?.trailers.clear() }

    // MARK: the response

    public override func headWritten(framing: OutgoingFraming?) {
        if let framing { outgoing = framing }
        sendHead(output.count, ends: framing == OutgoingFraming.none)
        resources.buffers.reclaim(&output)
    }

    public override func answerWritten() {
        let end = Self.endOfHead(output.view)
        sendHead(end, ends: end == output.count)
        if !output.isEmpty, let lane = wire.lane, lane.closedWith == nil {
            _ = resources.buffers.enlarge(&lane.output)
            lane.output.append(output.view)
            octetsSent &+= UInt64(output.count)
            keeper.session.endOutput(lane)
        }
        output.clear()
        resources.buffers.reclaim(&output)
    }

    public override func appendTrailers(_ lines: ByteView) { wire.lane?.trailersToSend.append(lines) }

    private func sendHead(_ length: Int, ends: Bool) {
        guard let place = wire.place, place._withUnsafeGuaranteedRef({ $0.closedWith == nil }) else {
            return output.consume(length)
        }
        octetsSent &+= UInt64(length)
        place._withUnsafeGuaranteedRef { keeper.session.respond(on: $0, &output, length: length, ends: ends) }
        keeper.sendLater()
    }

    private static func endOfHead(_ text: ByteView) -> Int {
        var at = 0
        while let lf = text.firstIndex(of: ASCII.lf, from: at) {
            if lf + 2 < text.count, text[lf + 1] == ASCII.cr, text[lf + 2] == ASCII.lf { return lf + 3 }
            at = lf + 1
        }
        preconditionFailure("an answer without an end of its head")
    }

    // MARK: the end

    public override func exchangeEnded() {
        if let place = wire.place {
            // The rest of a request that was answered early is not wanted (RFC 9113, section 8.1).
            place._withUnsafeGuaranteedRef { if !$0.endWasReceived { keeper.session.endEarly($0) } }
            keeper.sendLater()
        }
        giveUp()
    }

    public override func exchangeAborted() {
        // A response that lacks its end must not look whole; nothing but a reset says so.
        let isTunnel = request?.head.method == .connect
        // That of a tunnel's far side (RFC 9113, section 8.5).
        wire.reset(isTunnel ? .connectError : .internalError)
        giveUp()
    }

    public override func exchangeClosed() {
        wire.finishSending()
        exchangeEnded()
    }

    private func giveUp() {
        wire.detach(self)
        owner = acceptor
        if let request {
            resources.giveBack(request)
            self.request = nil
        }
        input.clear()
        output.clear()
        pinned = 0
        resources.buffers.reclaim(&input)
        resources.buffers.reclaim(&output)
        outgoing = .none
        incoming.begin(.none)
        mayRead = false
        isGone = false
        peerFinished = false
        failure = nil
        closesAfterResponse = false
        keeper.streamIsFree(self)
    }

    /// A tunnel's quiet moment: its head's octets stay.
    public override func reclaimWhileQuiet() {
        if let lane = wire.lane, lane.output.isEmpty { resources.buffers.reclaimBlock(&lane.output) }
    }
}
