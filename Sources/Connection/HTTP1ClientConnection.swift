import Core
import HTTP
import IO

/// An upstream connection: requests go out, responses come in, one after the other.
///
///     connecting ─▶ busy ◀─▶ idle (in its endpoint's pool) ─▶ closed
public final class HTTP1ClientConnection: HTTP1Connection {
    public enum Phase: UInt8 { case connecting, busy, idle, closed }

    public private(set) var phase = Phase.connecting
    public unowned(unsafe) var owner: ConnectionOwner
    public let peer: SocketAddress
    /// Set from the first octet of a response until its head is used.
    public private(set) var response: ResponseMessage?
    /// Requests that were sent on it before the present one.
    public private(set) var served = 0
    /// The endpoint that the connection belongs to; the pool's alone.
    public var poolIndex = -1

    /// Begins to connect; `owner.connected` tells the outcome.
    public init(to peer: SocketAddress, owner: ConnectionOwner, resources: ConnectionResources) throws(Errno) {
        self.peer = peer
        self.owner = owner
        let fd = try Socket.connect(peer)
        super.init(adopting: fd, resources: resources)
        resources.loop.add(self.fd, self)
    }

    override func handle(_ events: ReadyEvents) {
        switch phase {
        case .connecting:
            guard mayWrite else { return }
            if let error = Socket.pendingError(fd) {
                close()
                return owner.connected(self, error: error)
            }
            phase = .busy
            owner.connected(self, error: nil)
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
        case .nothing: reclaimMemory()
        case .more, .endOfFile, .failed, .full:
            close()
            owner.closed(self)
        }
    }

    // MARK: responses

    public enum HeadEvent {
        case complete, waiting, endOfFile, failed
        case refused(HeadRefusal)
    }

    /// Reads on until a response's head is complete: `response` then holds it, its octets are ``headBytes``.
    public func readHead(for method: Method) -> HeadEvent {
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
                input.view, into: &message.head, method: method, limits: resources.limits.responseHead)
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

    /// The octets that the head's offsets count from. Valid until ``dropHead()``.
    public var headBytes: ByteView { input.view.upTo(response?.head.length ?? 0) }

    /// The head was used; what follows it in the input is the body, or the next head after a 1xx.
    public func dropHead() {
        guard let message = response else { preconditionFailure("no head to drop") }
        input.consume(message.head.length)
        resources.giveBack(message)
        response = nil
    }

    // MARK: between requests

    /// Looks whether octets lie behind the response that was just read: nobody asked for them, and the next request must
    /// not get them for its response. Costs a read only where the last one did not already tell.
    public func lookBehindResponse() {
        guard mayRead, input.isEmpty, incoming.isComplete else { return }
        if fill() == .nothing { input.clear() }
    }

    /// Whether the connection can carry another request, as far as it knows itself.
    public var isReusable: Bool {
        phase == .busy && failure == nil && !peerFinished && incoming.isComplete && input.isEmpty && output.isEmpty
            && outgoing == .none && pipe == nil
    }

    public func becomeIdle(owner: ConnectionOwner) {
        precondition(isReusable)
        phase = .idle
        served += 1
        self.owner = owner
        if let response {
            resources.giveBack(response)
            self.response = nil
        }
        reclaimMemory()
        resources.loop.setDeadline(self, resources.loop.now + resources.limits.upstreamIdle)
    }

    public func becomeBusy(owner: ConnectionOwner) {
        precondition(phase == .idle)
        phase = .busy
        self.owner = owner
        resources.loop.suspendDeadline(self)
    }

    public override func close() {
        phase = .closed
        if let response {
            resources.giveBack(response)
            self.response = nil
        }
        super.close()
    }

    public override func deadlinePassed(now: Instant) {
        guard phase == .idle else { return }
        close()
        owner.closed(self)
    }
}
