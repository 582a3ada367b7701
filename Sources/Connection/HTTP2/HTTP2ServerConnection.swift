import Core
import HTTP
import IO

/// A downstream HTTP/2 connection (RFC 9113): each of its streams is an exchange of its own, begun by
/// `acceptor.requestReceived(on:)`.
///
/// Owned by its worker's registry. Limits: those of ``HTTP2Limits``; heads must come within `headReceived`, the first one since
/// the connection was accepted; without streams it stays for `keepAliveIdle`.
public final class HTTP2ServerConnection: HTTP2Connection, DownstreamConnection {
    /// Stream objects that a connection keeps for the next requests.
    private static let keptStreams = 100

    public let origin: ConnectionOrigin
    public var registryIndex = -1
    public private(set) var isFresh = true
    private unowned(unsafe) let acceptor: ConnectionOwner
    private let terms: ConnectionTerms
    /// Requests that were begun.
    private var served: UInt32 = 0
    private var keepaliveAt = Instant.distantFuture
    private var keepaliveAsked: Instant
    private var keepaliveAnswerBy = Instant.distantFuture
    private var free: [HTTP2ServerStream] = []
    /// What others read before it was known that this is HTTP/2.
    private var received: ByteBuffer
    /// When the last stream ended.
    private var idleSince: Instant

    /// Takes over a descriptor that is registered with the loop, and what was read from it, the preface first. Begins with
    /// the next ``ready(_:)``, which the caller owes.
    public init(
        taking fd: CInt, tls: TLSChannel? = nil, received: consuming ByteBuffer, origin: ConnectionOrigin,
        acceptor: ConnectionOwner, resources: ConnectionResources
    ) {
        self.origin = origin
        terms = origin.terms ?? resources.terms
        keepaliveAsked = resources.loop.now
        self.acceptor = acceptor
        self.received = received
        idleSince = resources.loop.now
        super.init(
            adopting: OwnedFD(adopting: fd), tls: tls, side: .server, limits: terms.limits.forHTTP2,
            resources: resources)
        resources.loop.replace(descriptor, self)
        setKeepalive()
        arm()
        sendLater()
    }

    public override func ready(_ events: ReadyEvents) {
        if received.hasMemory {
            var first = ByteBuffer()
            swap(&first, &received)
            if phase == .open { super.received(first.view) }
            resources.buffers.reclaim(&first)
        }
        super.ready(events)
    }

    public var isIdle: Bool { phase == .open && session.lanes.isEmpty || phase == .lingering }
    public var isClosed: Bool { phase == .closed }

    // MARK: events

    override func take(_ event: HTTP2Event) {
        switch event {
        case .head(let lane):
            // Nobody begins what cannot be answered any more; its end comes among the events, or with the connection's.
            if phase == .open { lane._withUnsafeGuaranteedRef { begin($0) } }
        case .content(let lane, let data): stream(lane)?._withUnsafeGuaranteedRef { $0.wire.received(data, $0) }
        case .end(let lane): stream(lane)?._withUnsafeGuaranteedRef { $0.wire.news($0) }
        case .room(let lane):
            guard let stream = stream(lane) else {
                return lane._withUnsafeGuaranteedRef {
                    if $0.output.isEmpty { resources.buffers.reclaimBlock(&$0.output) }
                }
            }
            if stream._withUnsafeGuaranteedRef({ $0.wire.roomMade($0) }) {
                // What its owner does with it may end its life.
                let stream = stream.takeUnretainedValue()
                stream.owner.writable(stream)
            }
        case .closed(let lane, _):
            idleSince = resources.loop.now
            let stream = stream(lane)?.takeUnretainedValue()
            let lane = lane.takeRetainedValue()
            guard let stream else {
                resources.buffers.reclaimBlock(&lane.output)
                return session.giveBack(lane)
            }
            // The exchange is still under way: the client does not want it any more.
            stream.isGone = true
            stream.wire.broke(stream)
        case .goAway, .settings, .pingAnswered: break
        }
    }

