import Core
import Glibc
import HTTP
import IO

/// What both sides of HTTP/2 share: a socket, a session, and when octets move between the two.
///
///     open ─ nothing more to say ─▶ lingering ─▶ closed
///
/// What is read is given to the session at once, from a borrowed block; what all streams have to send is gathered and sent once
/// at the end of the loop's turn. So an idle connection holds no buffer: the session alone, with its tables of HPACK.
open class HTTP2Connection: EventSource {
    enum Phase: UInt8 { case open, lingering, closed }

    /// Reads in one turn before others have theirs.
    static let readsPerTurn = 8
    /// Sends in one turn of the loop, of a block each.
    static let sendsPerTurn = 8
    /// What one send gathers: with a frame more it still fits one block.
    static let gathered = 16 * 1024

    public final let resources: ConnectionResources
    public final let session: HTTP2Session
    final var phase = Phase.open
    private var wire: HTTP2Wire
    /// Frames that the socket has not taken yet.
    private var output = ByteBuffer()
    /// Streams whose owners are to be told when all that was received is taken.
    private var news: [MessageStream] = []
    private var emptyNews: [MessageStream] = []
    private var isListed = false
    /// When something last came from the peer.
    private(set) final var lastHeard: Instant
    /// When the memory that only a busy connection needs is given up.
    private var memoryDeadline = Instant.distantFuture
    /// When the last word must have been sent.
    private var endsAt = Instant.distantFuture
    private var pingSent = Instant.distantFuture

    init(
        adopting fd: consuming OwnedFD, tls: TLSChannel?, side: HTTP2Session.Side, limits: HTTP2Limits,
        resources: ConnectionResources
    ) {
        self.resources = resources
        wire = HTTP2Wire(adopting: fd, tls: tls)
        lastHeard = resources.loop.now
        session = HTTP2Session(side: side, limits: limits, library: resources.http2, now: resources.loop.now)
    }

    /// The descriptor, for the loop.
    final var descriptor: CInt { wire.fd }

    /// Nil: clear text.
    public final var tls: TLSChannel? { wire.tls }

    // MARK: for the two sides

    func take(_ event: HTTP2Event) {}
    /// The connection is closed: its streams, then its keeper, are told.
    func wasLost() {}
    /// When the side itself has something to do.
    var sideDeadline: Instant { .distantFuture }
    func sideDeadlinePassed(now: Instant) {}
    /// No stream is left.
    func becameIdle() {}
    /// None was there for a while: stream objects go.
    func releaseStreams() {}
    /// How long the peer may be silent while streams are open.
    var pingAfter: TimeAmount { resources.terms.limits.http2Ping }

    // MARK: the socket

    public override func ready(_ events: ReadyEvents) {
        wire.note(events)
        switch phase {
        case .open:
            read()
            if phase == .open { sendLater() }
        case .lingering: linger()
        case .closed: break
        }
    }

    final func note(_ events: ReadyEvents) { wire.note(events) }

    private func read() {
        var reads = 0
        while phase == .open, wire.mayRead {
            if reads == Self.readsPerTurn { return resources.loop.again(self) }
            reads += 1
            var input = ByteBuffer()
            resources.buffers.supply(&input)
            let result = wire.receive(into: &input, &resources.buffers)
            if case .octets = result { received(input.view) }
            resources.buffers.reclaim(&input)
            switch result {
            case .octets, .wouldBlock: break
            case .endOfFile, .failed: return lost()
            }
        }
    }

    /// Takes octets that the peer sent; also those that were read before it was known what they are.
    final func received(_ octets: ByteView) {
        lastHeard = resources.loop.now
        pingSent = .distantFuture
        session.receive(octets, now: resources.loop.now)
        takeEvents()
        arm()
    }

    private func takeEvents() {
        while let event = session.nextEvent() { take(event) }
        guard !news.isEmpty else { return }
        // The two lists change places, so that neither is copied or made anew.
        var told: [MessageStream] = []
        swap(&told, &emptyNews)
        swap(&told, &news)
        // By index: an iterator is an object in builds without optimisation, where tests count.
        for index in told.indices { tell(told[index]) }
        told.removeAll(keepingCapacity: true)
        swap(&told, &emptyNews)
    }

    /// The stream's owner is told once, however much has come.
    final func noteNews(_ stream: MessageStream) { news.append(stream) }

    /// The side's: whom to tell.
    func tell(_ stream: MessageStream) {}

    // MARK: sending

    /// Something was given to the session: it goes out at the end of the turn.
    final func sendLater() {
        guard !isListed, phase == .open else { return }
        isListed = true
        resources.sendAtEndOfTurn(self)
    }

    /// The turn is over.
    final func sendNow() {
        // Whoever writes while this runs need not list it again.
        isListed = true
        send()
        isListed = false
    }

    final func sendNextTurn() {
        isListed = false
        resources.loop.again(self)
    }

