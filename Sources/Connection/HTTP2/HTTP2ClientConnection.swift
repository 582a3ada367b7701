import Core
import HTTP
import IO

/// An upstream HTTP/2 connection that carries many exchanges at once. Owned by its endpoint's pool.
///
/// The first request need not wait for the peer's settings. Limits: as many streams at once as the peer allows, and at most
/// `maxConcurrentStreams`; without streams it is closed after `upstreamIdle`.
public final class HTTP2ClientConnection: HTTP2Connection {
    private static let keptStreams = 100

    public let peer: SocketAddress
    /// What its requests say in `:scheme`.
    public let scheme: Scheme
    /// Lives at least as long as its connections: an endpoint that no configuration names any more goes with the last of them.
    private let pool: ConnectionOwner
    private var free: [HTTP2ClientStream] = []
    /// Streams that were given out and have no lane yet.
    private var reserved = 0
    /// Streams that were given out.
    public private(set) var served = 0
    private var idleSince: Instant
    private var isRetired = false
    let terms: UpstreamTerms
    private let madeAt: Instant
    private var keepaliveAt = Instant.distantFuture
    private var keepaliveAsked: Instant
    private var keepaliveAnswerBy = Instant.distantFuture

    /// Takes an established connection over. `pool` is told when lanes are free again, and when it is closed.
    public init(
        _ connector: Connector, scheme: Scheme, pool: ConnectionOwner, terms: UpstreamTerms = UpstreamTerms(),
        resources: ConnectionResources
    ) {
        peer = connector.peer
        self.scheme = scheme
        self.pool = pool
        self.terms = terms
        idleSince = resources.loop.now
        madeAt = idleSince
        keepaliveAsked = idleSince
        super.init(
            adopting: OwnedFD(adopting: connector.take()), tls: connector.channel, side: .client,
            limits: terms.http2Limits(resources), resources: resources)
        note(connector.events)
        resources.loop.replace(descriptor, self)
        setKeepalive()
        arm()
        sendLater()
    }

    // MARK: lanes

    /// Streams that can be opened now.
    public var freeLanes: Int {
        guard isReusable else { return 0 }
        let most = min(Int(session.peerMaxConcurrentStreams), Int(session.limits.maxConcurrentStreams))
        return max(0, most - session.lanes.count - reserved)
    }

    /// Whether it can carry further requests at all, now or when others are done.
    public var isReusable: Bool {
        phase == .open && !isRetired && UInt32(clamping: served) < terms.requests
            && resources.loop.now < madeAt + terms.duration && session.canOpen
    }
    public var isClosed: Bool { phase == .closed }
    /// Exchanges under way.
    public var lanesInUse: Int { session.lanes.count + reserved }

    /// A stream for one exchange; only while ``freeLanes`` says so.
    public func openStream(owner: ConnectionOwner) -> HTTP2ClientStream {
        precondition(freeLanes > 0, "a stream on a connection that has no lane free")
        let stream = free.popLast() ?? HTTP2ClientStream(self, owner: owner)
        stream.begin(owner: owner, served: served)
        served += 1
        reserved += 1
        return stream
    }

    /// A stream that was given out has a lane, or will never have one.
    func reservationEnded() { reserved -= 1 }

    func streamIsFree(_ stream: HTTP2ClientStream) {
        if free.count < Self.keptStreams, phase == .open { free.append(stream) }
        idleSince = resources.loop.now
        if phase == .open { pool.lanesFreed(self) }
    }

    // MARK: events

    override func take(_ event: HTTP2Event) {
        switch event {
        case .head(let lane):
            guard let stream = stream(lane) else { return }
            lane._withUnsafeGuaranteedRef { lane in stream._withUnsafeGuaranteedRef { $0.headsReceived(lane) } }
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
        case .closed(let lane, let code):
            let stream = stream(lane)?.takeUnretainedValue()
            let lane = lane.takeRetainedValue()
            guard let stream else {
                resources.buffers.reclaimBlock(&lane.output)
                return session.giveBack(lane)
            }
            // In order when the response is whole; the rest of a request may be unwanted all the same.
            if !lane.peerEnded || code != .noError || !lane.outputEnded { stream.wire.broke(stream) }
        case .settings: pool.lanesFreed(self)
        case .goAway, .pingAnswered: break
        }
    }

    private func stream(_ lane: Unmanaged<HTTP2Lane>) -> Unmanaged<HTTP2ClientStream>? {
        lane._withUnsafeGuaranteedRef { $0.servedBy.map { .fromOpaque($0.toOpaque()) } }
    }

    override func tell(_ stream: MessageStream) {
        let stream = unsafeDowncast(stream, to: HTTP2ClientStream.self)
        stream.wire.isNoted = false
        guard stream.isOpen || stream.failure != nil else { return }
        stream.owner.readable(stream)
    }

    // MARK: deadlines and the end

    override var sideDeadline: Instant { min(idleEnd, min(keepaliveAt, keepaliveAnswerBy)) }

    /// When it is closed, if nothing is on it.
    private var idleEnd: Instant {
        guard lanesInUse == 0 else { return .distantFuture }
        let idle = terms.idle(resources)
        return min(idle > .zero ? idleSince + idle : .distantFuture, madeAt + terms.duration)
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
            keepaliveAnswerBy = now + terms.http2Keepalive.timeout
            session.ping(0)
            setKeepalive()
        }
        guard now >= idleEnd else { return }
        retire()
        finish()
    }

    private func setKeepalive() {
        guard terms.http2Keepalive.isOn else { return }
        // Chance enough to spread what was made together.
        let chance = UInt64(bitPattern: keepaliveAsked.nanoseconds) &* 0x9E37_79B9_7F4A_7C15 >> 16
        keepaliveAt = terms.http2Keepalive.next(after: keepaliveAsked, heard: lastHeard, chance: chance)
    }

    /// Reads what has come, so that an end of which nobody has told yet is known. False: it cannot take a request now.
    public func confirm() -> Bool {
        ready(.anyForReading)
        return freeLanes > 0
    }

    /// Takes no further requests; closes when the last one is done.
    public func retire() {
        guard phase == .open, !isRetired else { return }
        isRetired = true
        session.beginDrain(now: resources.loop.now)
        sendLater()
    }

    /// Closes at once; exchanges on it break off.
    public func close() { lost() }

    override func becameIdle() {
        if reserved == 0, !isReusable { lost() }
    }

    override func releaseStreams() { free = [] }
    override var pingAfter: TimeAmount { resources.terms.limits.http2PingUpstream }

    override func wasLost() {
        free = []
        pool.closed(self)
    }
}