    private func stream(_ lane: Unmanaged<HTTP2Lane>) -> Unmanaged<HTTP2ServerStream>? {
        lane._withUnsafeGuaranteedRef { $0.servedBy.map { .fromOpaque($0.toOpaque()) } }
    }

    private func begin(_ lane: HTTP2Lane) {
        isFresh = false
        served &+= 1
        if served >= terms.limits.requests { session.beginDrain(now: resources.loop.now) }
        let stream = free.popLast() ?? HTTP2ServerStream(self, acceptor: acceptor)
        stream.begin(lane)
    }

    override func tell(_ stream: MessageStream) {
        let stream = unsafeDowncast(stream, to: HTTP2ServerStream.self)
        stream.wire.isNoted = false
        guard stream.wire.place != nil else { return }
        stream.owner.readable(stream)
    }

    func streamIsFree(_ stream: HTTP2ServerStream) {
        // Streams hold their connection: one that is over keeps none.
        if free.count < Self.keptStreams, phase == .open { free.append(stream) }
    }

    override func releaseStreams() { free = [] }

    // MARK: deadlines

    override var sideDeadline: Instant { min(min(mainDeadline, durationDeadline), min(keepaliveAt, keepaliveAnswerBy)) }

    /// GOAWAY is said once.
    private var durationDeadline: Instant {
        session.isDraining ? .distantFuture : origin.acceptedAt + terms.limits.duration
    }

    private var mainDeadline: Instant {
        if session.isInsideHead { return session.headSince + terms.limits.headReceived }
        guard session.lanes.isEmpty else { return .distantFuture }
        if isFresh { return origin.acceptedAt + terms.limits.headReceived }
        return idleSince + terms.limits.keepAliveIdle
    }

    override func sideDeadlinePassed(now: Instant) {
        if now >= keepaliveAnswerBy {
            guard lastHeard > keepaliveAsked else { return lost() }
            keepaliveAnswerBy = .distantFuture
        }
        if now >= keepaliveAt, keepaliveAnswerBy < .distantFuture, lastHeard <= keepaliveAsked {
            // The last question is still open: a further one would put off its end.
            keepaliveAt = keepaliveAnswerBy
        } else if now >= keepaliveAt {
            keepaliveAsked = now
            keepaliveAnswerBy = now + terms.limits.http2Keepalive.timeout
            session.ping(0)
            setKeepalive()
        }
        if now >= durationDeadline { drain() }
        // A head that does not end holds all that comes behind it; there is no way to give up it alone.
        if phase == .open, now >= mainDeadline { terminate(session.isInsideHead ? .enhanceYourCalm : .noError) }
    }

    private func setKeepalive() {
        guard terms.limits.http2Keepalive.isOn else { return }
        // Chance enough to spread what was accepted together.
        let chance = UInt64(origin.peer.port) &* 0x9E37_79B9_7F4A_7C15 >> 16
        keepaliveAt = terms.limits.http2Keepalive.next(after: keepaliveAsked, heard: lastHeard, chance: chance)
    }

    // MARK: the end

    public func drain() {
        guard phase == .open else { return }
        session.beginDrain(now: resources.loop.now)
        sendLater()
        arm()
    }

    /// One GOAWAY instead of two: a request that is on its way is not served, and its sender is told so.
    public func makeWay() -> Bool {
        guard phase == .open, session.lanes.isEmpty else { return false }
        terminate(.noError)
        return true
    }

    public func cut() {
        guard phase == .open else { return phase == .lingering ? lost() : () }
        for lane in session.lanes {
            if let stream = stream(.passUnretained(lane))?.takeUnretainedValue() { stream.owner.cut(on: stream) }
        }
        terminate(.noError)
    }

    override func wasLost() {
        free = []
        acceptor.closed(self)
    }
}
