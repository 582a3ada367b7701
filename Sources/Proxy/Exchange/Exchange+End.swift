import Config
import Connection
import Core
import HTTP
import IO
import Telemetry
import Upstream

/// How an exchange ends: in order, by breaking off, or as a tunnel; what is told of it; and becoming empty again.
extension Exchange {
    /// The response is sent to its last octet.
    func finish() {
        guard let downstream else { return }
        if phase == .relaying {
            let grpcStatus = wantsGRPCStatus ? limits.grpcStatus.map { Int8(clamping: $0) } : nil
            endAttempt(.response(status: status, grpcStatus: grpcStatus ?? -1))
            giveBackUpstream()
        }
        if !requestSent { recorder?.broken() }
        record(downstream)
        clear()
        // This object may begin another exchange within this call.
        downstream.exchangeEnded()
    }

    private func giveBackUpstream() {
        upstream?.release(keeps: upstreamPersists && requestSent)
        upstream = nil
    }

    /// The exchange breaks off: nobody is there to answer, or a response that has begun cannot be completed.
    func abandon(_ reason: ReasonCode) {
        guard phase != .over, let downstream else { return }
        self.reason = reason
        if phase == .tunnel { worker.statistics.decrement(.upgradesNow) }
        let hadAttempt = upstream != nil || phase == .connecting
        endHedge()
        dropUpstream()
        if hadAttempt { endAttempt(outcome(of: reason)) }
        recorder?.broken()
        let isLate = reason == .upstreamTimeout && canEndInWords(downstream)
        record(downstream)
        clear()
        guard isLate else { return downstream.exchangeAborted() }
        downstream.appendTrailers(ByteView("grpc-status: 4\r\ngrpc-message: the deadline has passed\r\n"))
        downstream.endBody()
        downstream.exchangeEnded()
    }

    /// What an attempt was worth that broke off for this reason.
    func outcome(of reason: ReasonCode) -> AttemptEnd {
        switch reason {
        case .upstreamRemoteReset: .failed(.responseBroken)
        case .upstreamProtocolError: .failed(.protocolError)
        case .upstreamTimeout, .durationTimeout: .failed(.timedOut)
        case .streamIdleTimeout where status == 0 && requestSent: .failed(.timedOut)
        default: status == 0 ? .abandoned : .response(status: status)
        }
    }

    /// A call of gRPC that has begun to be answered still has a place for a status of ours: its trailers.
    private func canEndInWords(_ downstream: ServerStream) -> Bool {
        phase == .relaying && isGRPC && downstream.majorVersion == 2 && downstream.outgoing == .chunked
    }

    /// Both directions have ended, or one has failed.
    func finishTunnel() {
        guard phase == .tunnel, let downstream else { return }
        worker.statistics.decrement(.upgradesNow)
        let orderly = tunnelRequestEnded && tunnelResponseEnded || tunnelEndedInOrder
        dropUpstream()
        endAttempt(.response(status: status))
        record(downstream)
        clear()
        if orderly { downstream.exchangeClosed() } else { downstream.exchangeAborted() }
    }

    /// A tunnel has begun that goes on without this exchange, which is empty now.
    func recordTunnel(_ downstream: ServerStream) {
        record(downstream)
        clear()
    }

    private func record(_ downstream: ServerStream) {
        if limits.isOpen { closeLimits() }
        let duration = worker.loop.now - startedAt
        worker.statistics.decrement(.requestsNow)
        worker.statistics.requestEnded(
            status: status, reason: reason, duration: duration, received: requestBody, sent: responseBody,
            route: rule?.pointee.routeSlot ?? 0)
        countForRollout()
        if worker.accessLog.isOn { writeRecord(downstream, duration) }
    }

