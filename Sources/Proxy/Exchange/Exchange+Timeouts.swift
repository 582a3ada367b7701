import Config
import Connection
import Core
import HTTP
import IO
import Telemetry
import Upstream

/// Deadlines of an exchange, all of them watched by its one timer; and the words for the one that has passed: which field
/// set it, in which resource, written where.
extension Exchange {
    /// What the rule says of the request's time; from its head on.
    func setDeadlines(_ rule: UnsafePointer<RuleConfig>) {
        if rule.pointee.requestTimeout > .zero { requestDeadline = startedAt + rule.pointee.requestTimeout }
        guard !rule.pointee.traffic.isEmpty else { return }
        let traffic = snapshot[rule.pointee.traffic, 0]
        if traffic.pointee.maxStreamDuration.amount > .zero {
            streamDeadline = startedAt + traffic.pointee.maxStreamDuration.amount
        }
        if traffic.pointee.streamIdleTimeout.isWritten {
            ownStreamIdle = traffic.pointee.streamIdleTimeout
            streamIdle = ownStreamIdle.amount > .zero ? ownStreamIdle.amount : .forever
        }
    }

    /// The client's own deadline (gRPC over HTTP/2, "grpc-timeout"), where it is the nearer one.
    func setDeadline(askedFor timeout: TimeAmount) {
        let deadline = startedAt + timeout
        guard deadline < requestDeadline else { return }
        requestDeadline = deadline
        isDeadlineClients = true
    }

    private var idle: TimeAmount { streamIdle > .zero ? streamIdle : worker.limits.streamIdle }
    private var idleDeadline: Instant { lastProgress + idle }

    /// To be called when one of the deadlines has moved nearer; those that move away are noticed when they would have fired.
    func armDeadline() { worker.loop.setDeadline(self, nearestDeadline) }

    private var nearestDeadline: Instant {
        let ofAttempt = min(attemptDeadline, connectDeadline)
        let ofRequest = min(requestDeadline, streamDeadline)
        let ofClient = min(
            min(receivedDeadline, durationDeadline), min(min(halfClosedDeadline, limits.goesOnAt), idleDeadline))
        return min(min(min(ofAttempt, hedgeDeadline), min(ofRequest, faultDeadline)), ofClient)
    }

    func checkDeadlines(_ now: Instant) {
        guard phase != .over else { return }
        if now >= limits.goesOnAt {
            limits.goesOnAt = .distantFuture
            advance()
            guard phase != .over else { return }
        }
        if now >= requestDeadline { return requestTimedOut() }
        if now >= streamDeadline { return streamTimedOut() }
        if now >= faultDeadline { return endDelay() }
        if phase == .backingOff, now >= attemptDeadline { return attempt() }
        if now >= hedgeDeadline { return startHedge() }
        if now >= attemptDeadline { return attemptTimedOut() }
        if now >= connectDeadline { return connectTimedOut() }
        if now >= min(receivedDeadline, durationDeadline), clientDeadlinePassed(now) { return }
        if now >= halfClosedDeadline { return abandon(.downstreamTermination) }
        if now >= idleDeadline { return nothingMoved() }
        armDeadline()
    }

    // MARK: of the whole request

    private func requestTimedOut() {
        if isDeadlineClients {
            note("grpc-timeout of the request", after: requestDeadline - startedAt)
        } else if let rule {
            note(snapshot.text(rule.pointee.requestTimeoutOrigin), after: rule.pointee.requestTimeout)
        }
        failed(status: 504, .upstreamTimeout)
    }

    private func streamTimedOut() {
        if let limit = traffic?.pointee.maxStreamDuration { note(limit) }
        failed(status: 504, .durationTimeout)
    }

    private func nothingMoved() {
        if ownStreamIdle.isWritten {
            note(ownStreamIdle)
        } else if let timeout = client?.pointee.request.streamIdleTimeout, timeout.isSet {
            note("spec.timeout.http.streamIdleTimeout", timeout)
        } else {
            note("nothing moved", after: idle)
        }
        // Whose silence it is decides the status: the client's, when the rest of its body is all that is waited for.
        let isClients =
            isBuffering
            || phase == .awaitingHead && !requestSent && !sendingHasFailed && upstream?.output.isEmpty == true
        failed(status: isClients ? 408 : 504, .streamIdleTimeout)
    }

