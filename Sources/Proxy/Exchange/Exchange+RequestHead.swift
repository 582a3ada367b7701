import Config
import Connection
import Core
import HTTP
import Routing

/// The request head as the endpoint gets it: what the client sent, byte for byte in its case and order, less what belongs
/// to the client's connection, plus what the gateway says about the client, with the filters' edits.
extension Exchange {
    func writeRequestHead(to out: inout ByteBuffer) {
        guard let downstream, let message = downstream.request else {
            preconditionFailure("a request without its head")
        }
        writeRequestHead(message, of: downstream, to: &out)
    }

    func writeRequestHead(_ message: RequestMessage, of downstream: ServerStream, to out: inout ByteBuffer) {
        guard let rule, let backend else {
            preconditionFailure("a request goes up before it was routed")
        }
        let bytes = downstream.headBytes
        // What is handed on is the client's own request: the central gateway has the rules for it.
        let edits =
            isHandedOn
            ? HeaderEdits(rule: Table(), in: snapshot)
            : HeaderEdits(
                rule: rule.pointee.filters.requestHeaders, backend: backend.pointee.filters.requestHeaders, in: snapshot
            )
        out.append(message.head.methodRange.of(bytes))
        out.append(byte: ASCII.space)
        writeTarget(message, bytes, to: &out)
        out.append(" HTTP/1.1\r\n")
        writeHost(message, bytes, to: &out)
        let credential = isHandedOn ? nil : credential(message.head.fields, bytes)
        let rewritesBaggage = rewritesBaggage(message, bytes, edits)
        copyFields(message, bytes, edits, credential, rewritesBaggage, to: &out)
        if rewritesBaggage { writeCarried(message, bytes, edits, to: &out) }
        if !carried.isEmpty { noteCarried(message, bytes, edits) }
        if grpcWeb?.isTranslated == true, !edits.replaces(.contentType),
            let type = message.head.fields.first(.contentType)
        {
            GRPCWeb.writeRequestType(type.value(in: bytes), to: &out)
        }
        writeForwarding(message, bytes, downstream, edits, to: &out)
        writeConnectionFields(message, to: &out)
        if let credential { write(credential, to: &out) }
        if isHandedOn { writeHopMark(to: &out) }
        if !edits.isEmpty { edits.appendLines(to: &out) }
        out.append("\r\n")
    }

    private func writeTarget(_ message: RequestMessage, _ bytes: ByteView, to out: inout ByteBuffer) {
        if message.head.targetForm == .asterisk {
            out.append("*")
            return
        }
        if !rewrittenTarget.isEmpty, !isHandedOn { return out.append(rewrittenTarget.view) }
        if let rewrite, rewrite.pointee.path.kind != .none, rewrite.pointee.path.kind != .replaceRegexMatch {
            PathModifier.write(
                rewrite.pointee.path, in: snapshot, path: path(message, bytes),
                matchedPrefixLength: decision.matchedPrefixLength, to: &out)
        } else {
            out.append(path(message, bytes))
        }
        if message.head.hasQuery {
            out.append(byte: ASCII.question)
            out.append(message.head.query.of(bytes))
        }
    }

    /// Host goes first (RFC 9112, section 3.2), as the client said it unless a filter rewrites it.
    private func writeHost(_ message: RequestMessage, _ bytes: ByteView, to out: inout ByteBuffer) {
        out.append("Host: ")
        writeHostValue(message, bytes, to: &out)
        out.append("\r\n")
    }

    /// Copies the lines that stay, neighbours in one piece.
    private func copyFields(
        _ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits,
        _ credential: UnsafePointer<CredentialInjectionConfig>?, _ rewritesBaggage: Bool, to out: inout ByteBuffer
    ) {
        let count = message.head.fields.count
        let plain = edits.isEmpty && credential == nil && !message.head.connectionNamesFields
        let end = message.head.length - 2
        var from = -1
        for i in 0..<count {
            let line = message.head.fields[i]
            let stays: Bool
            switch line.name {
            case .other where plain: stays = true
            // Written anew: Host and what says who the client is.
            case .host, .xForwardedFor, .xForwardedProto, .xForwardedHost: stays = false
            case .xRequestId, .xSluiceHop: stays = false
            case .contentType where grpcWeb?.isTranslated == true: stays = false
            case .contentLength where grpcWeb?.request != nil: stays = false
            case .expect where continueWasSent: stays = false
            case _ where credential.map { givesWay(line, bytes, to: $0) } == true: stays = false
            // Meant for the proxy that a group's gateway is to its callers (RFC 9110, section 11.7.2).
            case .proxyAuthorization where listener.pointee.isOfGroup: stays = false
            case .xForwardedClientCert: stays = keepsClientCertField
            case .xEnvoyAttemptCount where countsAttempts: stays = false
            case .baggage where rewritesBaggage: stays = false
            // HTTP/2 has no such field (RFC 8441, section 5.1).
            case .secWebSocketKey:
                stays = upstream?.majorVersion != 2 && (edits.isEmpty || !edits.drops(line, in: bytes))
            default: stays = !message.head.drops(line, in: bytes) && (edits.isEmpty || !edits.drops(line, in: bytes))
            }
            if stays {
                if from < 0 { from = Int(line.nameOffset) }
            } else if from >= 0 {
                out.append(bytes[from..<Int(line.nameOffset)])
                from = -1
            }
        }
        if from >= 0 { out.append(bytes[from..<end]) }
    }

