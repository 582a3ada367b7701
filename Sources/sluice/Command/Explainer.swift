import Config
import Core
import HTTP
import Routing

/// Puts one request before the matcher that serves, on a snapshot of the plan, and writes down what it says.
enum Explainer {
    /// Candidates that are listed at most, on either side of the winner.
    static let candidateLimit = 20

    static func explain(_ request: ExplainedRequest, _ plan: GatewayPlan) -> RequestExplanation {
        var explanation = RequestExplanation(method: request.method, url: request.url)
        guard let socket = choose(request, plan, &explanation) else { return explanation }
        let wire = request.wire
        var head = RequestHead()
        var parser = RequestHeadParser()
        switch parser.parse(wire.view, into: &head, limits: .request) {
        case .complete: break
        case .incomplete: return explanation.refused(400, "the request's head is not complete")
        case .refused(let refusal): return explanation.refused(refusal.status, "\(refusal.reason)")
        }
        let bytes = wire.view
        if head.method == .connect { return explanation.refused(501, "CONNECT is not served") }
        var normalised = ByteBuffer()
        if head.targetForm != .asterisk {
            switch PathNormalizer.normalise(path: head.path.of(bytes), into: &normalised) {
            case .unchanged, .rewritten: break
            case .redirect:
                return explanation.refused(307, "escaped slashes in the path: redirected to \(normalised.view.string)")
            case .refused(let refusal): return explanation.refused(refusal.status, "\(refusal.reason)")
            }
        }
        let path = normalised.isEmpty ? head.path.of(bytes) : normalised.view
        explanation.path = path.string
        explanation.host = head.host.of(bytes).string
        let ids = plan.sockets.indices.map { UInt32($0 + 1) }
        do throws(SnapshotBuildError) {
            let block = try SnapshotBuilder.buildBlock(
                plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: ids)
            guard let snapshot = block.snapshot else { preconditionFailure("the builder made no snapshot") }
            let table = RouteTable(snapshot: snapshot, cache: PatternCache())
            let reading = SnapshotReading(snapshot, plan)
            let place = snapshot[snapshot.header.pointee.sockets, socket]
            if let listener = Self.groupListener(head.host.of(bytes), place, table) {
                return explainCall(request, head, bytes, path, socket, listener, table, reading, explanation)
            }
            let found = table.explain(
                socket: UInt32(socket), head: head, bytes: bytes, host: head.host.of(bytes), path: path,
                limit: candidateLimit)
            reading.fill(&explanation, found)
            if found.decision.outcome != .noListener {
                let listener = snapshot[snapshot.header.pointee.listeners, Int(found.decision.listener)]
                explanation.authorization = reading.authorization(listener.pointee.authorization)
            }
        } catch {
            return explanation.refused(500, error.description)
        }
        return explanation
    }

    /// The socket that the request would reach: the URL's port, and of several addresses the URL's own, else the wildcard.
    private static func choose(
        _ request: ExplainedRequest, _ plan: GatewayPlan, _ explanation: inout RequestExplanation
    ) -> Int? {
        let usual: UInt16 = request.isSecure ? 443 : 80
        var port = request.port ?? usual
        let ports = Set(plan.sockets.map(\.address.port))
        if request.port == nil, !ports.contains(usual), ports.count == 1, let only = ports.first {
            port = only
            explanation.notes.append("the URL has no port; taken for \(only), the only one that is listened on")
        }
        let near = plan.sockets.indices.filter {
            plan.sockets[$0].address.port == port && plan.sockets[$0].transport == .tcp
        }
        let bare = request.host.hasPrefix("[") ? String(request.host.dropFirst().dropLast()) : request.host
        let address = IPAddress(bare)
        let chosen =
            near.first { plan.sockets[$0].address.ip == address } ?? near.first { plan.sockets[$0].address.ip.isAny }
            ?? near.first
        if chosen == nil, let ofGroup = plan.sockets.firstIndex(where: { $0.listeners.contains { $0.group != nil } }) {
            explanation.address = plan.sockets[ofGroup].address.description
            explanation.notes.append(
                "nothing listens on port \(port); taken for a call that is brought to a group's gateway")
            return ofGroup
        }
        guard let chosen else {
            let known = plan.sockets.map(\.address.description).joined(separator: ", ")
            explanation.status = nil
            explanation.verdict =
                "nothing listens on port \(port)" + (known.isEmpty ? "" : "; the listeners are on \(known)")
            return nil
        }
        explanation.address = plan.sockets[chosen].address.description
        if let mismatch = mismatch(request, plan.sockets[chosen]) {
            explanation.status = mismatch.status
            explanation.verdict = mismatch.text
            return nil
        }
        if near.count > 1, address == nil {
            explanation.notes.append("port \(port) is listened on at \(near.count) addresses; this is one of them")
        }
        return chosen
    }
}

