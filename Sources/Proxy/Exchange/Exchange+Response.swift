import Config
import Connection
import Core
import HTTP
import IO
import Routing
import Telemetry

/// The way down: the response's head and body, tunnels, and the gateway's own answers.
extension Exchange {
    func receiveResponse(from upstream: ClientStream, to downstream: ServerStream) {
        guard let message = downstream.request else { return }
        var interims = 0
        while true {
            if interims == ExchangeLimits.interimsPerTurn { return worker.loop.again(upstream) }
            switch upstream.readHead(for: message.head.method) {
            case .waiting: return
            case .endOfFile, .failed: return upstreamLost()
            case .refused(let refusal):
                return responseRefused(refusal.reason)
            case .complete:
                guard let response = upstream.response else { preconditionFailure("a complete head is not there") }
                lastProgress = worker.loop.now
                let code = response.head.status
                if code == 101 {
                    return switchProtocols(
                        response, asked: isAnswered(message, by: response, upstream.headBytes))
                }
                if code < 200 {
                    interims += 1
                    passInterim(response, from: upstream, to: downstream, message)
                    continue
                }
                return responseReceived(response, from: upstream, to: downstream, message)
            }
        }
    }

    /// A final response's head is there: the client's, unless it is asked for again.
    func responseReceived(
        _ response: ResponseMessage, from upstream: ClientStream, to downstream: ServerStream, _ message: RequestMessage
    ) {
        if retriesLeft > 0 || retriesMade > 0, retries(response, from: upstream) { return }
        noteHead(response.head.status)
        endHedge()
        if overridesResponse(response) { return }
        beginResponse(response, on: downstream, from: upstream, to: message)
    }

    /// 1xx responses pass, except to HTTP/1.0 clients, which do not know them (RFC 9110, section 15.2).
    private func passInterim(
        _ response: ResponseMessage, from upstream: ClientStream, to downstream: ServerStream, _ message: RequestMessage
    ) {
        if message.head.minorVersion >= 1, downstream.output.count < ExchangeLimits.interimOctets {
            worker.resources.buffers.supply(&downstream.output)
            downstream.output.compact()
            writeResponseHead(
                response, upstream.headBytes, framing: .none, downstream, message, to: &downstream.output)
            downstream.headWritten(framing: nil)
            _ = downstream.flush()
        }
        upstream.dropHead()
    }

    private func beginResponse(
        _ response: ResponseMessage, on downstream: ServerStream, from upstream: ClientStream,
        to message: RequestMessage
    ) {
        status = response.head.status
        headAt = worker.loop.now
        if wantsGRPCStatus { noteGRPCStatus(response, upstream.headBytes) }
        addSessionFields()
        upstreamPersists = response.head.persistence == .keepAlive
        var framing: OutgoingFraming
        switch response.head.framing {
        case .none: framing = .none
        case .length(let octets): framing = octets == 0 ? .none : .length(remaining: octets)
        case .chunked, .untilClose:
            // A client of HTTP/1.0 knows no chunks (RFC 9112, section 7.1).
            framing = message.head.minorVersion >= 1 ? .chunked : .untilClose
        }
        if framing != .none, translatesBack(response, upstream.headBytes) {
            // What the trailers become is a part of the body.
            framing = message.head.minorVersion >= 1 ? .chunked : .untilClose
            grpcWeb?.beginResponse()
        }
        if chooseCoding(response, hasContent: framing != .none, message) {
            framing = message.head.minorVersion >= 1 ? .chunked : .untilClose
        }
        if framing == .untilClose { downstream.closesAfterResponse = true }
        // A request that is still being received will not be read to its end: then the connection must go.
        if !requestSent || worker.isDraining { downstream.closesAfterResponse = true }
        worker.resources.buffers.supply(&downstream.output)
        let start = downstream.output.count
        if client != nil { addServiceTime() }
        writeResponseHead(response, upstream.headBytes, framing: framing, downstream, message, to: &downstream.output)
        if client != nil { editResponse(downstream, from: start) }
        downstream.headWritten(framing: framing)
        upstream.dropHead()
        phase = .relaying
        relayResponse(from: upstream, to: downstream)
    }

