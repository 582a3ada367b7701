import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry

/// From a request's head to the backend it goes to, or to the answer that the gateway gives itself.
extension Exchange {
    func route(_ connection: ServerStream) {
        guard let message = connection.request, let configuration,
            let socket = configuration.index(ofSocket: connection.origin.socketID)
        else {
            // The listener is gone, or nothing was ever published: nobody serves this.
            connection.closesAfterResponse = true
            return answer(404, .noRoute, "no listener serves this address any more")
        }
        // What follows a CONNECT is the tunnel's; where there is none, it must not be read as requests.
        if message.head.method == .connect, connection.majorVersion == 1 { connection.closesAfterResponse = true }
        let place = snapshot[snapshot.header.pointee.sockets, Int(socket)]
        if place.pointee.client.hasPolicies, let client = clientPolicy(connection, on: place, in: configuration),
            !receive(connection, under: client, configuration)
        {
            return
        }
        if !place.pointee.carried.isEmpty { inherit(place.pointee.carried, connection) }
        let bytes = connection.headBytes
        if message.head.method == .post { recogniseGRPC(message, bytes) }
        guard message.head.method != .connect else {
            return connect(message, bytes, place)
        }
        if message.head.targetForm != .asterisk {
            switch normalise(message.head.path.of(bytes)) {
            case .unchanged, .rewritten: break
            case .redirect: return redirectToNormalised(message, bytes)
            case .refused(let refusal): return answer(refusal.status, .downstreamProtocolError, refusal.reason)
            }
        }
        if client != nil, answersHealthCheck(path(message, bytes)) { return }
        if let listener = groupListener(connection, place) {
            guard !isOnHBONE(connection, listener) else {
                return answer(400, .downstreamProtocolError, "a listener of HBONE takes CONNECT alone")
            }
            return routeCall(message, bytes, listener, socket, configuration)
        }
        if hasLostItsGroup(connection) { return answer(421, .noRoute, "the listener of this connection is gone") }
        decide(message, bytes, socket, configuration)
        if isMisdirected(connection) { return answerMisdirected() }
        if decision.outcome != .noListener,
            !isPermitted(listener.pointee.authorization, port: listenerPort, message, bytes, configuration)
        {
            return
        }
        switch decision.outcome {
        case .noListener: answer(404, .noRoute, "no listener has this host")
        case .noRoute: answer(404, .noRoute, "no route matches this request")
        case .rule: follow(configuration.rule(decision.rule), message, bytes)
        }
    }

    /// By the routes of the listeners; of a group's listeners for hosts outside of the group.
    func decide(
        _ message: RequestMessage, _ bytes: ByteView, _ socket: UInt32, _ configuration: LiveConfiguration
    ) {
        decision = configuration.routes.decide(
            socket: socket, head: message.head, bytes: bytes, host: message.head.host.of(bytes),
            path: path(message, bytes))
    }

    /// The certificate that was shown is another listener's (Gateway API, listeners[].hostname; RFC 9110, 15.5.20).
    func isMisdirected(_ connection: ServerStream) -> Bool {
        connection.origin.isSecure && decision.outcome != .noListener
            && listener.pointee.identity != connection.origin.listenerIdentity
    }

    func answerMisdirected() {
        answer(421, .noRoute, "this host is served under another certificate: connect anew")
    }

    private func normalise(_ path: ByteView) -> PathOutcome {
        guard let client else { return PathNormalizer.normalise(path: path, into: &normalisedPath) }
        return PathNormalizer.normalise(
            path: path, into: &normalisedPath, escapedSlashes: client.pointee.request.escapedSlashesAction,
            mergesSlashes: client.pointee.request.mergesSlashes)
    }

    /// Every call of gRPC is a POST (gRPC over HTTP/2, "Requests").
    private func recogniseGRPC(_ message: RequestMessage, _ bytes: ByteView) {
        isGRPC = GRPCStatus.isGRPC(message.head.fields, bytes)
        if !isGRPC, let form = GRPCWeb(message.head.fields, bytes) { grpcWeb = GRPCWebCall(form) }
    }

    /// As it is matched and forwarded, before any rewrite.
    func path(_ message: RequestMessage, _ bytes: ByteView) -> ByteView {
        normalisedPath.isEmpty ? message.head.path.of(bytes) : normalisedPath.view
    }

    func query(_ message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        message.head.hasQuery ? message.head.query.of(bytes) : nil
    }

    func follow(_ rule: UnsafePointer<RuleConfig>, _ message: RequestMessage, _ bytes: ByteView) {
        self.rule = rule
        setDeadlines(rule)
        if let grpcWeb, translatesGRPCWeb(rule) { grpcWeb.translate() }
        if isGRPC || grpcWeb != nil, let timeout = GRPCTimeout.parse(message.head.fields, bytes) {
            setDeadline(askedFor: timeout)
        }
        if !rule.pointee.filters.cors.isEmpty, CORSFilter.isPreflight(message.head) {
            return answerPreflight(rule.pointee.filters, message, bytes)
        }
        if refusesUpgrade(message, bytes) {
            return answer(403, .none, "the route does not upgrade to this protocol")
        }
        admit()
    }