/// What is spoken on a socket, beside the URL.
extension Explainer {
    /// Why the request does not get to the routes of this socket, with its answer if there is one; nil: it does.
    fileprivate static func mismatch(
        _ request: ExplainedRequest, _ socket: SocketPlan
    ) -> (status: UInt16?, text: String)? {
        guard let first = socket.listeners.first?.listenerProtocol, first != .hbone else { return nil }
        guard first.beginsWithTLS else {
            if !first.isHTTP { return (nil, "\(socket.address) passes on whatever comes; its TCPRoute says where") }
            return request.isSecure ? (nil, "the listeners of \(socket.address) speak no TLS; write http://") : nil
        }
        guard request.isSecure else { return (nil, "the listeners of \(socket.address) speak TLS; write https://") }
        guard let named = listener(for: request.host, of: socket) else {
            return (nil, "no listener of \(socket.address) has this server name: the handshake is refused")
        }
        guard named.listenerProtocol.isHTTP else {
            return (nil, "listener '\(named.name)' passes on what comes for this server name; its TLSRoute says where")
        }
        let written = request.headers.first { $0.name.lowercased() == "host" }?.value ?? request.host
        let host = String(written.lowercased().prefix { $0 != ":" })
        guard let other = listener(for: host, of: socket), other.position != named.position else { return nil }
        return (421, "the handshake was for listener '\(named.name)', the Host belongs to '\(other.name)'")
    }

    /// The most specific listener for a name, as SNI chooses.
    private static func listener(for name: String, of socket: SocketPlan) -> ListenerPlan? {
        let name = name.lowercased()
        func rank(_ hostname: String) -> Int? {
            if hostname.isEmpty { return 0 }
            if hostname == name { return .max }
            guard hostname.hasPrefix("*."), name.hasSuffix(hostname.dropFirst()), name.count >= hostname.count else {
                return nil
            }
            return hostname.count
        }
        return socket.listeners.compactMap { listener in rank(listener.hostname).map { ($0, listener) } }
            .max { $0.0 < $1.0 }?.1
    }
}

/// Turns records of a snapshot into words.
struct SnapshotReading {
    let snapshot: Snapshot
    let header: SnapshotHeader
    let plan: GatewayPlan

    init(_ snapshot: Snapshot, _ plan: GatewayPlan) {
        self.snapshot = snapshot
        header = snapshot.header.pointee
        self.plan = plan
    }

    func fill(_ explanation: inout RequestExplanation, _ found: RouteExplanation) {
        switch found.decision.outcome {
        case .noListener:
            explanation.status = 404
            explanation.verdict = "no listener of the address has this host"
        case .noRoute:
            explanation.status = 404
            explanation.verdict = "no route of the listener matches"
            explanation.listener = listener(found.decision.listener)
        case .rule:
            explanation.status = nil
            explanation.verdict = ""
            explanation.listener = listener(found.decision.listener)
            explanation.rule = rule(found.decision.rule)
        }
        explanation.omittedNearer = found.omittedBefore
        explanation.omitted = found.omittedBefore + found.omittedAfter
        for candidate in found.candidates { explanation.candidates.append(self.candidate(candidate)) }
    }

    func place(_ position: SourcePosition) -> RequestExplanation.Place {
        let file =
            position.file < header.files.count
            ? snapshot.text(snapshot[header.files, Int(position.file)].pointee).string : ""
        return .init(file: file, line: Int(position.line), column: Int(position.column))
    }

    func listener(_ index: UInt32) -> RequestExplanation.Listener {
        let record = snapshot[header.listeners, Int(index)].pointee
        return .init(
            gateway: snapshot.text(record.gatewayNamespace).string + "/" + snapshot.text(record.gatewayName).string,
            name: snapshot.text(record.name).string, hostname: snapshot.text(record.hostname).string,
            place: place(record.position), policies: policies(ofListener: Int(index)))
    }

    private func route(_ index: UInt32) -> RequestExplanation.Route {
        let record = snapshot[header.routes, Int(index)].pointee
        return .init(
            kind: snapshot.text(record.kind).string, name: snapshot.text(record.qualifiedName).string,
            place: place(record.position))
    }