    // MARK: of one attempt

    private func attemptTimedOut() {
        if waitsForShare { return refuseShare("none was given in time") }
        if phase == .resolving {
            return failed(status: 504, .dnsFailure, "the address of the request's host did not come in time")
        }
        guard phase == .connecting || phase == .awaitingHead else {
            noteAttempt()
            return failed(status: 504, .upstreamTimeout)
        }
        if phase == .connecting, let endpoint {
            worker.statistics.increment(.upstreamConnectTimeouts)
            worker.statistics.upstreamConnectFailed(endpoint: endpoint.slot)
        }
        dropUpstream()
        endAttempt(.failed(.timedOut))
        if hedgeGoesOn() { return }
        if retries(.timedOut) { return }
        noteAttempt()
        answer(504, .upstreamTimeout)
    }

    private func noteAttempt() {
        note(
            rule.map { snapshot.text($0.pointee.backendRequestTimeoutOrigin) } ?? .empty,
            after: rule?.pointee.backendRequestTimeout ?? .zero)
    }

    private func connectTimedOut() {
        connectDeadline = .distantFuture
        guard phase == .connecting, let endpoint else { return armDeadline() }
        worker.statistics.increment(.upstreamConnectTimeouts)
        dropUpstream()
        connectFailed(endpoint, timedOut: true)
    }

    /// No connection in time, and nothing else to be tried.
    func answerConnectTimeout() {
        if let limit = clusterTraffic?.pointee.connectTimeout, limit.isWritten {
            note(limit)
        } else {
            note("no connection to the backend could be made", after: worker.limits.connect)
        }
        answer(504, .upstreamTimeout)
    }

    // MARK: words

    private var traffic: UnsafePointer<RouteTrafficConfig>? {
        guard let rule, !rule.pointee.traffic.isEmpty else { return nil }
        return snapshot[rule.pointee.traffic, 0]
    }

    /// How policies say that the backend is used; nil: nothing.
    var clusterTraffic: UnsafePointer<ClusterTrafficConfig>? {
        guard let backend, backend.pointee.cluster != BackendConfig.invalid else { return nil }
        let cluster = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)]
        return cluster.pointee.traffic.isEmpty ? nil : snapshot[cluster.pointee.traffic, 0]
    }

    /// A timeout of the listener's ClientTrafficPolicy has passed.
    func note(_ field: StaticString, _ timeout: TimeoutPlan) {
        detail.clear()
        detail.append("timed out: ")
        detail.append(field)
        detail.append(" of the listener's ClientTrafficPolicy")
        let files = snapshot.header.pointee.files
        if timeout.position.line > 0, timeout.position.file < files.count {
            detail.append(" (")
            detail.append(snapshot.text(snapshot[files, Int(timeout.position.file)].pointee))
            detail.append(byte: ASCII.colon)
            detail.append(decimal: UInt64(timeout.position.line))
            detail.append(")")
        }
        detail.append(" after ")
        detail.append(timeout.value)
    }

    private func note(_ limit: TimeLimitConfig) { note(snapshot.text(limit.origin), after: limit.amount) }

    private func note(_ origin: StaticString, after amount: TimeAmount) { note(ByteView(origin), after: amount) }

    /// What the answer's body and the access log say.
    private func note(_ origin: ByteView, after amount: TimeAmount) {
        detail.clear()
        detail.append("upstream timed out: ")
        detail.append(origin.isEmpty ? ByteView("no answer") : origin)
        detail.append(" after ")
        detail.append(amount)
    }

    /// As ``failed(status:_:_:)``, with ``detail`` for its text.
    private func failed(status: UInt16, _ reason: ReasonCode) { failed(status: status, reason, detail.view) }

    private func answer(_ status: UInt16, _ reason: ReasonCode) { answer(status, reason, detail.view) }
}

extension ByteBuffer {
    /// As a duration is written in manifests: `2s`, `150ms`.
    fileprivate mutating func append(_ amount: TimeAmount) {
        let milliseconds = UInt64(max(0, amount.milliseconds))
        let isWhole = milliseconds % 1000 == 0
        append(decimal: isWhole ? milliseconds / 1000 : milliseconds)
        append(isWhole ? "s" : "ms")
    }
}
