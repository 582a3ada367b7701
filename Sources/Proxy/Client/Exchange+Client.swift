import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// What the listener's ClientTrafficPolicy asks for before a request is routed.
extension Exchange {
    /// Of the connection's listener, as it is configured now; nil: it has no policy.
    func clientPolicy(
        _ connection: ServerStream, on socket: UnsafePointer<SocketConfig>, in configuration: LiveConfiguration
    ) -> UnsafePointer<ClientTrafficConfig>? {
        let number =
            connection.origin.isSecure
            ? configuration.listener(connection.origin.listenerIdentity) : socket.pointee.client.listener
        guard let number, number != SocketClientConfig.none else { return nil }
        let client = snapshot[snapshot.header.pointee.listeners, Int(number)].pointee.client
        return client.isEmpty ? nil : snapshot[client, 0]
    }

    /// False: the request is answered.
    func receive(
        _ connection: ServerStream, under client: UnsafePointer<ClientTrafficConfig>, _ configuration: LiveConfiguration
    ) -> Bool {
        self.client = client
        setDeadlines(client, connection)
        guard
            client.pointee.looksAtHeads || client.pointee.request.enablesEnvoyHeaders
                || client.pointee.request.stripsTrailingHostDot, let message = connection.request
        else { return true }
        if client.pointee.isInvalid {
            answer(500, .noCluster, "the policy of this listener cannot be applied")
            return false
        }
        if client.pointee.request.withUnderscoresAction == .rejectRequest,
            Self.hasUnderscores(message, connection.headBytes)
        {
            answer(400, .downstreamProtocolError, "a field's name has an underscore")
            return false
        }
        edit(message, connection, client, configuration)
        guard detectClient(client, message, connection) else {
            answer(403, .unauthorized, "the client's address is not known")
            return false
        }
        if message.head.upgradesToWebSocket, connection.majorVersion == 1,
            configuration.routes.matches(client.pointee.ignoredUpgradeTypes, name: ByteView("websocket"))
        {
            message.head.upgradesToWebSocket = false
        }
        return true
    }

    // MARK: fields

    private static func hasUnderscores(_ message: RequestMessage, _ bytes: ByteView) -> Bool {
        // No field that the gateway knows has one.
        for i in 0..<message.head.fields.count where message.head.fields[i].name == .other {
            if message.head.fields[i].name(in: bytes).firstIndex(of: ASCII.underscore) != nil { return true }
        }
        return false
    }

    private func edit(
        _ message: RequestMessage, _ connection: ServerStream, _ client: UnsafePointer<ClientTrafficConfig>,
        _ configuration: LiveConfiguration
    ) {
        let mutation = HeaderMutation(client.pointee.earlyRequestHeaders, configuration.routes)
        var wishes = HeadEditor.Wishes()
        let request = client.pointee.request
        let bytes = connection.headBytes
        wishes.dropsUnderscores = request.withUnderscoresAction == .dropHeader && Self.hasUnderscores(message, bytes)
        wishes.dropsEnvoyFields = request.enablesEnvoyHeaders
        if message.head.authority.isEmpty, message.head.minorVersion == 0 {
            wishes.host = snapshot.text(client.pointee.defaultHost)
        } else if request.stripsTrailingHostDot {
            wishes.host = hostWithoutDot(message, bytes)
        }
        guard !mutation.isEmpty || wishes.dropsUnderscores || wishes.dropsEnvoyFields || !wishes.host.isEmpty else {
            return
        }
        worker.headEditor.edit(&message.head, bytes, mutation, wishes)
        connection.replaceHead(&worker.headEditor.octets)
    }

    /// Empty: it has no dot at its end.
    private func hostWithoutDot(_ message: RequestMessage, _ bytes: ByteView) -> ByteView {
        let authority = message.head.authority.of(bytes)
        let length = Int(message.head.host.length)
        guard length > 0, authority.count > length, authority[length] == ASCII.dot else { return .empty }
        normalisedPath.clear()
        normalisedPath.append(authority.upTo(length))
        normalisedPath.append(authority.from(length + 1))
        return normalisedPath.view
    }

    // MARK: whose request it is

    /// False: it must be known, and is not.
    private func detectClient(
        _ client: UnsafePointer<ClientTrafficConfig>, _ message: RequestMessage, _ connection: ServerStream
    ) -> Bool {
        guard client.pointee.clientIP.method != .directSourceIP else { return true }
        let outcome = ClientAddress.detect(
            client.pointee.clientIP, in: snapshot, peer: connection.peer.ip, fields: message.head.fields,
            connection.headBytes)
        switch outcome {
        case .peer: return true
        case .detected(let address):
            detectedClient = SocketAddress(ip: address, port: 0)
            return true
        case .unknown: return !client.pointee.clientIP.failsClosed
        }
    }

    /// Whose request it is: the peer of the connection, whom its PROXY header names, or whom a policy's rules have found
    /// in the head; then without a port.
    var clientAddress: SocketAddress {
        detectedClient ?? downstream?.peer ?? SocketAddress(ip: .any, port: 0)
    }

