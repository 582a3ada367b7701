import Config
import Connection
import Core
import Glibc
import HTTP
import IO
import Telemetry
import Upstream

/// The way up: endpoints, connections, sending the request, and sending it again.
extension Exchange {
    /// Sees to it that what must see the body will: a mirror, or the memory for another attempt.
    func prepareBody(_ message: RequestMessage) {
        guard let rule, let backend else { return }
        let hasBody = message.head.framing != .none
        if !rule.pointee.filters.mirrors.isEmpty || !backend.pointee.filters.mirrors.isEmpty {
            startMirrors(rule.pointee.filters, backend.pointee.filters, hasBody: hasBody)
        }
        // An idempotent request is also sent again when a reused connection turns out dead.
        if hasBody, retriesLeft > 0 || message.head.method.isIdempotent, !message.head.upgradesToWebSocket {
            tapForBody().keepsForReplay = true
        }
    }

    func tapForBody() -> BodyRecorder {
        if let recorder { return recorder }
        let made = BodyRecorder()
        recorder = made
        return made
    }

    /// Chooses an endpoint and sends the request there.
    /// - Parameter fresh: not on a connection that has served before.
    func attempt(fresh: Bool = false) {
        attemptDeadline = .distantFuture
        // A replay goes to the endpoint whose connection died: it is the connection that was stale.
        guard
            let target = fresh
                ? endpoint : probation ?? cluster?.next(avoiding: attempts > 0 ? endpoint : nil)
        else {
            return answer(503, .noHealthyUpstream, "no endpoint is ready")
        }
        endpoint = target
        attempts += 1
        attemptStarted = worker.loop.now
        if let timeout = rule?.pointee.backendRequestTimeout, timeout > .zero {
            attemptDeadline = attemptStarted + timeout
        }
        worker.liveState.requestBegan(target.slot)
        worker.statistics.increment(.upstreamRequestsNow)
        if !fresh, let stream = target.lease(for: self) {
            worker.statistics.increment(.upstreamReuses)
            upstream = stream
            phase = .awaitingHead
            // Always: a backoff or a connection's deadline that has just fired was the only one that was set.
            armDeadline()
            sendHead(on: stream)
            return advance()
        }
        phase = .connecting
        attemptDeadline = min(attemptDeadline, attemptStarted + worker.limits.connect)
        armDeadline()
        do throws(Errno) {
            try connect(to: target, fresh: fresh)
        } catch {
            connectFailed(target)
        }
    }

    /// An endpoint that a first attempt is to find out about.
    private var probation: Endpoint? {
        guard attempts == 0, let cluster, let outliers = cluster.outliers else { return nil }
        return outliers.probation(of: cluster.endpoints)
    }

    /// Where no descriptor is left, the connections that nobody uses go first.
    private func connect(to target: Endpoint, fresh: Bool) throws(Errno) {
        do throws(Errno) {
            try target.connect(for: self, alone: fresh, preamble: preamble(to: target))
        } catch {
            guard error.code == EMFILE || error.code == ENFILE else { throw error }
            worker.clusters.closeIdle()
            try target.connect(for: self, alone: fresh, preamble: preamble(to: target))
        }
    }

    private func preamble(to target: Endpoint) -> ByteBuffer {
        guard let downstream else { return ByteBuffer() }
        return target.transport.preamble(
            for: downstream.origin, localAddress: downstream.localAddress, to: target.address)
    }

    func begin(on stream: ClientStream) {
        precondition(phase == .connecting, "a stream that nobody waits for")
        upstream = stream
        attemptDeadline = .distantFuture
        if let timeout = rule?.pointee.backendRequestTimeout, timeout > .zero {
            attemptDeadline = attemptStarted + timeout
        }
        phase = .awaitingHead
        sendHead(on: stream)
        advance()
    }