    func rule(_ index: UInt32) -> RequestExplanation.Rule {
        let record = snapshot[header.rules, Int(index)].pointee
        var rule = RequestExplanation.Rule(
            route: route(record.route), index: Int(record.index), name: snapshot.text(record.name).string,
            place: place(record.position))
        // What was decided stands in the plan too, in plain values.
        let planned = plan.routes[Int(record.route)].rules[Int(record.index)]
        rule.filters = FilterWords.lines(planned.filters, plan) + FilterWords.lines(planned.traffic)
        // The route's own word goes before a policy's.
        let traffic = planned.traffic
        if let time = planned.requestTimeout ?? traffic.timeouts.request?.amount, time > .zero {
            rule.requestTimeout = time
        }
        if let time = planned.backendRequestTimeout ?? traffic.retry?.attemptTimeout?.amount, time > .zero {
            rule.backendRequestTimeout = time
        }
        rule.retry = planned.retry ?? traffic.retry?.retry
        rule.policies = planned.policies.map(policy)
        rule.releases = ReleaseWords.lines(planned).map { ($0.title, $0.text, place($0.position)) }
        let total = planned.backends.reduce(0) { $0 + UInt64($1.weight) }
        for backend in planned.backends {
            var endpoints: [String] = []
            var answer: UInt16?
            var dnsName: String?
            var balancing: String?
            switch backend.target {
            case .cluster(let number):
                endpoints = plan.clusters[number].endpoints.map {
                    $0.unixPath.isEmpty ? $0.address.description : "unix:\($0.unixPath)"
                }
                if plan.clusters[number].dynamicResolver != nil { endpoints = ["the request's own host"] }
                balancing = BalancingWords.text(plan.clusters[number])
                let names = plan.clusters[number].dnsNames.map(\.name)
                dnsName = names.isEmpty ? nil : names.joined(separator: ", ")
            case .answer(let status): answer = status
            }
            rule.backends.append(
                .init(
                    name: backend.name, weight: backend.weight,
                    share: total == 0 ? 0 : Double(backend.weight) / Double(total), endpoints: endpoints,
                    dnsName: dnsName, answer: answer, filters: FilterWords.lines(backend.filters, plan),
                    balancing: balancing, place: placeOfPlan(backend.position)))
        }
        return rule
    }

    /// Listeners stand in the snapshot in the order of the plan's sockets.
    private func policies(ofListener index: Int) -> [RequestExplanation.Policy] {
        var left = index
        for socket in plan.sockets {
            if left < socket.listeners.count { return socket.listeners[left].policies.map(policy) }
            left -= socket.listeners.count
        }
        return []
    }

    private func policy(_ plan: AppliedPolicyPlan) -> RequestExplanation.Policy {
        var problem = ""
        let role: String
        switch plan.role {
        case .effective: role = "effective"
        case .base: role = "base"
        case .refused(let why): (role, problem) = ("refused", why)
        }
        return .init(kind: plan.kind, name: plan.name, role: role, problem: problem, place: place(plan.position))
    }

    private func placeOfPlan(_ position: SourcePosition) -> RequestExplanation.Place { place(position) }

    private func candidate(_ candidate: RouteExplanation.Candidate) -> RequestExplanation.Candidate {
        let match = candidate.match.pointee
        let rule = snapshot[header.rules, Int(match.rule)].pointee
        let verdict: RequestExplanation.Candidate.Verdict
        var predicate: String?
        switch candidate.verdict {
        case .won: verdict = .won
        case .outranked: verdict = .outranked
        case .lost(let failed):
            verdict = .lost
            predicate = RouteExplanation.describe(failed, in: snapshot)
        }
        return .init(
            route: route(rule.route), rule: Int(rule.index), match: Int(match.match), words: words(match),
            hostname: candidate.hostname, listener: listener(candidate.listener).name, verdict: verdict,
            predicate: predicate, place: place(match.position))
    }

    /// A match as a person would say it: `prefix /cart, header x-version: v2`.
    private func words(_ match: MatchConfig) -> String {
        let path = snapshot.text(match.path).string
        var parts: [String] = []
        switch match.pathKind {
        case .exact: parts.append("path \(path)")
        case .prefix: parts.append("prefix \(path.isEmpty ? "/" : path)")
        case .regularExpression, .lateExpression: parts.append("path ~ \(path)")
        }
        if !match.methodText.isEmpty { parts.append("method \(snapshot.text(match.methodText).string)") }
        for i in 0..<Int(match.headers.count) { parts.append("header " + words(snapshot[match.headers, i].pointee)) }
        for i in 0..<Int(match.queryParams.count) {
            parts.append("query " + words(snapshot[match.queryParams, i].pointee))
        }
        for i in 0..<Int(match.cookies.count) { parts.append("cookie " + words(snapshot[match.cookies, i].pointee)) }
        return parts.joined(separator: ", ")
    }

    private func words(_ match: ValueMatchConfig) -> String {
        let sign =
            switch match.kind {
            case .exact: ": "
            case .regularExpression: " ~ "
            }
        return snapshot.text(match.name).string + sign + snapshot.text(match.value).string
    }
}
