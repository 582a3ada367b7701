import Core
import HTTP
import IO

/// An upstream connection: requests go out, responses come in, one after the other.
///
///     busy ◀─▶ idle (in its endpoint's pool) ─▶ closed
public final class HTTP1ClientConnection: ClientStream {
    public enum Phase: UInt8 { case busy, idle, closed }

    public private(set) var phase = Phase.busy
    private var wire: HTTP1Wire
    /// The library's memory for TLS was given back: nothing has come for a while.
    private var isQuiet = true
    /// Who keeps the connection between exchanges. It lives at least as long as its connections: an endpoint that no
    /// configuration names any more goes with the last of them.
    private let pool: ConnectionOwner
    private let terms: UpstreamTerms
    private let madeAt: Instant
    /// When its last exchange ended.
    public private(set) var idleSince: Instant
    /// See ``Connector/isTunnelled``.
    private let isTunnelled: Bool

    /// Takes an established connection over, for `owner`'s exchange.
    public init(
        _ connector: Connector, owner: ConnectionOwner, pool: ConnectionOwner, terms: UpstreamTerms = UpstreamTerms(),
        resources: ConnectionResources
    ) {
        wire = HTTP1Wire(adopting: OwnedFD(adopting: connector.take()), tls: connector.channel)
        isTunnelled = connector.isTunnelled
        self.pool = pool
        self.terms = terms
        madeAt = resources.loop.now
        idleSince = madeAt
        super.init(peer: connector.peer, owner: owner, resources: resources)
        if connector.channel == nil { spliceable = wire.fd }
        wire.note(connector.events, self)
        mayWrite = true
        // The handshake may have brought more than its end.
        if connector.channel != nil { mayRead = true }
        resources.loop.replace(wire.fd, self)
    }

    public override var isOpen: Bool { wire.isOpen }
    public var tls: TLSChannel? { wire.tls }

    // MARK: the socket

    public override func ready(_ events: ReadyEvents) {
        guard wire.isOpen else { return }
        wire.note(events, self)
        handle(events)
    }

    public override func fill() -> Fill { wire.fill(self) }
    public override func write(body data: ByteView, more: Bool) -> Int { wire.write(body: data, more: more, self) }
    public override func endBody(after source: MessageStream?) { wire.endBody(after: source, self) }
    public override func flush() -> Bool { wire.flush(self) }
    public override func finishSending() { wire.finishSending(self) }
    public override var isTruncated: Bool { wire.isTruncated || isTunnelled && isGone }
    public override func reclaimWhileQuiet() {
        super.reclaimWhileQuiet()
        wire.reclaim(self)
    }

    private func handle(_ events: ReadyEvents) {
        switch phase {
        case .busy:
            if events.has(.writable) { owner.writable(self) }
            if phase == .busy, events.has(.anyForReading) || events.rawValue == 0 {
                owner.readable(self)
            }
        case .idle: checkIdle()
        case .closed: break
        }
    }

    /// An idle connection has nothing to say: octets or an end make it useless. An event can also be an old one.
    private func checkIdle() {
        guard mayRead else { return }
        switch fill() {
        case .nothing:
            reclaimMemory()
            wire.reclaim(self)
        case .more, .endOfFile, .failed, .full:
            close()
            pool.closed(self)
        }
    }

    // MARK: responses

    /// Reads on until a response's head is complete: `response` then holds it, its octets are ``headBytes``.
    public override func readHead(for method: Method) -> HeadEvent {
        // Asked as soon as a request is on its way, when nothing can be there yet.
        if !mayRead, input.isEmpty { return failure == nil ? .waiting : .failed }
        let message: ResponseMessage
        if let response {
            message = response
        } else {
            message = resources.leaseResponse()
            response = message
        }
        while true {
            if input.isEmpty {
                switch fill() {
                case .more: break
                case .nothing: return .waiting
                case .full: preconditionFailure("an empty input is full")
                case .endOfFile: return .endOfFile
                case .failed: return .failed
                }
            }
            switch message.parser.parse(
                input.view, into: &message.head, method: method, limits: resources.terms.limits.responseHead)
            {
            case .complete:
                incoming.begin(message.head.framing)
                return .complete
            case .refused(let refusal): return .refused(refusal)
            case .incomplete:
                switch fill() {
                case .more: continue
                case .full: input.reserve(input.capacity * 2)
                case .nothing: return .waiting
                case .endOfFile: return .endOfFile
                case .failed: return .failed
                }
            }
        }
    }

    // MARK: between requests

    public override func release(keeps: Bool) {
        guard keeps else { return close() }
        incoming.dropTrailers(from: &input)
        lookBehindResponse()
        guard isReusable, !isWornOut, pool.returned(self) else { return close() }
        becomeIdle()
    }

    /// Looks whether octets lie behind the response that was just read: nobody asked for them, and the next request must
    /// not get them for its response. Costs a read only where the last one did not already tell.
    private func lookBehindResponse() {
        guard mayRead, input.isEmpty, incoming.isComplete else { return }
        if fill() == .nothing { input.clear() }
    }

    /// Whether the connection can carry another request, as far as it knows itself.
    public var isReusable: Bool {
        phase == .busy && failure == nil && !peerFinished && incoming.isComplete && input.isEmpty && output.isEmpty
            && outgoing == .none && pipe == nil
    }

    /// It has carried as many requests, or is as old, as its terms allow.
    private var isWornOut: Bool {
        UInt32(clamping: served + 1) >= terms.requests || resources.loop.now >= madeAt + terms.duration
    }

    /// When it is closed, being idle.
    private var idleEnd: Instant {
        let idle = terms.idle(resources)
        return min(idle > .zero ? idleSince + idle : .distantFuture, madeAt + terms.duration)
    }

    /// Asks the socket whether the peer has closed the idle connection meanwhile: it may have done so in this very turn.
    /// False: it has, and the pool was told.
    public func confirm() -> Bool {
        precondition(phase == .idle)
        mayRead = true
        wire.tls?.socketMayHaveMore = true
        checkIdle()
        return phase == .idle
    }

    /// The end was not our own doing.
    public var wasEndedByPeer: Bool { peerFinished || failure != nil }

    private func becomeIdle() {
        phase = .idle
        idleSince = resources.loop.now
        served += 1
        owner = pool
        if let response = response.take() { resources.giveBack(response) }
        reclaimMemory()
        isQuiet = wire.tls == nil
        resources.loop.setDeadline(self, isQuiet ? idleEnd : min(idleEnd, idleSince + ConnectionLimits.quietAfter))
    }

    /// The pool lends it to another exchange.
    public func becomeBusy(owner: ConnectionOwner) {
        precondition(phase == .idle)
        phase = .busy
        self.owner = owner
        resources.loop.suspendDeadline(self)
    }

    public override func close() {
        if phase != .closed {
            phase = .closed
            pool.ended(self)
        }
        if let response = response.take() { resources.giveBack(response) }
        wire.close(self)
    }

    public override func deadlinePassed(now: Instant) {
        guard phase == .idle else { return }
        if !isQuiet, now < idleEnd {
            isQuiet = true
            wire.reclaim(self)
            return resources.loop.setDeadline(self, idleEnd)
        }
        close()
        pool.closed(self)
    }
}