    func relayResponse(from upstream: ClientStream, to downstream: ServerStream) {
        guard let allowance = allowance(.response) else { return }
        let before = responseBody
        let progress =
            if let body = grpcWeb?.response ?? compressedBody {
                Relay.run(from: upstream, to: downstream, through: body, moved: &responseBody)
            } else {
                Relay.run(
                    from: upstream, to: downstream, moved: &responseBody, limit: allowance,
                    beforeEnd: { addBandwidthTrailers() })
            }
        charge(.response, responseBody &- before)
        switch progress {
        case .complete:
            if wantsGRPCStatus { limits.grpcStatus = upstream.grpcStatus ?? limits.grpcStatus }
            finish(on: downstream)
        case .waiting: break
        case .unfinished: worker.loop.again(upstream)
        case .sourceFailed: abandon(.upstreamRemoteReset)
        case .sourceRefused, .contentRefused: abandon(.upstreamProtocolError)
        case .sinkFailed: abandon(.downstreamTermination)
        }
        if responseBody != before { lastProgress = worker.loop.now }
    }

    // MARK: tunnels

    /// 101 (RFC 9110, section 15.2.2): from here on the two connections carry octets, not messages.
    private func switchProtocols(_ response: ResponseMessage, asked: Bool) {
        guard asked, let upstream, let downstream, let message = downstream.request else {
            return failed(status: 502, .upstreamProtocolError, "the backend switched protocols unasked")
        }
        status = 101
        headAt = worker.loop.now
        noteHead(101)
        worker.resources.buffers.supply(&downstream.output)
        writeResponseHead(response, upstream.headBytes, framing: .none, downstream, message, to: &downstream.output)
        downstream.headWritten(framing: .untilClose)
        upstream.dropHead()
        upstream.outgoing = .untilClose
        downstream.incoming.begin(.untilClose)
        upstream.incoming.begin(.untilClose)
        phase = .tunnel
        requestDeadline = .distantFuture
        attemptDeadline = .distantFuture
        connectDeadline = .distantFuture
        // Half-closing is an ordinary event from here on.
        halfClosedDeadline = .distantFuture
        worker.statistics.increment(.upgradesNow)
        relayTunnel()
    }

    /// Each direction ends on its own; a FIN is passed on, and the tunnel is over when both have ended.
    func relayTunnel() {
        guard let upstream, let downstream else { return }
        let before = requestBody &+ responseBody
        if !tunnelRequestEnded {
            let progress = Relay.run(from: downstream, to: upstream, moved: &requestBody)
            guard Relay.goesOn(progress, from: downstream, to: upstream) else { return finishTunnel() }
            if case .complete = progress { tunnelRequestEnded = true }
        }
        if !tunnelResponseEnded {
            let progress = Relay.run(from: upstream, to: downstream, moved: &responseBody)
            guard Relay.goesOn(progress, from: upstream, to: downstream) else { return finishTunnel() }
            if case .complete = progress { tunnelResponseEnded = true }
        }
        if requestBody &+ responseBody != before { lastProgress = worker.loop.now }
        // A side that had only to listen and is gone was reset: neither a read nor a write would ever tell.
        let isCut =
            downstream.isGone && tunnelRequestEnded && !tunnelResponseEnded
            || upstream.isGone && tunnelResponseEnded && !tunnelRequestEnded
        if isCut || tunnelRequestEnded && tunnelResponseEnded { return finishTunnel() }
        // Most tunnels are quiet most of the time, and there are many: they hold their request's head and no more.
        upstream.reclaimWhileQuiet()
        downstream.reclaimWhileQuiet()
    }

    // MARK: the gateway's own answers

    /// Answers the request itself. `fields`: whole field lines with their CRLF.
    func answer(_ status: UInt16, _ reason: ReasonCode, _ text: StaticString, fields: ByteView = .empty) {
        answer(status, reason, ByteView(text), fields: fields)
    }