    private func send() {
        var sends = 0
        if wire.mayWrite, wire.push() != nil { return lost() }
        while phase == .open {
            if output.isEmpty {
                resources.buffers.supply(&output)
                output.clear()
                session.produce(into: &output, upTo: Self.gathered, now: resources.loop.now)
                takeEvents()
                guard phase == .open else { return }
                if output.isEmpty { break }
            }
            guard wire.mayWrite else { return arm() }
            if sends == Self.sendsPerTurn { return resources.loop.again(self) }
            sends += 1
            switch wire.send(output.view, &resources.buffers) {
            case .octets(let count): output.consume(count)
            case .wouldBlock, .endOfFile: break
            case .failed: return lost()
            }
        }
        guard phase == .open else { return }
        resources.buffers.reclaim(&output)
        if session.isOver {
            // Our FIN would cut what the socket has not taken yet.
            if wire.isHolding { return arm() }
            return closeGently()
        }
        if session.lanes.isEmpty {
            if memoryDeadline == .distantFuture { memoryDeadline = resources.loop.now + ConnectionLimits.http2Release }
            becameIdle()
            guard phase == .open else { return }
        }
        arm()
    }

    // MARK: deadlines

    final func arm() {
        guard phase == .open else { return }
        if endsAt < .distantFuture { return resources.loop.setDeadline(self, endsAt) }
        var nearest = min(min(sideDeadline, session.deadline), memoryDeadline)
        if !session.lanes.isEmpty { nearest = min(nearest, resources.loop.now + ConnectionLimits.http2Watch) }
        // A deadline that is set again while it is past would come up in this very turn, and again.
        resources.loop.setDeadline(self, max(nearest, resources.loop.now + .milliseconds(1)))
    }

    public override func deadlinePassed(now: Instant) {
        switch phase {
        case .lingering: lost()
        case .closed: break
        case .open:
            if now >= endsAt { return lost() }
            session.tick(now: now)
            if !session.lanes.isEmpty { watch(now) }
            if now >= memoryDeadline { releaseMemory() }
            if phase == .open, now >= sideDeadline { sideDeadlinePassed(now: now) }
            guard phase == .open else { return }
            sendLater()
            arm()
        }
    }

    private func releaseMemory() {
        memoryDeadline = .distantFuture
        guard session.lanes.isEmpty, news.isEmpty else { return }
        news = []
        emptyNews = []
        session.releaseMemory()
        wire.reclaim(&resources.buffers)
        releaseStreams()
    }

    /// While streams are open: whether the peer still gives windows, and whether it is there at all (RFC 9113, section 6.7).
    private func watch(_ now: Instant) {
        session.reapStalled(now: now, after: resources.terms.limits.streamIdle)
        if pingSent < .distantFuture {
            if now >= pingSent + resources.terms.limits.http2PingAnswer { lost() }
        } else if now >= lastHeard + pingAfter {
            pingSent = now
            session.ping(0)
        }
    }

    // MARK: the end

    /// All is said: our FIN, then whatever still comes is dropped for a while, so that no reset destroys what was sent.
    private func closeGently() {
        phase = .lingering
        endStreams()
        wire.finishSending()
        resources.loop.setDeadline(self, resources.loop.now + resources.terms.limits.lingering)
        linger()
    }

    private func linger() {
        var reads = 0
        while phase == .lingering, wire.mayRead {
            // Somebody who sends on and on is not worth more turns than that.
            if reads == Self.readsPerTurn * 8 { return lost() }
            reads += 1
            var input = ByteBuffer()
            resources.buffers.supply(&input)
            let result = wire.receive(into: &input, &resources.buffers)
            resources.buffers.reclaim(&input)
            switch result {
            case .octets, .wouldBlock: break
            case .endOfFile, .failed: return lost()
            }
        }
    }

    /// The connection is over: closed, streams and keeper told.
    final func lost() {
        guard phase != .closed else { return }
        phase = .closed
        wire.close(self, resources)
        resources.buffers.reclaim(&output)
        endStreams()
        wasLost()
    }

    /// Streams that are still open break off.
    private func endStreams() {
        for lane in session.lanes {
            guard let stream = lane.owner else { continue }
            let broken = unsafeDowncast(stream, to: MessageStream.self)
            broken.failure = Errno(ECONNRESET)
            broken.isGone = true
            broken.mayRead = true
            news.append(broken)
        }
        let told = news
        news = []
        for stream in told { tell(stream) }
    }

    /// What is to be said last is in the session: the peer has a while to take it.
    final func finish() {
        guard phase == .open else { return }
        endsAt = resources.loop.now + resources.terms.limits.lingering
        arm()
        sendLater()
    }

    /// Says GOAWAY with this code as far as the socket takes it, and closes.
    final func terminate(_ code: HTTP2ErrorCode) {
        guard phase == .open else { return }
        session.terminate(code)
        finish()
    }
}
