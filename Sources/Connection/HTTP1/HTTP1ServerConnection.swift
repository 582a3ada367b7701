import Core
import Glibc
import HTTP
import IO

/// A downstream connection: requests come in, responses go out, one after the other (RFC 9112, section 9.3).
///
///     idle ─ first octet ─▶ head ─ complete ─▶ exchange ─ response sent ─▶ idle, or lingering ─▶ closed
///
/// Owned by its worker's (or the admin's) registry; `owner` is told what happens and changes with each exchange.
public final class HTTP1ServerConnection: ServerStream, DownstreamConnection {
    public enum Phase: UInt8 { case idle, head, exchange, lingering, closed }

    public internal(set) var phase = Phase.idle
    /// The registry's place for this connection; the registry's alone.
    public var registryIndex = -1
    /// Its first request has not begun.
    public private(set) var isFresh = true
    var wire: HTTP1Wire
    private var isReadingHeads = false
    var lingered = 0
    /// Heads that were complete: what comes first on a connection cannot come any more.
    private(set) var served: UInt32 = 0
    /// The library's memory for TLS was given back: nothing has come for a while.
    private var isQuiet = true
    /// Octets that a body has at least behind a head that stays in the input: a trailer section must fit
    /// (``ChunkedLimits/trailers``), and reads of a few octets would cost a call each.
    static let roomBehindHead = 16 * 1024
    /// Octets that are read and dropped after our FIN.
    static let lingeringOctets = 16 << 20

    /// A connection that was accepted just now.
    public init(
        adopting fd: consuming OwnedFD, origin: ConnectionOrigin, acceptor: ConnectionOwner,
        resources: ConnectionResources
    ) {
        wire = HTTP1Wire(adopting: fd)
        super.init(origin: origin, acceptor: acceptor, resources: resources)
        if terms.limits.splices { spliceable = wire.fd }
        resources.loop.add(wire.fd, self)
        resources.loop.setDeadline(self, firstDeadline)
    }

    /// Takes over a descriptor that is registered with the loop, and what was read from it. Begins with the next
    /// ``ready(_:)``, which the caller owes.
    public init(
        taking fd: CInt, tls: TLSChannel? = nil, received: consuming ByteBuffer, origin: ConnectionOrigin,
        acceptor: ConnectionOwner, resources: ConnectionResources
    ) {
        wire = HTTP1Wire(adopting: OwnedFD(adopting: fd), tls: tls)
        super.init(origin: origin, acceptor: acceptor, resources: resources)
        if tls == nil, terms.limits.splices { spliceable = wire.fd }
        input = received
        // The handshake may have brought more than its end.
        if tls != nil { mayRead = true }
        resources.loop.replace(wire.fd, self)
        resources.loop.setDeadline(self, firstDeadline)
    }

    public override var tls: TLSChannel? { wire.tls }
    public override var localAddress: SocketAddress? { Socket.localAddress(wire.fd) }

    /// Of a connection on which nothing has come yet.
    private var firstDeadline: Instant {
        resources.loop.now + min(terms.limits.headReceived, terms.limits.keepAliveIdle)
    }

    /// When a connection that is idle now goes, if nothing comes.
    private var idleDeadline: Instant {
        min(resources.loop.now + terms.limits.keepAliveIdle, idleEnd)
    }

    public var isIdle: Bool { phase == .idle }
    public var isClosed: Bool { phase == .closed }
    public override var isOpen: Bool { wire.isOpen }

    // MARK: the socket

    public override func ready(_ events: ReadyEvents) {
        guard wire.isOpen else { return }
        wire.note(events, self)
        handle(events)
    }

    public override func takeTrailers(to output: inout ByteBuffer) {
        if terms.limits.passesTrailers { super.takeTrailers(to: &output) } else { dropTrailers() }
    }

    public override func fill() -> Fill { wire.fill(self) }
    public override func write(body data: ByteView, more: Bool) -> Int { wire.write(body: data, more: more, self) }
    public override func endBody(after source: MessageStream?) {
        guard !terms.limits.passesTrailers, let source else { return wire.endBody(after: source, self) }
        source.dropTrailers()
        wire.endBody(after: nil, self)
    }
    public override func flush() -> Bool { wire.flush(self) }
    public override func finishSending() { wire.finishSending(self) }
    public override var isTruncated: Bool { wire.isTruncated }
    public override func reclaimWhileQuiet() {
        super.reclaimWhileQuiet()
        wire.reclaim(self)
    }
    /// Asks the kernel: an edge may have come that was taken for octets.
    public override var isPeerLost: Bool { Socket.pendingError(wire.fd) != nil }

    private func handle(_ events: ReadyEvents) {
        switch phase {
        case .idle, .head:
            // A pipelining client's next requests wait until it takes our answers.
            if !output.isEmpty, !flush() { return failure == nil ? () : lost() }
            readHeads()
        case .exchange:
            if events.has(.writable) { owner.writable(self) }
            if phase == .exchange,
                events.has(.anyForReading) || events.rawValue == 0
            {
                owner.readable(self)
            }
        case .lingering: linger()
        case .closed: break
        }
    }

    // MARK: heads

    private func readHeads() {
        guard !isReadingHeads else { return }
        isReadingHeads = true
        defer { isReadingHeads = false }
        var inThisTurn = 0
        while phase == .idle || phase == .head {
            if input.isEmpty {
                switch fill() {
                case .more: break
                case .nothing:
                    if phase == .idle { reclaimMemory() }
                    return
                case .endOfFile, .failed: return lost()
                case .full: preconditionFailure("an empty input is full")
                }
            }
            guard parseHead() else { return }
            inThisTurn += 1
            if inThisTurn == ConnectionLimits.requestsPerTurn, phase == .idle {
                resources.loop.again(self)
                return
            }
        }
    }