    // MARK: deadlines

    private func setDeadlines(_ client: UnsafePointer<ClientTrafficConfig>, _ connection: ServerStream) {
        let request = client.pointee.request
        if request.streamIdleTimeout.isSet { streamIdle = request.streamIdleTimeout.over(.forever) }
        guard request.receivedTimeout.isSet || request.maxStreamDuration.isSet else { return }
        if request.receivedTimeout.isSet, let message = connection.request {
            receivedDeadline = message.began + request.receivedTimeout.over(.forever)
        }
        if request.maxStreamDuration.isSet { durationDeadline = startedAt + request.maxStreamDuration.over(.forever) }
        armDeadline()
    }

    /// True: the exchange has ended for it.
    func clientDeadlinePassed(_ now: Instant) -> Bool {
        if now >= receivedDeadline {
            receivedDeadline = .distantFuture
            if isReceiving {
                if let client {
                    note("spec.timeout.http.requestReceivedTimeout", client.pointee.request.receivedTimeout)
                }
                failed(status: 408, .durationTimeout, detail.view)
                return true
            }
        }
        if now >= durationDeadline {
            durationDeadline = .distantFuture
            if let client {
                note("spec.connection.connectionLimit.maxStreamDuration", client.pointee.request.maxStreamDuration)
            }
            failed(status: 408, .durationTimeout, detail.view)
            return true
        }
        return false
    }

    /// The rest of the request is still waited for, and no response has begun.
    private var isReceiving: Bool {
        switch phase {
        case .routing, .admitting, .resolving, .connecting, .awaitingHead, .backingOff, .queued:
            downstream?.incoming.isComplete == false
        case .over, .relaying, .tunnel, .answering: false
        }
    }

    // MARK: the listener's own answers

    /// True: the request asked whether the gateway is well (`healthCheck.path`), and is answered.
    func answersHealthCheck(_ path: ByteView) -> Bool {
        guard let client, !client.pointee.healthCheckPath.isEmpty,
            path.equals(snapshot.text(client.pointee.healthCheckPath))
        else { return false }
        if worker.isDraining {
            answer(503, .none, "draining")
        } else {
            answer(200, .none, "well")
        }
        return true
    }

    /// What the backend is told in `:scheme`; nil: its own transport's (ClientTrafficPolicy `scheme`).
    var keptScheme: Scheme? {
        guard let client, client.pointee.request.preservesScheme else { return nil }
        return scheme == .https ? .https : .http
    }

    // MARK: what Envoy says besides (`headers.enableEnvoyHeaders`)

    /// How long the backend has, whose request it is, and which path it had before a rewrite.
    func writeEnvoyFields(_ message: RequestMessage, _ bytes: ByteView, to out: inout ByteBuffer) {
        if requestDeadline < .distantFuture {
            out.append("X-Envoy-Expected-Rq-Timeout-Ms: ")
            out.append(decimal: UInt64(max(0, (requestDeadline - worker.loop.now).milliseconds)))
            out.append("\r\n")
        }
        if !clientAddress.ip.isPrivate {
            out.append("X-Envoy-External-Address: ")
            clientAddress.ip.write(to: &out)
            out.append("\r\n")
        }
        if rewritesPath {
            out.append("X-Envoy-Original-Path: ")
            out.append(message.head.target.of(bytes))
            out.append("\r\n")
        }
    }

    private var rewritesPath: Bool {
        guard let rule, let backend else { return false }
        let rewrite =
            backend.pointee.filters.rewrite.isEmpty ? rule.pointee.filters.rewrite : backend.pointee.filters.rewrite
        return !rewrite.isEmpty && snapshot[rewrite, 0].pointee.path.kind != .none
    }

    /// How long the endpoint took to begin its response.
    func addServiceTime() {
        guard let client, client.pointee.request.enablesEnvoyHeaders else { return }
        addedResponseFields.append("X-Envoy-Upstream-Service-Time: ")
        addedResponseFields.append(decimal: UInt64(max(0, (worker.loop.now - attemptStarted).milliseconds)))
        addedResponseFields.append("\r\n")
    }

    /// The listener's last word on a response's head, which begins at `start` of the output (`headers.lateResponseHeaders`).
    func editResponse(_ downstream: ServerStream, from start: Int) {
        guard let client, let configuration, !client.pointee.lateResponseHeaders.isEmpty else { return }
        HeaderMutation(client.pointee.lateResponseHeaders, configuration.routes).edit(
            &downstream.output, from: start, scratch: &worker.headEditor.octets)
    }
}

extension IPAddress {
    /// Of networks that are nobody's on the internet (RFC 1918; RFC 4193; loopback).
    fileprivate var isPrivate: Bool {
        if isV4 { return v4 >> 24 == 10 || v4 >> 20 == 0xAC1 || v4 >> 16 == 0xC0A8 || isLoopback }
        return high >> 57 == 0x7E || isLoopback
    }
}