    /// - Parameter text: one line without its end; empty: the status's phrase.
    func answer(_ status: UInt16, _ reason: ReasonCode, _ text: ByteView, fields: ByteView = .empty) {
        if overridesAnswer(status, reason, fields) { return }
        guard let downstream else { preconditionFailure("an answer to nobody") }
        prepareAnswer(status, reason)
        worker.resources.buffers.supply(&downstream.output)
        let start = downstream.output.count
        let seconds = startedWall / 1_000_000_000
        if !addedResponseFields.isEmpty { addedResponseFields.append(fields) }
        let fields = addedResponseFields.isEmpty ? fields : addedResponseFields.view
        if isGRPC || grpcWeb != nil, status >= 400 {
            // What the client's library reads (gRPC over HTTP/2, "Trailers-Only"); a status of HTTP it would only guess at.
            var lines = ByteBuffer()
            lines.append(fields)
            // A browser shows a page of another origin nothing without these.
            if grpcWeb != nil, let message = downstream.request {
                corsFilter?.writeActual(message.head, downstream.headBytes, to: &lines)
            }
            if downstream.closesAfterResponse { lines.append("connection: close\r\n") }
            GRPCStatus(answering: status, isTimeout: reason == .upstreamTimeout).writeAnswer(
                text, in: grpcWeb?.form, fields: lines.view, date: &worker.date, unixSeconds: seconds,
                to: &downstream.output)
            self.status = 200
        } else if status == CORSFilter.preflightStatus {
            writeEmptyAnswer(status, fields, to: downstream, seconds)
        } else {
            let message = downstream.request
            LocalAnswer(
                status: status, text: text,
                persistence: downstream.closesAfterResponse ? .close : .keepAlive,
                isForHead: message?.head.method == .head, minorVersion: message?.head.minorVersion ?? 1
            ).write(date: &worker.date, unixSeconds: seconds, extraFields: fields, to: &downstream.output)
        }
        if client != nil { editResponse(downstream, from: start) }
        downstream.answerWritten()
        finishAnswer()
    }

    /// What comes before an answer of our own, whatever it says.
    func prepareAnswer(_ status: UInt16, _ reason: ReasonCode) {
        guard let downstream else { preconditionFailure("an answer to nobody") }
        self.status = status
        self.reason = reason
        phase = .answering
        isBuffering = false
        endHedge()
        // Those that have passed must not cut the answer that says so.
        requestDeadline = .distantFuture
        streamDeadline = .distantFuture
        attemptDeadline = .distantFuture
        connectDeadline = .distantFuture
        faultDeadline = .distantFuture
        lastProgress = worker.loop.now
        // A body that has already arrived is passed over, so that the connection can stay.
        skipRequestBody(downstream)
        if !downstream.incoming.isComplete || worker.isDraining { downstream.closesAfterResponse = true }
        recorder?.broken()
    }

    func finishAnswer() {
        guard let downstream else { return }
        if sendAnswerBody(), downstream.flush() {
            finish()
        } else if downstream.failure != nil {
            abandon(.downstreamTermination)
        } else {
            armDeadline()
        }
    }

    private func writeEmptyAnswer(
        _ status: UInt16, _ fields: ByteView, to downstream: ServerStream, _ seconds: Int64
    ) {
        StatusLine.write(status: status, to: &downstream.output)
        downstream.output.append("server: sluice\r\ndate: ")
        worker.date.write(unixSeconds: seconds, to: &downstream.output)
        downstream.output.append("\r\n")
        downstream.output.append(fields)
        if downstream.closesAfterResponse { downstream.output.append("connection: close\r\n") }
        downstream.output.append("\r\n")
    }

    private func skipRequestBody(_ downstream: ServerStream) {
        skipping: while true {
            switch downstream.incoming.next(&downstream.input) {
            case .data(let run):
                downstream.incoming.consume(run.count, from: &downstream.input)
                downstream.contentTaken(run.count)
            case .needMore, .complete, .refused: break skipping
            }
        }
    }
}
