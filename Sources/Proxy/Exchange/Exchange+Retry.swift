import Config
import Connection
import Core
import HTTP
import IO
import Routing
import Telemetry
import Upstream

/// What becomes of an attempt that failed: sent again on another connection, to another endpoint, after a while; or the end.
///
/// Three reasons, from the one that is always right to the one that must be asked for:
/// 1. No connection could be made: other endpoints are tried at once, whatever the method; nothing was sent.
/// 2. A connection that had served before died under an idempotent request, or before anything of it was sent: the same
///    endpoint, once, on a new connection.
/// 3. The rule's retries, whatever the method, since somebody wrote them: after a back-off, another endpoint where there is
///    one, as long as there is a budget, the request can be repeated, and its time is not over.
extension Exchange {
    // MARK: without a response

    func connectFailed(_ failed: Endpoint, timedOut: Bool = false) {
        worker.statistics.upstreamConnectFailed(endpoint: failed.slot)
        let failure: AttemptFailure = timedOut ? .connectTimedOut : .connectFailed
        endAttempt(.failed(failure))
        if hedgeGoesOn() { return }
        connectFailures += 1
        let choices = min(cluster?.endpoints.count ?? 0, ExchangeLimits.connectAttempts)
        if connectFailures < choices { return attempt() }
        if retries(failure) || handOn(.unreachable) || returnsToLocal() { return }
        if timedOut { return answerConnectTimeout() }
        answer(503, .upstreamConnectionFailure, "no connection to the backend could be made")
    }

    /// The connection ended before a whole response head.
    func upstreamLost() {
        guard let upstream, let head = downstream?.request else { return }
        // An interim response counts: the client may have it already.
        let hasBegun = upstream.octetsReceived != receivedBefore
        let wasReused = upstream.served > 0
        let nothingSent = upstream.octetsSent == sentBefore || !upstream.mayHaveBeenProcessed
        let failure: AttemptFailure =
            if hasBegun { .responseBroken } else if !upstream.mayHaveBeenProcessed {
                .refusedStream
            } else { nothingSent ? .resetBeforeRequest : .reset }
        dropUpstream()
        // A connection that was idle may have been closed by its peer as the request was on its way (RFC 9112, 9.3.1).
        if wasReused, !hasBegun, !replayedOnFresh, canSendAgain, head.head.method.isIdempotent || nothingSent {
            // That says nothing of the endpoint.
            endAttempt(.abandoned)
            replayedOnFresh = true
            worker.statistics.increment(.upstreamReplays)
            return attempt(fresh: true)
        }
        endAttempt(.failed(failure))
        if hedgeGoesOn() || retries(failure) { return }
        if !hasBegun, isHandedOnAfterLoss(nothingSent: nothingSent) { return }
        answer(503, .upstreamConnectionTermination, "the backend closed the connection before it answered")
    }

    /// What came is no HTTP.
    func responseRefused(_ reason: StaticString) {
        if hedge?.isActive == true || retriesLeft > 0 && rule?.pointee.retry.triggers.cover(.protocolError) == true {
            dropUpstream()
            endAttempt(.failed(.protocolError))
            if hedgeGoesOn() || retries(.protocolError) { return }
            return answer(502, .upstreamProtocolError, reason)
        }
        failed(status: 502, .upstreamProtocolError, reason)
    }

    /// Whether the request, as far as it has been received, could be sent once more.
    var canSendAgain: Bool {
        guard downstream?.request != nil else { return false }
        return requestBody == 0 || recorder?.isWhole == true
    }

    /// To be called when an attempt without a response is over and given up. True: another one follows.
    func retries(_ failure: AttemptFailure) -> Bool {
        guard retriesLeft > 0, failure != .responseBroken, let rule, rule.pointee.retry.triggers.cover(failure),
            canSendAgain, let pause = takeRetry()
        else { return false }
        worker.statistics.increment(
            failure == .timedOut ? .retriesOfTimeouts : failure.isConnecting ? .retriesOfConnects : .retriesOfResets)
        backOff(pause)
        return true
    }

    func failed(status: UInt16, _ reason: ReasonCode, _ text: StaticString) {
        failed(status: status, reason, ByteView(text))
    }

    /// The exchange cannot go on: an answer of our own if none has begun, else the response is broken off.
    func failed(status: UInt16, _ reason: ReasonCode, _ text: ByteView) {
        switch phase {
        case .relaying, .tunnel: abandon(reason)
        case .answering, .over: abandon(reason)
        case .routing, .admitting, .resolving, .connecting, .awaitingHead, .backingOff, .queued:
            let hadAttempt = upstream != nil || phase == .connecting
            dropUpstream()
            if hadAttempt { endAttempt(outcome(of: reason)) }
            answer(status, reason, text)
        }
    }

    // MARK: a response that is not wanted

