import Config
import Connection
import Core
import HTTP
import IO
import Telemetry
import Upstream

/// A second attempt while the first is slow: the same request to another endpoint. Whose response head comes first answers
/// the client, the other is given up. Owned by its exchange, which keeps the object for the next time.
///
///     idle ─▶ connecting ─▶ awaitingHead ─ head ─▶ taken over by the exchange ─▶ idle
///                 └─────────────┴─ failed, or the exchange does not want it any more ─▶ idle
final class Hedge: ConnectionOwner {
    private enum Phase: UInt8 { case idle, connecting, awaitingHead }

    private unowned(unsafe) let exchange: Exchange
    private var worker: Worker { exchange.worker }
    private var phase = Phase.idle
    private(set) var endpoint: Endpoint?
    private(set) var stream: ClientStream?
    private var permit: Breaker?
    private(set) var startedAt = Instant(nanoseconds: 0)
    /// When this attempt's own time is over.
    private(set) var attemptDeadline = Instant.distantFuture
    private(set) var sentBefore: UInt64 = 0
    private(set) var receivedBefore: UInt64 = 0
    /// Octets of the recorded body that were sent.
    private(set) var sent = 0
    private(set) var isSent = false

    init(of exchange: Exchange) {
        self.exchange = exchange
        super.init()
    }

    var isActive: Bool { phase != .idle }

    // MARK: beginning

    /// Asks `target` too.
    /// - Parameters:
    ///   - permit: the breaker whose permit was taken for it.
    ///   - timeout: of one attempt; zero: none.
    func begin(at target: Endpoint, _ permit: Breaker, timeout: TimeAmount) {
        precondition(phase == .idle, "a hedge is under way")
        self.permit = permit
        endpoint = target
        startedAt = worker.loop.now
        attemptDeadline = timeout > .zero ? startedAt + timeout : .distantFuture
        worker.liveState.requestBegan(target.slot)
        worker.statistics.increment(.upstreamRequestsNow)
        worker.statistics.increment(.hedges)
        if let stream = target.lease(for: self, version: exchange.clientVersion) {
            worker.statistics.increment(.upstreamReuses)
            return begin(on: stream)
        }
        phase = .connecting
        let limit = startedAt + (target.transport.connectTimeout ?? worker.limits.connect)
        worker.loop.setDeadline(self, min(limit, attemptDeadline))
        do throws(Errno) {
            try target.connect(for: self, version: exchange.clientVersion, preamble: exchange.preamble(to: target))
        } catch {
            fail(.connectFailed)
        }
    }

    private func begin(on stream: ClientStream) {
        guard let message = exchange.downstream?.request else { preconditionFailure("a hedge without its request") }
        self.stream = stream
        phase = .awaitingHead
        worker.loop.setDeadline(self, attemptDeadline)
        worker.resources.buffers.supply(&stream.output)
        exchange.writeRequestHead(to: &stream.output)
        stream.requestScheme = exchange.keptScheme
        sentBefore = stream.octetsSent
        receivedBefore = stream.octetsReceived
        stream.headWritten(framing: exchange.requestFraming(message))
        sent = 0
        isSent = false
        advance()
    }

    // MARK: events

    override func connected(_ stream: ClientStream) { begin(on: stream) }

    override func connectFailed(_ failure: ConnectFailure) {
        if case .timedOut = failure { return fail(.connectTimedOut) }
        fail(.connectFailed)
    }

    override func readable(_ connection: MessageStream) { advance() }
    override func writable(_ connection: MessageStream) { advance() }

    override func deadlinePassed(now: Instant) {
        guard phase != .idle else { return }
        fail(phase == .connecting && now < attemptDeadline ? .connectTimedOut : .timedOut)
    }

    private func advance() {
        guard phase == .awaitingHead, let stream else { return }
        if !isSent { send(on: stream) }
        if phase == .awaitingHead { receive(from: stream) }
    }

    /// The body was complete, and is kept, before the hedge began.
    private func send(on stream: ClientStream) {
        if let recorder = exchange.recorder {
            while sent < recorder.kept.count {
                sent += stream.write(body: recorder.kept.from(sent))
                if sent < recorder.kept.count { _ = stream.flush() }
                if stream.failure != nil {
                    // It may have answered first; what it said is still there to be read.
                    isSent = true
                    stream.mayRead = true
                    return
                }
                if sent < recorder.kept.count, !stream.mayWrite { return }
            }
        }
        if stream.outgoing != .none { stream.endBody() }
        guard stream.flush() else {
            if stream.failure != nil { fail(.reset) }
            return
        }
        isSent = true
    }

    private func receive(from stream: ClientStream) {
        guard let message = exchange.downstream?.request else { return }
        for _ in 0..<ExchangeLimits.interimsPerTurn {
            switch stream.readHead(for: message.head.method) {
            case .waiting: return
            case .endOfFile, .failed: return fail(stream.octetsSent == sentBefore ? .resetBeforeRequest : .reset)
            case .refused: return fail(.protocolError)
            case .complete:
                guard let response = stream.response else { preconditionFailure("a complete head is not there") }
                if response.head.status == 101 { return fail(.protocolError) }
                if response.head.status >= 200 { return exchange.headReceived(by: self, response) }
                // The client hears the first attempt's.
                stream.dropHead()
            }
        }
        worker.loop.again(stream)
    }

    // MARK: the end

    /// The exchange goes on with this attempt; whose stream it is, is the caller's to say.
    /// - Returns: the breaker whose permit goes with it.
    func giveOver() -> Breaker? {
        defer { permit = nil }
        worker.loop.clearDeadline(self)
        phase = .idle
        stream = nil
        endpoint = nil
        return permit
    }

    /// Nobody waits for it any more.
    func cancel() {
        if phase != .idle { end(.abandoned) }
    }

    /// Its response is not wanted, and counts as what it is.
    func discard(_ status: UInt16) { end(.response(status: status)) }

    private func fail(_ failure: AttemptFailure) {
        if failure.isConnecting, let endpoint { worker.statistics.upstreamConnectFailed(endpoint: endpoint.slot) }
        end(.failed(failure))
        exchange.hedgeFailed(failure)
    }

    private func end(_ outcome: AttemptEnd) {
        guard let endpoint else { preconditionFailure("a hedge without its endpoint") }
        worker.loop.clearDeadline(self)
        if phase == .connecting { endpoint.cancel(self) }
        phase = .idle
        stream?.close()
        stream = nil
        self.endpoint = nil
        worker.liveState.requestEnded(endpoint.slot)
        permit?.giveRequest()
        permit = nil
        worker.statistics.decrement(.upstreamRequestsNow)
        let duration = worker.loop.now - startedAt
        worker.statistics.upstreamRequestEnded(
            status: outcome.status, duration: duration, sent: 0, received: 0, endpoint: endpoint.slot)
        exchange.noteOutcome(AttemptOutcome(outcome), at: endpoint)
    }
}