    /// Chooses a backend of the rule and sends the request there, or gives the answer that a filter asks for.
    func goToBackend() {
        guard let rule, let downstream, let message = downstream.request else {
            preconditionFailure("a request without its head or its rule")
        }
        let bytes = downstream.headBytes
        worker.trapIfAsked(message.head.target.of(bytes))
        if !rule.pointee.filters.directResponse.isEmpty { return answerDirectly(rule.pointee.filters, message, bytes) }
        if !rule.pointee.filters.redirect.isEmpty { return redirect(rule.pointee.filters, message, bytes) }
        guard let backend = chooseBackend(rule, message, bytes) else {
            return answer(500, .noCluster, "the route has no valid backend")
        }
        self.backend = backend
        if !backend.pointee.filters.cors.isEmpty, CORSFilter.isPreflight(message.head) {
            return answerPreflight(backend.pointee.filters, message, bytes)
        }
        if !backend.pointee.filters.redirect.isEmpty { return redirect(backend.pointee.filters, message, bytes) }
        guard backend.pointee.cluster != BackendConfig.invalid, let configuration else {
            return answer(backend.pointee.status, .noCluster, "the route's backend is not valid")
        }
        if let refusal = rewriteByExpression(message, bytes) {
            return answer(refusal.status, .downstreamProtocolError, refusal.reason)
        }
        let config = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)]
        guard config.pointee.dynamicResolver.isEmpty else { return resolveHost(config, message, bytes) }
        cluster = configuration.cluster(backend.pointee.cluster, of: worker)
        goOn(message)
    }

    /// The cluster is known.
    func goOn(_ message: RequestMessage) {
        guard let rule else { preconditionFailure("a request without its rule") }
        retriesLeft = rule.pointee.retry.attempts
        prepareBody(message)
        prepareHedge(message)
        if !goesElsewhere() { attempt() }
    }

    /// Of GRPCRoutes, unless the listener's policy says otherwise (`grpc.enableWeb`).
    private func translatesGRPCWeb(_ rule: UnsafePointer<RuleConfig>) -> Bool {
        switch client?.pointee.request.grpcWeb ?? .grpcRoutes {
        case .everywhere: true
        case .nowhere: false
        case .grpcRoutes: isOfGRPC(rule)
        }
    }

    private func isOfGRPC(_ rule: UnsafePointer<RuleConfig>) -> Bool {
        let route = snapshot[snapshot.header.pointee.routes, Int(rule.pointee.route)]
        return snapshot.text(route.pointee.kind).equals("GRPCRoute")
    }

    private func redirect(_ filters: FilterConfig, _ message: RequestMessage, _ bytes: ByteView) {
        redirect(snapshot[filters.redirect, 0].pointee, message, bytes, .none)
    }

    func redirect(_ config: RedirectConfig, _ message: RequestMessage, _ bytes: ByteView, _ reason: ReasonCode) {
        var location = ByteBuffer(capacity: 256)
        location.append("location: ")
        RedirectFilter.writeLocation(
            config, in: snapshot,
            RedirectFilter.Request(
                scheme: scheme, host: message.head.host.of(bytes), listenerPort: port(asCalledBy: message),
                path: path(message, bytes), query: query(message, bytes),
                matchedPrefixLength: decision.matchedPrefixLength),
            to: &location)
        location.append("\r\n")
        appendResponseFields(to: &location, message, bytes)
        answer(config.statusCode, reason, "", fields: location.view)
    }

    private func answerDirectly(_ filters: FilterConfig, _ message: RequestMessage, _ bytes: ByteView) {
        var fields = ByteBuffer()
        appendResponseFields(to: &fields, message, bytes)
        answer(snapshot[filters.directResponse, 0], status: 200, .none, fields: fields.view)
    }

    /// `UnescapeAndRedirect`: the client is sent to the path that will be matched, so that no two readings of it remain.
    private func redirectToNormalised(_ message: RequestMessage, _ bytes: ByteView) {
        var location = ByteBuffer(capacity: 256)
        location.append("location: ")
        location.append(normalisedPath.view)
        if let query = query(message, bytes) {
            location.append(byte: ASCII.question)
            location.append(query)
        }
        location.append("\r\n")
        answer(307, .none, "", fields: location.view)
    }

    private func answerPreflight(_ filters: FilterConfig, _ message: RequestMessage, _ bytes: ByteView) {
        guard let filter = CORSFilter(filters, in: snapshot) else { preconditionFailure("a CORS filter has gone") }
        var fields = ByteBuffer(capacity: 512)
        filter.writePreflight(message.head, bytes, to: &fields)
        answer(CORSFilter.preflightStatus, .none, "", fields: fields.view)
    }

    /// What ResponseHeaderModifier and CORS of the rule add, also to an answer of our own that a filter asked for.
    private func appendResponseFields(to buffer: inout ByteBuffer, _ message: RequestMessage, _ bytes: ByteView) {
        guard let rule else { return }
        HeaderEdits(rule: rule.pointee.filters.responseHeaders, in: snapshot).appendLines(to: &buffer)
        CORSFilter(rule.pointee.filters, in: snapshot)?.writeActual(message.head, bytes, to: &buffer)
    }

    var listener: UnsafePointer<ListenerConfig> {
        snapshot[snapshot.header.pointee.listeners, Int(decision.listener)]
    }

    var listenerPort: UInt16 { listener.pointee.port }

    /// A member of a group is called at the port of its own URL, by whichever listener the call came here.
    private func port(asCalledBy message: RequestMessage) -> UInt16 {
        call == nil ? listenerPort : message.head.port ?? (scheme == .https ? 443 : 80)
    }

    /// As the client sees it.
    var scheme: RequestScheme { downstream?.origin.isSecure == true ? .https : .http }
}