    /// Asks again where a policy wants that of this response. True: another attempt follows, and the response is gone.
    func retries(_ response: ResponseMessage, from upstream: ClientStream) -> Bool {
        guard let rule else { return false }
        let triggers = rule.pointee.retry.triggers
        let status = response.head.status
        let grpcStatus = triggers.isDisjoint(with: .grpc) ? nil : Self.grpcStatus(response, upstream.headBytes)
        let isByStatus = isRetriable(status)
        guard isByStatus || grpcStatus.map({ triggers.cover(grpcStatus: $0) }) == true else { return false }
        let outcome = AttemptEnd.response(status: status, grpcStatus: grpcStatus.map { Int8(clamping: $0) } ?? -1)
        if hedge?.isActive == true {
            discard(response, on: upstream)
            endAttempt(outcome)
            return hedgeGoesOn()
        }
        // The last one is the client's.
        guard retriesLeft > 0, canSendAgain else {
            if retriesMade > 0 { reason = .upstreamRetryLimitExceeded }
            return false
        }
        guard let wait = askedWait(response, upstream.headBytes), let pause = takeRetry(after: wait) else {
            return false
        }
        worker.statistics.increment(isByStatus ? .retriesOfStatuses : .retriesOfGRPCStatuses)
        discard(response, on: upstream)
        endAttempt(outcome)
        backOff(pause)
        return true
    }

    /// Whether the policy asks again for a response of this status.
    func isRetriable(_ status: UInt16) -> Bool {
        guard let retry = rule?.pointee.retry else { return false }
        return retry.triggers.cover(status: status, isListed: isListed(status, retry.codes))
    }

    private func isListed(_ status: UInt16, _ codes: Table<UInt16>) -> Bool {
        for i in 0..<Int(codes.count) where snapshot[codes, i].pointee == status { return true }
        return false
    }

    /// Of a call whose response is its head alone (gRPC over HTTP/2, "Trailers-Only").
    private static func grpcStatus(_ response: ResponseMessage, _ bytes: ByteView) -> UInt64? {
        guard let place = response.head.fields.firstIndex(named: ByteView("grpc-status"), in: bytes) else { return nil }
        return response.head.fields[place].value(in: bytes).decimal
    }

    /// How long the endpoint wants to be left alone (`Retry-After` of 503 and 429; RFC 9110, section 10.2.3).
    /// Nil: longer than we would hold a request for; the client may wait itself.
    private func askedWait(_ response: ResponseMessage, _ bytes: ByteView) -> TimeAmount? {
        guard response.head.status == 503 || response.head.status == 429,
            let line = response.head.fields.first(.retryAfter),
            let wait = RetryAfter.parse(line.value(in: bytes), unixSeconds: worker.loop.wallNow / 1_000_000_000)
        else { return .zero }
        return wait <= ExchangeLimits.longestRetryAfter ? wait : nil
    }

    /// A response that is all there leaves its connection for the next; otherwise the connection goes with it.
    private func discard(_ response: ResponseMessage, on upstream: ClientStream) {
        let persists = response.head.persistence == .keepAlive && requestSent
        upstream.dropHead()
        reading: while persists {
            switch upstream.incoming.next(&upstream.input) {
            case .data(let run):
                upstream.incoming.consume(run.count, from: &upstream.input)
                upstream.contentTaken(run.count)
            case .complete:
                upstream.release(keeps: true)
                self.upstream = nil
                return
            case .needMore, .refused: break reading
            }
        }
        dropUpstream()
    }

    // MARK: the next attempt

    /// Takes a retry out of the number that the policy allows and out of the backend's budget.
    /// - Parameter wait: at least; what the endpoint asks for. Where that would be too late, its answer is the better one.
    /// - Returns: how long to wait before it; nil when there is none. A back-off of our own that lasts past the deadline ends
    ///   there, with 504: the answer must not depend on chance (Gateway API, HTTPRouteTimeouts.request).
    private func takeRetry(after wait: TimeAmount = .zero) -> TimeAmount? {
        guard let rule, let budget = retryBudget else { return nil }
        let drawn = rule.pointee.retry.backOff.pause(before: retriesMade, using: &worker.random)
        let pause = max(max(drawn, wait), ExchangeLimits.leastBackoff)
        guard wait == .zero || worker.loop.now + wait < min(requestDeadline, streamDeadline) else { return nil }
        guard takeRetryPermit() else { return nil }
        // A budget that somebody has written is in the place of ours.
        guard cluster?.breaker.writtenRetryLimit != nil || budget.takeRetry(now: worker.loop.now) else {
            giveRetryPermitBack()
            worker.statistics.increment(.retryBudgetExhausted)
            return nil
        }
        return pause
    }

    /// Common to all workers, and to all rules that use the backend under the same policy.
    var retryBudget: RetryBudget? {
        guard let backend, backend.pointee.cluster != BackendConfig.invalid else { return nil }
        let config = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)]
        return worker.liveState.retryBudget(config.pointee.slot)
    }

    /// Never within the failing attempt's call: an endpoint that refuses on the spot would pile up as many calls as there are
    /// retries.
    private func backOff(_ pause: TimeAmount) {
        retriesLeft -= 1
        retriesMade += 1
        worker.statistics.increment(.upstreamRetries)
        phase = .backingOff
        connectDeadline = .distantFuture
        attemptDeadline = worker.loop.now + pause
        armDeadline()
    }
}
