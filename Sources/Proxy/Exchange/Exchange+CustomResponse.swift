import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// Responses that a manifest writes: HTTPRouteFilter `directResponse` and the responses of BackendTrafficPolicy
/// `responseOverride`. A body that is known is sent from the snapshot, without a copy, as far as the client takes it.
extension Exchange {
    /// - Parameters:
    ///   - status: where the configuration says none.
    ///   - fields: whole field lines with their CRLF, besides those of the configuration.
    func answer(
        _ config: UnsafePointer<CustomResponseConfig>, status: UInt16, _ reason: ReasonCode, fields: ByteView = .empty
    ) {
        guard let downstream else { preconditionFailure("an answer to nobody") }
        let status = config.pointee.statusCode > 0 ? config.pointee.statusCode : status
        prepareAnswer(status, reason)
        let body: ByteView
        if config.pointee.parts.isEmpty {
            body = snapshot.text(config.pointee.text)
        } else {
            composeBody(config.pointee.parts)
            body = answerText.view
        }
        if isGRPC || grpcWeb != nil, status >= 400 {
            let code = GRPCStatus(answering: status, isTimeout: reason == .upstreamTimeout)
            return answerCall(code.rawValue, reason, body, fields: fields)
        }
        worker.resources.buffers.supply(&downstream.output)
        let hasContent = status != 204 && status != 304
        writeCustomHead(config, hasContent ? body.count : 0, hasContent: hasContent, fields, to: &downstream.output)
        let isSent = hasContent && !body.isEmpty && downstream.request?.head.method != .head
        downstream.headWritten(framing: isSent ? .length(remaining: UInt64(body.count)) : OutgoingFraming.none)
        if isSent {
            answerBody = body
            answersInPieces = true
        }
        finishAnswer()
    }

    private func writeCustomHead(
        _ config: UnsafePointer<CustomResponseConfig>, _ length: Int, hasContent: Bool, _ fields: ByteView,
        to out: inout ByteBuffer
    ) {
        let edits = HeaderEdits(rule: config.pointee.headers, in: snapshot)
        StatusLine.write(status: status, to: &out)
        if !edits.replaces(.server) { out.append("server: sluice\r\n") }
        if !edits.replaces(.date) {
            out.append("date: ")
            worker.date.write(unixSeconds: startedWall / 1_000_000_000, to: &out)
            out.append("\r\n")
        }
        if !edits.replaces(.contentType), !config.pointee.contentType.isEmpty || length > 0 {
            out.append("content-type: ")
            if config.pointee.contentType.isEmpty {
                out.append("text/plain")
            } else {
                out.append(snapshot.text(config.pointee.contentType))
            }
            out.append("\r\n")
        }
        if hasContent {
            out.append("content-length: ")
            out.append(decimal: UInt64(length))
            out.append("\r\n")
        }
        if downstream?.closesAfterResponse == true {
            out.append("connection: close\r\n")
        } else if downstream?.request?.head.minorVersion == 0 {
            out.append("connection: keep-alive\r\n")
        }
        edits.appendLines(to: &out)
        out.append(addedResponseFields.view)
        out.append(fields)
        out.append("\r\n")
    }

    /// Sends what is left of the body. False: the client takes no more now, or has gone.
    func sendAnswerBody() -> Bool {
        guard let downstream, answersInPieces else { return true }
        while !answerBody.isEmpty {
            let taken = downstream.write(body: answerBody)
            answerBody = answerBody.from(taken)
            responseBody &+= UInt64(taken)
            if taken > 0 { lastProgress = worker.loop.now }
            if downstream.failure != nil { return false }
            if answerBody.isEmpty { break }
            _ = downstream.flush()
            if downstream.failure != nil || !downstream.mayWrite { return false }
        }
        answersInPieces = false
        if downstream.outgoing != .none { downstream.endBody() }
        return true
    }

    // MARK: bodies that depend on the request

    private func composeBody(_ parts: Table<BodyPartConfig>) {
        var text = ByteBuffer()
        swap(&text, &answerText)
        text.clear()
        for index in 0..<Int(parts.count) { append(snapshot[parts, index].pointee, to: &text) }
        swap(&text, &answerText)
    }

    private func append(_ part: BodyPartConfig, to text: inout ByteBuffer) {
        if part.isText { return text.append(snapshot.text(part.text)) }
        let start = text.count
        appendValue(part, to: &text)
        // What is not there is a hyphen, as in Envoy's access logs.
        if text.count == start { text.append("-") }
        let length = text.count - start
        if part.length > 0, length > Int(part.length) { text.truncate(length - Int(part.length)) }
    }

    private func appendValue(_ part: BodyPartConfig, to text: inout ByteBuffer) {
        guard let downstream else { return }
        let bytes = downstream.headBytes
        switch part.kind {
        case .responseCode: text.append(decimal: UInt64(status))
        case .responseFlags: text.append(reason.text)
        case .protocol: text.append(downstream.majorVersion == 2 ? "HTTP/2" : "HTTP/1.1")
        case .clientAddress: clientAddress.ip.write(to: &text)
        case .clientAddressAndPort: clientAddress.write(to: &text)
        case .routeName:
            guard let rule else { return }
            text.append(
                snapshot.text(snapshot[snapshot.header.pointee.routes, Int(rule.pointee.route)].pointee.qualifiedName))
        case .method, .host, .path, .requestID, .requestField:
            // A head that was refused has no offsets to be trusted.
            guard let message = downstream.request, !bytes.isEmpty else { return }
            appendValue(part, message, bytes, to: &text)
        }
    }

    private func appendValue(
        _ part: BodyPartConfig, _ message: RequestMessage, _ bytes: ByteView, to text: inout ByteBuffer
    ) {
        switch part.kind {
        case .method: text.append(message.head.methodRange.of(bytes))
        case .host: text.append(message.head.authority.of(bytes))
        case .path:
            text.append(path(message, bytes))
            if let query = query(message, bytes) {
                text.append(byte: ASCII.question)
                text.append(query)
            }
        case .requestID: text.append(requestID(message, bytes))
        default:
            for name in [part.text, part.alternative] where !name.isEmpty {
                guard let line = message.head.fields.firstIndex(named: snapshot.text(name), in: bytes) else { continue }
                return text.append(message.head.fields[line].value(in: bytes))
            }
        }
    }

    // MARK: calls of gRPC

    /// Answers a call of gRPC with a status of its own numbers.
    func answerCall(_ status: UInt8, _ reason: ReasonCode, _ text: ByteView, fields: ByteView = .empty) {
        guard let downstream else { preconditionFailure("an answer to nobody") }
        prepareAnswer(200, reason)
        worker.resources.buffers.supply(&downstream.output)
        var lines = ByteBuffer()
        lines.append(addedResponseFields.view)
        lines.append(fields)
        if grpcWeb != nil, let message = downstream.request {
            corsFilter?.writeActual(message.head, downstream.headBytes, to: &lines)
        }
        if downstream.closesAfterResponse { lines.append("connection: close\r\n") }
        GRPCStatus.writeAnswer(
            status, text, in: grpcWeb?.form, fields: lines.view, date: &worker.date,
            unixSeconds: startedWall / 1_000_000_000, to: &downstream.output)
        downstream.answerWritten()
        finishAnswer()
    }
}