    /// True: a head was complete and its owner was told; false: nothing more to do now.
    private func parseHead() -> Bool {
        let message: RequestMessage
        if let request {
            message = request
        } else {
            message = resources.leaseRequest()
            request = message
            message.began = resources.loop.now
            phase = .head
            isFresh = false
            resources.loop.setDeadline(self, resources.loop.now + terms.limits.headReceived)
        }
        while true {
            switch message.parser.parse(input.view, into: &message.head, limits: terms.limits.requestHead) {
            case .complete:
                beginExchange(message)
                return true
            case .incomplete:
                switch fill() {
                case .more: continue
                case .full: input.reserve(input.capacity * 2)
                case .nothing: return false
                case .endOfFile, .failed:
                    lost()
                    return false
                }
            case .refused(let refusal):
                if refusal == .http2Preface, served == 0, acceptor.prefaceReceived(on: self) { return false }
                refuse(status: refusal.status, reason: refusal.reason)
                return false
            }
        }
    }

    private func beginExchange(_ message: RequestMessage) {
        resources.loop.suspendDeadline(self)
        phase = .exchange
        served &+= 1
        // What was answered before is gone; the head stays at the input's start until the exchange ends.
        if input.start > 0 { input.compact() }
        pinned = message.head.length
        if input.capacity - pinned < Self.roomBehindHead { input.reserve(pinned + Self.roomBehindHead) }
        input.consume(message.head.length)
        incoming.begin(message.head.framing)
        if message.head.persistence == .close || isToEnd { closesAfterResponse = true }
        owner.requestReceived(on: self)
    }

    /// It has brought as many requests, or lasted as long, as its listener allows.
    private var isToEnd: Bool {
        served >= terms.limits.requests || resources.loop.now - origin.acceptedAt >= terms.limits.duration
    }

    private func refuse(status: UInt16, reason: StaticString) {
        phase = .exchange
        resources.loop.suspendDeadline(self)
        resources.buffers.supply(&output)
        closesAfterResponse = true
        owner.refused(on: self, status: status, reason: reason)
    }

    // MARK: the exchange's end

    /// The response is sent to its last octet. Goes on with the next request, or closes.
    /// The owner gives the connection up with this call.
    public override func exchangeEnded() {
        precondition(phase == .exchange, "no exchange to end")
        precondition(output.isEmpty, "the response is not sent yet")
        owner = acceptor
        if let request = request.take() { resources.giveBack(request) }
        guard !closesAfterResponse, incoming.isComplete else { return closeGently() }
        incoming.dropTrailers(from: &input)
        outgoing = .none
        pinned = 0
        phase = .idle
        if input.isEmpty {
            reclaimMemory()
            isQuiet = wire.tls == nil
            resources.loop.setDeadline(
                self, isQuiet ? idleDeadline : min(idleDeadline, resources.loop.now + ConnectionLimits.quietAfter))
            // Once the peer has finished this stays true: further requests may lie before its FIN, which is then read.
            if !mayRead { return }
        }
        if !isReadingHeads { readHeads() }
    }

    /// Gives the connection up after a broken exchange: nothing more can be said on it. The peer sees a reset also when it
    /// has finished itself: our FIN would be the end of a body without length.
    public override func exchangeAborted() {
        owner = acceptor
        // Nor does a close_notify tell the end of what lacks one (RFC 9112, section 9.8).
        if failure == nil { failure = Errno(ECONNABORTED) }
        Socket.resetOnClose(wire.fd)
        origin.tunnel?.willBreak()
        lost()
    }

    /// Gives the connection up after a tunnel that both ends have closed.
    public override func exchangeClosed() {
        owner = acceptor
        lost()
    }

    /// Asks the connection to go after the response under way, or after the next one (RFC 9112, section 9.6): a client
    /// that is just asking cannot know, so an idle connection stays for ``ConnectionLimits/drainGrace``.
    public func drain() {
        closesAfterResponse = true
        if phase == .idle { resources.loop.setDeadline(self, resources.loop.now + ConnectionLimits.drainGrace) }
    }

    /// Ends an idle connection now.
    public func makeWay() -> Bool {
        endIfIdle()
        return isClosed
    }

    /// A request may lie in the socket that epoll has not told us of yet. Closing would reset it; so an idle connection
    /// is read first, and a request that is found is served.
    private func endIfIdle() {
        closesAfterResponse = true
        if phase == .idle { readHeads() }
        if phase == .idle { lost() }
    }

    // MARK: its end

    /// Breaks the exchange under way off.
    public func cut() {
        if phase == .exchange { owner.cut(on: self) }
    }

    /// When its duration ends, where that ends an idle connection too.
    private var idleEnd: Instant {
        terms.limits.closesAtDuration ? origin.acceptedAt + terms.limits.duration : .distantFuture
    }

    /// The library's memory was given back at `now`, in the middle of being idle.
    private func quietDeadline(_ now: Instant) -> Instant {
        min(now + (terms.limits.keepAliveIdle - ConnectionLimits.quietAfter), idleEnd)
    }

    public override func deadlinePassed(now: Instant) {
        switch phase {
        case .head: refuse(status: 408, reason: "the request's head did not arrive in time")
        case .idle where closesAfterResponse: endIfIdle()
        case .idle where !isQuiet && now < idleEnd:
            isQuiet = true
            wire.reclaim(self)
            resources.loop.setDeadline(self, quietDeadline(now))
        // At the end of its allowed duration a request may lie in the socket; it is served.
        case .idle where terms.limits.closesAtDuration: endIfIdle()
        case .idle, .lingering: lost()
        case .exchange, .closed: break
        }
    }
}