    /// Nothing of the request was sent, so another endpoint may have it whatever its method (RFC 9110, section 9.2.2).
    func connectFailed(_ failed: Endpoint, timedOut: Bool = false) {
        worker.statistics.upstreamConnectFailed(endpoint: failed.slot)
        endAttempt(status: 0, .localOrigin)
        connectFailures += 1
        let choices = min(cluster?.endpoints.count ?? 0, ExchangeLimits.connectAttempts)
        if connectFailures < choices { return attempt() }
        if retriesLeft > 0 { return retry() }
        if timedOut { return answer(504, .upstreamTimeout, "no connection to the backend could be made in time") }
        answer(503, .upstreamConnectionFailure, "no connection to the backend could be made")
    }

    private func sendHead(on connection: ClientStream) {
        guard let message = downstream?.request else { preconditionFailure("a request without its head") }
        worker.resources.buffers.supply(&connection.output)
        writeRequestHead(to: &connection.output)
        connection.requestScheme = keptScheme
        sentBefore = connection.octetsSent
        receivedBefore = connection.octetsReceived
        requestSent = false
        sendingHasFailed = false
        replayed = 0
        connection.headWritten(framing: requestFraming(message))
    }

    /// Hands on what the client has sent, as far as the endpoint takes it.
    func sendRequest() {
        guard let downstream, let upstream else { return }
        if let recorder, !replay(recorder, to: upstream) { return }
        guard let allowance = allowance(.request) else { return }
        let before = requestBody
        let progress =
            if let body = grpcWeb?.request {
                Relay.run(from: downstream, to: upstream, through: body, moved: &requestBody, tap: recorder)
            } else {
                Relay.run(
                    from: downstream, to: upstream, moved: &requestBody, tap: recorder, limit: allowance)
            }
        charge(.request, requestBody &- before)
        // What was recorded just now was sent just now.
        if let recorder { replayed = recorder.kept.count }
        switch progress {
        case .complete:
            requestSent = true
            recorder?.ended()
        case .waiting: break
        case .unfinished: worker.loop.again(downstream)
        case .sourceFailed: abandon(.downstreamTermination)
        case .sourceRefused(let refusal):
            downstream.closesAfterResponse = true
            failed(status: refusal.status, .downstreamProtocolError, refusal.reason)
        case .contentRefused:
            downstream.closesAfterResponse = true
            failed(status: 400, .downstreamProtocolError, "the body is not base64")
        case .sinkFailed: sendingFailed()
        }
        if requestBody != before { lastProgress = worker.loop.now }
    }

    /// Sends what an earlier attempt had of the body. True: all of it is on its way.
    private func replay(_ recorder: BodyRecorder, to upstream: ClientStream) -> Bool {
        while replayed < recorder.kept.count {
            replayed += upstream.write(body: recorder.kept.from(replayed))
            // A chunk is bounded by one block. No event would tell that there is room for the next: it must be made now.
            if replayed < recorder.kept.count { _ = upstream.flush() }
            if upstream.failure != nil {
                sendingFailed()
                return false
            }
            if replayed < recorder.kept.count, !upstream.mayWrite { return false }
        }
        return true
    }

    /// The endpoint takes no more. It may have answered first (a 413, say); what it said is still there to be read.
    private func sendingFailed() {
        sendingHasFailed = true
        upstream?.mayRead = true
    }

    // MARK: failures

    /// The connection ended before a whole response head.
    func upstreamLost() {
        guard let upstream, let head = downstream?.request else { return }
        // An interim response counts: the client may have it already.
        let hasBegun = upstream.octetsReceived != receivedBefore
        let wasReused = upstream.served > 0
        let nothingSent = upstream.octetsSent == sentBefore || !upstream.mayHaveBeenProcessed
        dropUpstream()
        // An idle connection that was closed at its time says nothing of the endpoint.
        endAttempt(status: 0, wasReused && !hasBegun ? .unknown : .localOrigin)
        // A connection that was idle may have been closed by its peer as the request was on its way (RFC 9112, 9.3.1).
        if wasReused, !hasBegun, !replayedOnFresh, canSendAgain, head.head.method.isIdempotent || nothingSent {
            replayedOnFresh = true
            worker.statistics.increment(.upstreamReplays)
            return attempt(fresh: true)
        }
        if !hasBegun, retriesLeft > 0, canSendAgain { return retry() }
        answer(503, .upstreamConnectionTermination, "the backend closed the connection before it answered")
    }