    /// `X-Forwarded-For` grows by the client's address; `-Proto` and `-Host` say what this gateway saw, whatever the
    /// client claimed; a usable `X-Request-Id` stays. A field that the filters set or remove is theirs.
    private func writeForwarding(
        _ message: RequestMessage, _ bytes: ByteView, _ downstream: ServerStream, _ edits: HeaderEdits,
        to out: inout ByteBuffer
    ) {
        if !edits.replaces(.xForwardedFor) { writeForwardedFor(message, bytes, downstream.peer.ip, to: &out) }
        if !edits.replaces(.xForwardedProto) {
            out.append(downstream.origin.isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
        }
        if downstream.tls != nil { writeClientCertificate(to: &out) }
        let tellsHost = rewrite.map { $0.pointee.appendXForwardedHost || !$0.pointee.changesHost } ?? true
        if tellsHost, !edits.replaces(.xForwardedHost), !message.head.authority.isEmpty {
            out.append("X-Forwarded-Host: ")
            out.append(message.head.authority.of(bytes))
            out.append("\r\n")
        }
        if !edits.replaces(.xRequestId), tellsRequestID(message, bytes) {
            out.append("X-Request-Id: ")
            out.append(requestID(message, bytes))
            out.append("\r\n")
        }
        if countsAttempts, !edits.replaces(.xEnvoyAttemptCount) {
            out.append("X-Envoy-Attempt-Count: ")
            out.append(decimal: UInt64(attempts))
            out.append("\r\n")
        }
        if let client, client.pointee.request.enablesEnvoyHeaders { writeEnvoyFields(message, bytes, to: &out) }
    }

    /// What came, and behind it the address that the connection came from, unless a policy leaves that out
    /// (`clientIPDetection.xForwardedFor.disableXForwardedForAppend`).
    private func writeForwardedFor(
        _ message: RequestMessage, _ bytes: ByteView, _ peer: IPAddress, to out: inout ByteBuffer
    ) {
        let appends = !fair.isKeptElsewhere && client?.pointee.clientIP.appendsForwardedFor ?? true
        var hasBegun = false
        for i in 0..<message.head.fields.count where message.head.fields[i].name == .xForwardedFor {
            out.append(hasBegun ? ", " : "X-Forwarded-For: ")
            out.append(message.head.fields[i].value(in: bytes))
            hasBegun = true
        }
        if appends {
            out.append(hasBegun ? ", " : "X-Forwarded-For: ")
            peer.write(to: &out)
        }
        if appends || hasBegun { out.append("\r\n") }
    }

    /// What concerns the connection to the endpoint alone (RFC 9110, section 7.6.1).
    private func writeConnectionFields(_ message: RequestMessage, to out: inout ByteBuffer) {
        if message.head.upgradesToWebSocket || !otherUpgrade.isEmpty {
            writeUpgrade(to: &out)
            if otherUpgrade.isEmpty, downstream?.majorVersion == 2, upstream?.majorVersion == 1 {
                out.append("Sec-WebSocket-Key: ")
                out.append(string: WebSocketHandshake.key(worker.random.next(), worker.random.next()))
                out.append("\r\n")
            }
        } else if message.head.acceptsTrailers || grpcWeb?.isTranslated == true {
            out.append("TE: trailers\r\nConnection: TE\r\n")
        }
        if requestFraming(message) == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
        if message.head.rewritesLength, grpcWeb?.request == nil, let length = message.head.contentLength {
            out.append("Content-Length: ")
            out.append(decimal: length)
            out.append("\r\n")
        }
    }

    /// How the request's body goes on; one that is transformed has another length.
    func requestFraming(_ message: RequestMessage) -> OutgoingFraming {
        let framing = message.head.framing.outgoing
        return grpcWeb?.request == nil || framing == .none ? framing : .chunked
    }

    /// The client's, when it is one that logs and backends can hold, else one of our own.
    func requestID(_ message: RequestMessage, _ bytes: ByteView) -> ByteView {
        if !ownRequestID.isEmpty { return ownRequestID.view }
        if let value = clientsRequestID(message, bytes) { return value }
        worker.requestIDs.write(to: &ownRequestID)
        return ownRequestID.view
    }

    /// Nil: it sent none, none that can be used, or none that its listener believes.
    private func clientsRequestID(_ message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        switch client?.pointee.request.requestID ?? .preserveOrGenerate {
        case .generate, .disable: return nil
        case .preserveOrGenerate, .preserve: break
        }
        guard let value = message.head.fields.first(.xRequestId)?.value(in: bytes), !value.isEmpty,
            value.count <= ExchangeLimits.requestID
        else { return nil }
        return value
    }

    /// Whether the backend is told one (ClientTrafficPolicy `headers.requestID`); the log has one in any case.
    private func tellsRequestID(_ message: RequestMessage, _ bytes: ByteView) -> Bool {
        switch client?.pointee.request.requestID ?? .preserveOrGenerate {
        case .preserveOrGenerate, .generate: true
        case .preserve: clientsRequestID(message, bytes) != nil
        case .disable: false
        }
    }
}
