import Core
import HTTP
import IO

/// A downstream connection: requests come in, responses go out, one after the other (RFC 9112, section 9.3).
///
///     idle ─ first octet ─▶ head ─ complete ─▶ exchange ─ response sent ─▶ idle, or lingering ─▶ closed
///
/// Owned by its worker's (or the admin's) registry; `owner` is told what happens and changes with each exchange.
public final class HTTP1ServerConnection: HTTP1Connection {
    public enum Phase: UInt8 { case idle, head, exchange, lingering, closed }

    public private(set) var phase = Phase.idle
    public unowned(unsafe) var owner: ConnectionOwner
    /// Who owns the connection between exchanges.
    private unowned(unsafe) let acceptor: ConnectionOwner
    public let peer: SocketAddress
    /// Set while a head is received and its exchange runs.
    public private(set) var request: RequestMessage?
    /// The connection closes after the response under way: asked for by a peer, by a drain, or by a broken request.
    public var closesAfterResponse = false
    /// The registry's place for this connection; the registry's alone.
    public var registryIndex = -1
    /// Which listening socket it came from (the supervisor's number).
    public let socketID: UInt32
    public let acceptedAt: Instant
    /// Its first request has not begun.
    public private(set) var isFresh = true
    private var isReadingHeads = false
    private var lingered = 0
    /// Octets that a body has at least behind a head that stays in the input: a trailer section must fit
    /// (``ChunkedLimits/trailers``), and reads of a few octets would cost a call each.
    static let roomBehindHead = 16 * 1024
    /// Octets that are read and dropped after our FIN.
    private static let lingeringOctets = 1 << 20

    public init(
        adopting fd: consuming OwnedFD, peer: SocketAddress, socketID: UInt32, acceptor: ConnectionOwner,
        resources: ConnectionResources
    ) {
        self.peer = peer
        self.socketID = socketID
        self.acceptor = acceptor
        owner = acceptor
        acceptedAt = resources.loop.now
        super.init(adopting: fd, resources: resources)
        resources.loop.add(self.fd, self)
        resources.loop.setDeadline(self, resources.loop.now + resources.limits.headReceived)
    }

    /// The head's octets; its offsets count from their start. Valid until the exchange ends.
    public var headBytes: ByteView { input.written.upTo(pinned) }

    override func handle(_ events: ReadyEvents) {
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
        var served = 0
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
            served += 1
            if served == ConnectionLimits.requestsPerTurn, phase == .idle {
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
            phase = .head
            isFresh = false
            resources.loop.setDeadline(self, resources.loop.now + resources.limits.headReceived)
        }
        while true {
            switch message.parser.parse(input.view, into: &message.head, limits: resources.limits.requestHead) {
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
                refuse(status: refusal.status, reason: refusal.reason)
                return false
            }
        }
    }

    private func beginExchange(_ message: RequestMessage) {
        resources.loop.suspendDeadline(self)
        phase = .exchange
        // What was answered before is gone; the head stays at the input's start until the exchange ends.
        if input.start > 0 { input.compact() }
        pinned = message.head.length
        if input.capacity - pinned < Self.roomBehindHead { input.reserve(pinned + Self.roomBehindHead) }
        input.consume(message.head.length)
        incoming.begin(message.head.framing)
        if message.head.persistence == .close { closesAfterResponse = true }
        owner.requestReceived(on: self)
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
    public func exchangeEnded() {
        precondition(phase == .exchange, "no exchange to end")
        precondition(output.isEmpty, "the response is not sent yet")
        owner = acceptor
        if let request {
            resources.giveBack(request)
            self.request = nil
        }
        guard !closesAfterResponse, incoming.isComplete else { return closeGently() }
        incoming.dropTrailers(from: &input)
        outgoing = .none
        pinned = 0
        phase = .idle
        if input.isEmpty {
            reclaimMemory()
            resources.loop.setDeadline(self, resources.loop.now + resources.limits.keepAliveIdle)
            // Once the peer has finished this stays true: further requests may lie before its FIN, which is then read.
            if !mayRead { return }
        }
        if !isReadingHeads { readHeads() }
    }

    /// Gives the connection up after a broken exchange: nothing more can be said on it. The peer sees a reset also when it
    /// has finished itself: our FIN would be the end of a body without length.
    public func exchangeAborted() {
        owner = acceptor
        Socket.resetOnClose(fd)
        lost()
    }

    /// Gives the connection up after a tunnel that both ends have closed.
    public func exchangeClosed() {
        owner = acceptor
        lost()
    }

    /// Asks an idle connection to go; a busy one goes after its response (RFC 9112, section 9.6).
    ///
    /// A request may lie in the socket that epoll has not told us of yet, surely so on a connection accepted in this very
    /// turn. Closing would reset it; so an idle connection is read first, and a request that is found is served.
    public func drain() {
        closesAfterResponse = true
        if phase == .idle { readHeads() }
        if phase == .idle { lost() }
    }

    // MARK: closing

    /// Our FIN first, then whatever the peer still sends is read and dropped for a while: closing with octets unread
    /// would send a reset, which can destroy the response on its way (RFC 9112, section 9.6).
    private func closeGently() {
        guard mayRead || !input.isEmpty || !incoming.isComplete || peerFinished == false else { return lost() }
        phase = .lingering
        Socket.shutdownWrite(fd)
        input.clear()
        pinned = 0
        resources.loop.setDeadline(self, resources.loop.now + resources.limits.lingering)
        linger()
    }

    private func linger() {
        while phase == .lingering {
            input.clear()
            switch fill() {
            case .more:
                lingered += input.count
                if lingered > Self.lingeringOctets { return lost() }
            case .nothing:
                input.clear()
                reclaimMemory()
                return
            case .full: preconditionFailure("an empty input is full")
            case .endOfFile, .failed: return lost()
            }
        }
    }

    /// The connection is over: closed, and the owner told.
    private func lost() {
        guard phase != .closed else { return }
        close()
        owner.closed(self)
    }

    override func close() {
        phase = .closed
        if let request {
            resources.giveBack(request)
            self.request = nil
        }
        super.close()
    }

    public override func deadlinePassed(now: Instant) {
        switch phase {
        case .head: refuse(status: 408, reason: "the request's head did not arrive in time")
        case .idle, .lingering: lost()
        case .exchange, .closed: break
        }
    }
}