    /// Whether the request, as far as it has been received, could be sent once more.
    var canSendAgain: Bool {
        guard downstream?.request != nil else { return false }
        return requestBody == 0 || recorder?.isWhole == true
    }

    /// One of the rule's retries (HTTPRouteRetry): after its backoff, to another endpoint where there is one.
    func retry() {
        precondition(retriesLeft > 0)
        retriesLeft -= 1
        worker.statistics.increment(.upstreamRetries)
        phase = .backingOff
        // Never within this call: an endpoint that refuses on the spot would pile up as many calls as there are retries.
        attemptDeadline = worker.loop.now + max(rule?.pointee.retry.backoff ?? .zero, ExchangeLimits.leastBackoff)
        armDeadline()
    }

    func attemptTimedOut() {
        if phase == .resolving {
            return timedOut(.dnsFailure, "the address of the request's host did not come in time")
        }
        guard phase == .connecting || phase == .awaitingHead else {
            return timedOut(.upstreamTimeout, "the backend took longer than its route allows")
        }
        if phase == .connecting, let endpoint {
            worker.statistics.increment(.upstreamConnectTimeouts)
            let timeout = rule?.pointee.backendRequestTimeout ?? .zero
            if timeout <= .zero || worker.loop.now < attemptStarted + timeout {
                dropUpstream()
                return connectFailed(endpoint, timedOut: true)
            }
            worker.statistics.upstreamConnectFailed(endpoint: endpoint.slot)
        }
        if retriesLeft > 0, canSendAgain {
            dropUpstream()
            endAttempt(status: 0, .localOrigin)
            return retry()
        }
        timedOut(.upstreamTimeout, "the backend took longer than its route allows")
    }

    func timedOut(_ reason: ReasonCode, _ text: StaticString) { failed(status: 504, reason, text) }

    /// The exchange cannot go on: an answer of our own if none has begun, else the response is broken off.
    func failed(status: UInt16, _ reason: ReasonCode, _ text: StaticString) {
        switch phase {
        case .relaying, .tunnel: abandon(reason)
        case .answering, .over: abandon(reason)
        case .routing, .admitting, .resolving, .connecting, .awaitingHead, .backingOff:
            let hadAttempt = upstream != nil || phase == .connecting
            dropUpstream()
            if hadAttempt { endAttempt(status: 0, AttemptOutcome(broken: reason, status: status)) }
            answer(status, reason, text)
        }
    }

    /// Gives the upstream stream up, or the waiting for one: what is on it belongs to an exchange that broke off.
    func dropUpstream() {
        if phase == .connecting { endpoint?.cancel(self) }
        if phase == .resolving { worker.dynamicHosts.cancel(self) }
        upstream?.close()
        upstream = nil
    }

    /// Counts one attempt at an endpoint.
    /// - Parameter outcome: what it says of the endpoint, where the status alone does not tell.
    func endAttempt(status: UInt16, _ outcome: AttemptOutcome? = nil) {
        guard let endpoint else { return }
        noteOutcome(outcome ?? AttemptOutcome(status: status))
        worker.liveState.requestEnded(endpoint.slot)
        worker.statistics.decrement(.upstreamRequestsNow)
        worker.statistics.upstreamRequestEnded(
            status: status, duration: worker.loop.now - attemptStarted, sent: requestBody, received: responseBody,
            endpoint: endpoint.slot)
    }
}

extension BodyFraming {
    /// As the request's body goes on to the endpoint.
    var outgoing: OutgoingFraming {
        switch self {
        case .none, .untilClose: .none
        case .length(let octets): octets == 0 ? .none : .length(remaining: octets)
        case .chunked: .chunked
        }
    }
}
