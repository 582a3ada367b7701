import Core
import IO

/// One connection that the guard has accepted in the family's place, and its connection to a central gateway.
///
///     connecting ─ one answers ─▶ relaying ─ both ends passed on, a reset, idle, cut ─▶ over
///         └─ none answers ─▶ over
///
/// Owned by the ``Guard``. Half-closing is passed on, and a reset of one side becomes a reset of the other.
final class GuardRelay: Timed {
    private enum Phase { case connecting, relaying, over }

    private let owner: Guard
    /// From where it came.
    let peer: IPAddress
    /// Its place among the guard's relays; theirs alone.
    var index = -1
    private var phase = Phase.connecting
    private var client: RelaySide?
    private var central: RelaySide?
    /// Those that were not asked yet, the next one last.
    private var candidates: [SocketAddress]
    private var asked: SocketAddress?
    private var preamble: [UInt8]
    private var up = RelayFlow()
    private var down = RelayFlow()
    private var lastMoved: Instant
    /// When it ends in any case.
    private var endsAt = Instant.distantFuture

    /// - Parameters:
    ///   - candidates: central gateways in the order in which to ask.
    ///   - preamble: what goes out first; empty: nothing.
    init(
        _ fd: consuming OwnedFD, from peer: IPAddress, candidates: [SocketAddress], preamble: [UInt8], owner: Guard
    ) {
        self.owner = owner
        self.peer = peer
        self.candidates = candidates.reversed()
        self.preamble = preamble
        lastMoved = owner.loop.now
        super.init()
        client = RelaySide(fd, of: self, in: owner.loop)
    }

    /// Begins, once the guard knows it.
    func begin() { connect() }

    private func connect() {
        while let next = candidates.popLast() {
            do throws(Errno) {
                central = RelaySide(try Socket.connect(next), of: self, in: owner.loop)
                asked = next
                owner.loop.setDeadline(self, owner.loop.now + GuardLimits.connect)
                return
            } catch {
                owner.couldNotConnect(next, error.description)
            }
        }
        owner.foundNoCentral()
        end(abruptly: false)
    }

    private func connectFailed(_ reason: String) {
        guard let asked, let central else { preconditionFailure("no connection was being made") }
        central.close(owner.loop, abruptly: false)
        self.central = nil
        owner.couldNotConnect(asked, reason)
        connect()
    }

    func sideIsReady(_ side: RelaySide, _ events: ReadyEvents) {
        switch phase {
        case .connecting:
            if side === central {
                guard events.has(.anyForWriting) else { return }
                if let error = Socket.pendingError(side.fd) { return connectFailed(error.description) }
                connected(side)
            } else if events.has(.anyLoss) {
                // The client has not waited. (Its FIN alone says nothing: it may still listen.)
                end(abruptly: true)
            }
        case .relaying: advance()
        case .over: break
        }
    }

    private func connected(_ side: RelaySide) {
        guard let asked else { preconditionFailure("a connection to nowhere") }
        // A fresh socket takes these few octets at once; one that does not is none that is worth waiting for.
        let isTold = preamble.isEmpty || preamble.withView { SystemCalls.send(side.fd, $0) } == .octets(preamble.count)
        guard isTold else { return connectFailed("it did not take the PROXY header") }
        preamble = []
        phase = .relaying
        owner.connected(asked)
        candidates = []
        noteMoved()
        advance()
    }

    private func advance() {
        guard let client, let central else { preconditionFailure("a relay without sides") }
        let before = up.octets &+ down.octets
        let rising = up.run(from: client, to: central, owner.pipes)
        let falling = down.run(from: central, to: client, owner.pipes)
        if up.octets &+ down.octets != before || up.hasEnded || down.hasEnded { noteMoved() }
        switch (rising, falling) {
        case (.ended, .ended): end(abruptly: false)
        case (_, .broken): end(abruptly: true)
        // What the other side said last is passed on first: it may be why it takes no more.
        case (.broken, .ended): end(abruptly: true)
        case (.broken, .unfinished), (.unfinished, _), (_, .unfinished): owner.loop.again(client)
        case (.broken, _): end(abruptly: true)
        case (.starved, _), (_, .starved): owner.starved(self)
        case (.waiting, _), (.ended, .waiting): break
        }
    }

    /// There may be a pipe now.
    func resume() { if phase == .relaying { advance() } }

    // MARK: time

    /// How long nothing may move.
    private var patience: TimeAmount { up.hasEnded || down.hasEnded ? GuardLimits.halfClosed : GuardLimits.idle }

    private func noteMoved() {
        lastMoved = owner.loop.now
        owner.loop.setDeadline(self, min(lastMoved + patience, endsAt))
    }

    /// It may go on for so long from now.
    func mayLast(_ amount: TimeAmount) {
        endsAt = min(endsAt, owner.loop.now + amount)
        if phase == .relaying { owner.loop.setDeadline(self, min(lastMoved + patience, endsAt)) }
    }

    /// It ends in the ordinary way some day.
    func mayStay() {
        endsAt = .distantFuture
        if phase == .relaying { owner.loop.setDeadline(self, lastMoved + patience) }
    }

    override func deadlinePassed(now: Instant) {
        switch phase {
        case .connecting: connectFailed("it does not answer")
        case .relaying: end(abruptly: true)
        case .over: break
        }
    }

    func cut() { if phase != .over { end(abruptly: true) } }

    private func end(abruptly: Bool) {
        precondition(phase != .over, "a relay ends once")
        phase = .over
        owner.loop.clearDeadline(self)
        up.release(owner.pipes)
        down.release(owner.pipes)
        client?.close(owner.loop, abruptly: abruptly)
        central?.close(owner.loop, abruptly: abruptly)
        owner.ended(self)
    }
}
