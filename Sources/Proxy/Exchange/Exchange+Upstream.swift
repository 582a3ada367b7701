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
            let recorder = tapForBody()
            recorder.keepsForReplay = true
            // A buffer that has taken the whole body already knows better.
            if let limit = clusterTraffic?.pointee.connection.bufferLimit, limit > 0, recorder.kept.isEmpty {
                recorder.limit = Int(limit)
            }
        }
    }

    /// The endpoint is told which attempt it is, where there may be several that a policy asked for.
    var countsAttempts: Bool {
        guard let rule else { return false }
        if rule.pointee.retry.attempts > 0 { return true }
        return !rule.pointee.traffic.isEmpty && snapshot[rule.pointee.traffic, 0].pointee.hedgeDelay > .zero
    }

    func tapForBody() -> BodyRecorder {
        if let recorder { return recorder }
        let made = spareRecorder ?? BodyRecorder(worker.resources)
        spareRecorder = nil
        recorder = made
        return made
    }

    /// Chooses an endpoint and sends the request there.
    /// - Parameter fresh: not on a connection that has served before.
    func attempt(fresh: Bool = false) {
        attemptDeadline = .distantFuture
        connectDeadline = .distantFuture
        // A replay goes to the endpoint whose connection died: it is the connection that was stale.
        let version = clientVersion
        let canBeRepeated = canBeRepeated
        switch chooseEndpoint(fresh: fresh, version: version, canBeRepeated: canBeRepeated) {
        case .endpoint(let target): attempt(at: target, fresh: fresh, version, canBeRepeated)
        case .queued: waitForPermit()
        case .overflow: answerOverflow()
        case .none: answerNobodyReady()
        }
    }

    private func attempt(at target: Endpoint, fresh: Bool, _ version: UInt8, _ canBeRepeated: Bool) {
        let stream = fresh ? nil : target.lease(for: self, version: version, canBeRepeated: canBeRepeated)
        if stream == nil, !target.mayConnect(version: version, alone: fresh) {
            return waitsAfterAll(fresh) ? waitForPermit() : answerOverflow()
        }
        if attempts == 0, retriesLeft > 0 || hedgeDeadline < .distantFuture {
            retryBudget?.requestBegan(now: worker.loop.now)
        }
        endpoint = target
        attempts += 1
        attemptStarted = worker.loop.now
        if let timeout = rule?.pointee.backendRequestTimeout, timeout > .zero {
            attemptDeadline = attemptStarted + timeout
        }
        worker.liveState.requestBegan(target.slot)
        worker.statistics.increment(.upstreamRequestsNow)
        if let stream {
            worker.statistics.increment(.upstreamReuses)
            upstream = stream
            phase = .awaitingHead
            // Always: a backoff or a connection's deadline that has just fired was the only one that was set.
            armDeadline()
            sendHead(on: stream)
            return advance()
        }
        phase = .connecting
        connectDeadline = attemptStarted + connectPatience(of: target)
        armDeadline()
        do throws(Errno) {
            try connect(to: target, fresh: fresh)
        } catch {
            lacksMeans = lacksMeans || error.isShortage
            connectFailed(target)
        }
    }

    private func waitForPermit() {
        phase = .queued
        armDeadline()
    }

    private func answerOverflow() {
        if handOn(.none) || returnsToLocal() { return }
        tellOverload()
        answer(503, .upstreamOverflow, "the backend has as many requests as its circuit breaker allows")
    }

    private func answerNobodyReady() {
        if handOn(.unreachable) || returnsToLocal() { return }
        answer(503, .noHealthyUpstream, "no endpoint is ready")
    }

    /// Where no descriptor is left, the connections that nobody uses go first.
    private func connect(to target: Endpoint, fresh: Bool) throws(Errno) {
        do throws(Errno) {
            try target.connect(
                for: self, version: clientVersion, alone: fresh, preamble: preamble(to: target),
                call: tunnelCall(to: target))
        } catch {
            guard error.code == EMFILE || error.code == ENFILE else { throw error }
            worker.clusters.closeIdle()
            try target.connect(
                for: self, version: clientVersion, alone: fresh, preamble: preamble(to: target),
                call: tunnelCall(to: target))
        }
    }

    func preamble(to target: Endpoint) -> ByteBuffer {
        guard let downstream else { return ByteBuffer() }
        if fair.isOpen, let handed = worker.isolations.preamble(for: downstream.origin, to: target) { return handed }
        return target.transport.preamble(
            for: downstream.origin, localAddress: downstream.localAddress, to: target.address)
    }

    func begin(on stream: ClientStream) {
        precondition(phase == .connecting, "a stream that nobody waits for")
        upstream = stream
        connectDeadline = .distantFuture
        phase = .awaitingHead
        sendHead(on: stream)
        advance()
    }

    private func sendHead(on connection: ClientStream) {
        guard let downstream, let message = downstream.request else {
            preconditionFailure("a request without its head")
        }
        worker.resources.buffers.supply(&connection.output)
        writeRequestHead(message, of: downstream, to: &connection.output)
        connection.requestScheme = keptScheme
        sentBefore = connection.octetsSent
        receivedBefore = connection.octetsReceived
        requestSent = false
        sendingHasFailed = false
        replayed = 0
        connection.headWritten(framing: requestFraming(message))
    }

    /// The version of HTTP by which the request came; gRPC in whatever form is HTTP/2's.
    var clientVersion: UInt8 {
        if isGRPC { return 2 }
        if let grpcWeb, grpcWeb.isTranslated { return 2 }
        return downstream?.majorVersion ?? 0
    }

    /// A connection that dies under the request, before an answer, costs nothing but time: see ``upstreamLost()``.
    var canBeRepeated: Bool {
        guard let message = downstream?.request else { return false }
        return message.head.method.isIdempotent && (message.head.framing == .none || recorder?.isWhole == true)
    }

    /// Hands on what the client has sent, as far as the endpoint takes it.
    func sendRequest(from downstream: ServerStream, to upstream: ClientStream) {
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

    /// Gives the upstream stream up, or the waiting for one: what is on it belongs to an exchange that broke off.
    func dropUpstream() {
        if phase == .connecting { endpoint?.cancel(self) }
        if phase == .resolving { worker.dynamicHosts.cancel(self) }
        leaveLine()
        upstream?.close()
        upstream = nil
    }

    /// An attempt at an endpoint is over: counted, and told to whoever judges the endpoint. Once for each attempt.
    func endAttempt(_ outcome: AttemptEnd) {
        guard let endpoint else { return }
        noteEnd(AttemptOutcome(outcome), at: endpoint)
        worker.liveState.requestEnded(endpoint.slot)
        givePermitBack()
        noteLatency(of: endpoint, status: outcome.status)
        worker.statistics.decrement(.upstreamRequestsNow)
        worker.statistics.upstreamRequestEnded(
            status: outcome.status, duration: worker.loop.now - attemptStarted, sent: requestBody,
            received: responseBody,
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
