import Config
import Connection
import Core
import HTTP
import IO
import Telemetry
import Upstream

/// Two attempts at once: the exchange leads the first, a ``Hedge`` the second, until one of them has a response's head.
extension Exchange {
    /// Sets when another endpoint is asked too, where a policy wants that: of idempotent requests alone, once each.
    func prepareHedge(_ message: RequestMessage) {
        guard let rule, !rule.pointee.traffic.isEmpty, message.head.method.isIdempotent,
            !message.head.upgradesToWebSocket, grpcWeb == nil, call?.endpoint == nil
        else { return }
        let delay = snapshot[rule.pointee.traffic, 0].pointee.hedgeDelay
        if delay > .zero { hedgeDeadline = worker.loop.now + delay }
    }

    /// The first attempt is slow.
    func startHedge() {
        hedgeDeadline = .distantFuture
        armDeadline()
        // What has not come from the client yet cannot be sent twice; nor is it the endpoint that is slow.
        guard phase == .connecting || phase == .awaitingHead && requestSent, phase == .awaitingHead || bodyIsKept,
            canSendAgain, let cluster, let target = cluster.next(tried: tried), target !== endpoint
        else { return }
        guard cluster.breaker.takeRequest(nil) else { return }
        guard retryBudget?.takeRetry(now: worker.loop.now) == true else {
            cluster.breaker.giveRequest()
            return worker.statistics.increment(.retryBudgetExhausted)
        }
        attempts += 1
        tried.add(target.key)
        let hedge = self.hedge ?? Hedge(of: self)
        self.hedge = hedge
        hedge.begin(at: target, cluster.breaker, timeout: rule?.pointee.backendRequestTimeout ?? .zero)
    }

    /// While the first attempt still connects, nothing of a body was read; only a request without one can be sent elsewhere.
    private var bodyIsKept: Bool { downstream?.request.map { $0.head.framing == .none } ?? false }

    /// The first attempt came to nothing; true: the second is under way, and its outcome is awaited.
    func hedgeGoesOn() -> Bool {
        guard let hedge, hedge.isActive else { return false }
        phase = .awaitingHead
        attemptDeadline = .distantFuture
        connectDeadline = .distantFuture
        armDeadline()
        return true
    }

    /// The first attempt is still there.
    private var firstGoesOn: Bool { phase == .connecting || phase == .awaitingHead && upstream != nil }

    /// A hedge has a response. One that would be asked for again does not win while the first attempt may do better.
    func headReceived(by hedge: Hedge, _ response: ResponseMessage) {
        guard let stream = hedge.stream, let winner = hedge.endpoint else {
            preconditionFailure("a hedge without stream")
        }
        let status = response.head.status
        if firstGoesOn {
            if isRetriable(status) { return hedge.discard(status) }
            dropUpstream()
            endAttempt(.abandoned)
        }
        worker.statistics.increment(.hedgesWon)
        endpoint = winner
        upstream = stream
        stream.owner = self
        attemptStarted = hedge.startedAt
        attemptDeadline = hedge.attemptDeadline
        connectDeadline = .distantFuture
        sentBefore = hedge.sentBefore
        receivedBefore = hedge.receivedBefore
        requestSent = hedge.isSent
        sendingHasFailed = false
        replayed = hedge.sent
        permit = hedge.giveOver()
        phase = .awaitingHead
        armDeadline()
        guard let downstream, let message = downstream.request else { return }
        responseReceived(response, from: stream, to: downstream, message)
    }

    /// A hedge came to nothing; where the first attempt did before it, that is the request's end, or a retry's beginning.
    func hedgeFailed(_ failure: AttemptFailure) {
        guard phase == .awaitingHead, upstream == nil, !retries(failure), !isHandedOnAfterLoss(nothingSent: false)
        else {
            return
        }
        answer(503, .upstreamConnectionTermination, "no endpoint has answered")
    }

    /// The response is found, or there will be none.
    func endHedge() {
        hedgeDeadline = .distantFuture
        hedge?.cancel()
    }
}
