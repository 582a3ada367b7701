import Core
import HTTP
import IO

/// One request to an endpoint on an HTTP/2 connection, and its response.
public final class HTTP2ClientStream: ClientStream {
    var wire: HTTP2StreamWire
    /// Held, so that no use of it needs counting; the connection lets go of its free streams when it is over.
    private let keeper: HTTP2ClientConnection
    /// Octets of heads at the input's start that were not read yet.
    private var headOctets = 0
    /// No lane could be opened for it.
    private var isRefused = false
    /// It has its place among the connection's, and no lane yet.
    private(set) var isReserved = false

    init(_ connection: HTTP2ClientConnection, owner: ConnectionOwner) {
        wire = HTTP2StreamWire(connection)
        keeper = connection
        super.init(peer: connection.peer, owner: owner, resources: connection.resources)
    }

    func begin(owner: ConnectionOwner, served: Int) {
        self.owner = owner
        self.served = served
        grpcStatus = nil
        isReserved = true
        mayWrite = true
        mayRead = false
    }

    public override var majorVersion: UInt8 { 2 }
    public override var isOpen: Bool { isReserved || wire.place != nil }
    public override func fill() -> Fill { isReserved ? .nothing : wire.fill(self) }
    public override func contentTaken(_ count: Int) { wire.contentTaken(count) }
    public override func write(body data: ByteView, more: Bool) -> Int { wire.write(body: data, self) }
    public override func endBody(after source: MessageStream?) { wire.endBody(after: source, self) }
    public override func flush() -> Bool { wire.flush(self) }
    public override func finishSending() { wire.finishSending() }

    public override func ready(_ events: ReadyEvents) {
        if isOpen { owner.readable(self) }
    }

    // MARK: the request

    public override func headWritten(framing: OutgoingFraming?) {
        guard let framing else { preconditionFailure("a request has one head") }
        outgoing = framing
        endReservation()
        let length = output.count
        let lane =
            keeper.isClosed
            ? nil
            : keeper.session.request(
                &output, length: length, scheme: requestScheme ?? keeper.scheme, ends: framing == OutgoingFraming.none)
        output.clear()
        resources.buffers.reclaim(&output)
        guard let lane else {
            isRefused = true
            return wire.broke(self)
        }
        octetsSent &+= UInt64(length)
        wire.attach(lane, self)
        keeper.sendLater()
    }

    private func endReservation() {
        guard isReserved else { return }
        isReserved = false
        keeper.reservationEnded()
    }

    // MARK: the response

    /// Heads have come; content behind them follows them into the input.
    func headsReceived(_ lane: HTTP2Lane) {
        octetsReceived &+= UInt64(lane.heads.count)
        headOctets += lane.heads.count
        if headOctets > HTTP2Limits.unreadHeads * keeper.session.limits.responseHead.octets {
            wire.reset(.enhanceYourCalm)
            return wire.broke(self)
        }
        wire.received(headsOf: lane, self)
        wire.news(self)
    }

    public override func readHead(for method: Method) -> HeadEvent {
        mayRead = false
        guard let place = wire.place else { return failure == nil ? .waiting : .failed }
        return place._withUnsafeGuaranteedRef { readHead(on: $0) }
    }

    private func readHead(on lane: HTTP2Lane) -> HeadEvent {
        if let refusal = lane.refusal {
            if keeper.terms.endsOnInvalidMessage { keeper.terminate(.protocolError) }
            return .refused(refusal)
        }
        guard headOctets > 0 else {
            if failure != nil { return .failed }
            return lane.peerEnded ? .endOfFile : .waiting
        }
        let message = response ?? resources.leaseResponse()
        response = message
        switch lane.readResponse(
            input.view.upTo(headOctets), into: &message.head, limits: resources.terms.limits.responseHead)
        {
        case .complete:
            headOctets -= message.head.length
            if message.head.status >= 200 {
                // As in a request: END_STREAM tells the end, and nothing else.
                incoming.begin(message.head.framing == .none ? .none : .untilClose)
            }
            return .complete
        case .refused(let refusal): return .refused(refusal)
        case .incomplete: return .waiting
        }
    }

    public override func takeTrailers(to output: inout ByteBuffer) {
        wire.place?._withUnsafeGuaranteedRef { lane in
            if !lane.trailers.isEmpty { grpcStatus = GRPCStatus.number(in: lane.trailers.view) }
            output.append(lane.trailers.view)
            lane.trailers.clear()
        }
    }

    public override func dropTrailers() { wire.lane?.trailers.clear() }

    // MARK: the end

    public override var mayHaveBeenProcessed: Bool {
        if isRefused || isReserved { return false }
        return wire.lane?.closedWith != .refusedStream
    }

    public override func release(keeps: Bool) {
        if let place = wire.place,
            place._withUnsafeGuaranteedRef({ !$0.endWasReceived || !$0.outputEnded })
        {
            wire.reset(.cancel)
        }
        giveUp()
    }

    public override func close() {
        wire.reset(.cancel)
        giveUp()
    }

    private func giveUp() {
        guard isReserved || isRefused || wire.place != nil else { return }
        wire.detach(self)
        if let response {
            resources.giveBack(response)
            self.response = nil
        }
        input.clear()
        output.clear()
        resources.buffers.reclaim(&input)
        resources.buffers.reclaim(&output)
        headOctets = 0
        isRefused = false
        endReservation()
        outgoing = .none
        incoming.begin(.none)
        mayRead = false
        isGone = false
        peerFinished = false
        failure = nil
        keeper.streamIsFree(self)
    }

    public override func reclaimWhileQuiet() {
        if input.isEmpty { resources.buffers.reclaim(&input) }
        if let lane = wire.lane, lane.output.isEmpty { resources.buffers.reclaimBlock(&lane.output) }
    }
}