    private func writeRecord(_ downstream: ServerStream, _ duration: TimeAmount) {
        var record = AccessRecord()
        record.start = startedWall
        record.duration = duration
        if headAt > startedAt { record.upstreamHead = headAt - startedAt }
        record.bodyReceived = requestBody
        record.bodySent = responseBody
        record.scheme = ByteView(scheme.text)
        record.status = status
        record.reason = reason
        record.peer = clientAddress
        record.attempts = attempts
        if !detail.isEmpty {
            record.detail = detail.view
            record.audits = audits.view
        }
        let bytes = downstream.headBytes
        // A head that was refused has no offsets to be trusted.
        if let message = downstream.request, !bytes.isEmpty {
            record.method = message.head.methodRange.of(bytes)
            record.host = message.head.host.of(bytes)
            record.target = message.head.target.of(bytes)
            record.path = path(message, bytes)
            record.majorVersion = downstream.majorVersion
            record.minorVersion = message.head.minorVersion
            for i in 0..<message.head.fields.count {
                let line = message.head.fields[i]
                switch line.name {
                case .userAgent: record.userAgent = line.value(in: bytes)
                case .referer: record.referer = line.value(in: bytes)
                case .xForwardedFor: record.forwardedFor = line.value(in: bytes)
                default: break
                }
            }
            record.requestID = requestID(message, bytes)
        }
        if let rule {
            let route = snapshot[snapshot.header.pointee.routes, Int(rule.pointee.route)]
            record.route = snapshot.text(route.pointee.qualifiedName)
            record.rule = snapshot.text(rule.pointee.name)
        }
        if let backend { record.backend = snapshot.text(backend.pointee.name) }
        if attempts > 0 { endpoint?.name(in: &record) }
        worker.accessLog.append(record)
    }

    /// Empty, for the next request. The connections have been given up, or are by the caller.
    private func clear() {
        worker.loop.suspendDeadline(self)
        if fair.isWanted { leaveShare() }
        clearFallback()
        phase = .over
        downstream = nil
        upstream = nil
        configuration = nil
        decision = .undecided
        rule = nil
        call = nil
        outsideOf = ListenerConfig.noGroup
        carried = Table()
        backend = nil
        cluster = nil
        endpoint = nil
        client = nil
        detectedClient = nil
        receivedDeadline = .distantFuture
        durationDeadline = .distantFuture
        isGRPC = false
        grpcWeb = nil
        normalisedPath.clear()
        ownRequestID.clear()
        addedResponseFields.clear()
        limits.clear()
        session = SessionProgress()
        clearFilters()
        nextStage = 0
        requestSent = false
        sendingHasFailed = false
        requestBody = 0
        responseBody = 0
        if let recorder {
            recorder.reset()
            spareRecorder = recorder
            self.recorder = nil
        }
        replayed = 0
        tunnelRequestEnded = false
        tunnelResponseEnded = false
        upstreamPersists = false
        attempts = 0
        tried = TriedEndpoints()
        giveRetryPermitBack()
        requestHash = nil
        isHashed = false
        connectFailures = 0
        lacksMeans = false
        retriesLeft = 0
        retriesMade = 0
        replayedOnFresh = false
        status = 0
        reason = .none
        headAt = Instant(nanoseconds: 0)
        requestDeadline = .distantFuture
        attemptDeadline = .distantFuture
        connectDeadline = .distantFuture
        hedgeDeadline = .distantFuture
        streamDeadline = .distantFuture
        isDeadlineClients = false
        ownStreamIdle = .none
        if !detail.isEmpty {
            detail.release()
            audits.release()
        }
        halfClosedDeadline = .distantFuture
        worker.release(self)
        whileActive = nil
    }

    /// What filters and policies remembered. Buffers keep their memory.
    private func clearFilters() {
        faultDeadline = .distantFuture
        rewrittenTarget.clear()
        answerBody = .empty
        answersInPieces = false
        isOverridden = false
        isBuffering = false
        continueWasSent = false
        contentEdit = .none
        otherUpgrade = TextRef()
        if let compressedBody {
            worker.compressedBodies.giveBack(compressedBody)
            self.compressedBody = nil
        }
    }
}
