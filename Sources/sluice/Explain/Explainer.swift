import Config
import Core
import HTTP
import Routing

/// Puts one request or connection before the code that serves, on a snapshot of the plan, and writes down what it says.
final class Explainer {
    /// Candidates that are listed at most, on either side of the winner.
    static let candidateLimit = 20

    let plan: GatewayPlan
    let caller: ExplainedCaller
    /// The Gateway that is asked, `namespace/name`; nil: whichever takes the call.
    let gateway: String?
    let table: RouteTable
    let reading: SnapshotReading
    /// What the table and the reading look into.
    private let block: SnapshotBlock

    private init(
        _ plan: GatewayPlan, _ caller: ExplainedCaller, _ gateway: String?
    ) throws(SnapshotBuildError) {
        self.plan = plan
        self.caller = caller
        self.gateway = gateway
        let ids = plan.sockets.indices.map { UInt32($0 + 1) }
        let built = try SnapshotBuilder.buildBlock(plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: ids)
        guard let snapshot = built.snapshot else { preconditionFailure("the builder made no snapshot") }
        table = RouteTable(snapshot: snapshot, cache: PatternCache())
        reading = SnapshotReading(snapshot, plan)
        block = built
    }

    static func explain(
        _ subject: ExplainedSubject, _ plan: GatewayPlan, from caller: ExplainedCaller, askedOf gateway: String? = nil
    ) -> Explanation {
        var explanation: Explanation
        switch subject {
        case .request(let request): explanation = Explanation(.request(method: request.method, url: request.url))
        case .connection(let connection):
            explanation = Explanation(
                .connection(
                    target: connection.text, serverName: connection.serverName, isOctets: connection.isOctets))
        }
        explanation.notes = caller.notes
        if caller.isGiven { explanation.caller = caller.words }
        do throws(SnapshotBuildError) {
            let explainer = try Explainer(plan, caller, gateway)
            defer { withExtendedLifetime(explainer.block) {} }
            switch subject {
            case .request(let request): return explainer.settled(explainer.explain(request, explanation))
            case .connection(let connection): return explainer.settled(explainer.explain(connection, explanation))
            }
        } catch {
            return explanation.refused(500, error.description)
        }
    }

    var snapshot: Snapshot { table.snapshot }

    func socket(_ index: Int) -> UnsafePointer<SocketConfig> { snapshot[snapshot.header.pointee.sockets, index] }

    func listener(_ index: UInt32) -> UnsafePointer<ListenerConfig> {
        snapshot[snapshot.header.pointee.listeners, Int(index)]
    }

    // MARK: requests

    private func explain(_ asked: ExplainedRequest, _ begun: Explanation) -> Explanation {
        var explanation = begun
        if let connection = passedOn(asked) {
            explanation.isPassedOn = true
            explanation.host = connection.host
            explanation.notes.append(
                "TLS of the caller's own, which no listener of port \(connection.port) takes: explained as "
                    + "--connect \(connection.text)"
                    + (connection.serverName.map { $0.isEmpty ? "" : " --sni \($0)" } ?? ""))
            return explain(connection, explanation)
        }
        guard let (number, carrier) = choose(asked, &explanation) else { return explanation }
        let isBrought = carrier != nil
        let request = inheriting(asked, plan.sockets[number].carried, &explanation)
        let parsed = ParsedRequest(request)
        defer { withExtendedLifetime(parsed) {} }
        if let refusal = parsed.refusal { return explanation.refused(refusal.status, refusal.reason) }
        explanation.path = parsed.path.string
        explanation.host = parsed.host.string
        let place = socket(number)
        if let listener = carrier ?? groupListener(parsed.host, place) {
            if !isBrought, self.listener(listener).pointee.listenerProtocol == .hbone {
                explanation.notes.append("HBONE takes CONNECT alone: taken for a request inside of one")
            }
            let destination = isBrought ? request.destination : nil
            explanation = explainCall(request, parsed, number, listener, to: destination, explanation)
        } else {
            let found = table.explain(
                socket: UInt32(number), head: parsed.head, bytes: parsed.bytes, host: parsed.host, path: parsed.path,
                limit: Self.candidateLimit)
            guard found.decision.outcome != .noListener else {
                reading.fill(&explanation, found)
                return explanation
            }
            let listener = listener(found.decision.listener)
            explanation.listener = reading.listener(found.decision.listener)
            guard
                permits(
                    listener.pointee.authorization, port: listener.pointee.port, on: listener, request, parsed,
                    &explanation)
            else { return explanation.refused(403, "RBAC: access denied") }
            reading.fill(&explanation, found)
        }
        if let target = refusedTarget(of: explanation.rule, parsed.host.string, parsed.head.port ?? request.usualPort) {
            explanation.fail(403, target)
        } else {
            addFallback(&explanation, mark: request.has("x-sluice-hop"))
        }
        return explanation
    }

    /// The socket that the request would reach: the URL's port, and of several addresses the URL's own, else the wildcard.
    private func choose(
        _ request: ExplainedRequest, _ explanation: inout Explanation
    ) -> (socket: Int, carrier: UInt32?)? {
        let usual = request.usualPort
        var port = request.port ?? usual
        let ports = Set(plan.sockets.map(\.address.port))
        if request.port == nil, !ports.contains(usual), ports.count == 1, let only = ports.first {
            port = only
            explanation.notes.append("the URL has no port; taken for \(only), the only one that is listened on")
        }
        let near = sockets(of: port)
        let address = IPAddress(request.bareHost)
        let chosen =
            near.first { plan.sockets[$0].address.ip == address } ?? near.first { plan.sockets[$0].address.ip.isAny }
            ?? near.first
        if chosen == nil, let carrier = carrier(of: request.bareHost) {
            explanation.address = plan.sockets[carrier.socket].address.description
            explanation.notes.append(
                "nothing listens on port \(port); taken for a call that is brought to a group's gateway")
            note(carrier, &explanation)
            return (carrier.socket, carrier.listener)
        }
        guard let chosen else {
            let known = plan.sockets.map(\.address.description).joined(separator: ", ")
            explanation.verdict =
                "nothing listens on port \(port)" + (known.isEmpty ? "" : "; the listeners are on \(known)")
            return nil
        }
        explanation.address = plan.sockets[chosen].address.description
        if let mismatch = Self.mismatch(request, plan.sockets[chosen]) {
            explanation.status = mismatch.status
            explanation.verdict = mismatch.text
            return nil
        }
        if near.count > 1, address == nil {
            explanation.notes.append("port \(port) is listened on at \(near.count) addresses; this is one of them")
        }
        return (chosen, nil)
    }

    /// With the fields that its `baggage` tells (`sluice.dev/carry`). What was noted of its trace only a running gateway
    /// knows.
    private func inheriting(
        _ asked: ExplainedRequest, _ carried: [CarriedFieldPlan], _ explanation: inout Explanation
    ) -> ExplainedRequest {
        var request = asked
        for field in carried {
            explanation.carried.append("\(field.name), in baggage as '\(field.baggageKey)'")
            guard !asked.has(field.name), let value = asked.baggage(field.baggageKey) else { continue }
            request.headers.append((field.name, value))
            explanation.notes.append("'\(field.name): \(value)' is taken from the baggage, as sluice.dev/carry has it")
        }
        return request
    }
}

extension ExplainedRequest {
    /// Without the brackets of an IPv6 literal.
    var bareHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }

    /// The port of a URL without one.
    var usualPort: UInt16 { isSecure ? 443 : 80 }

    /// The address that is dialled, where the host is one.
    fileprivate var destination: SocketAddress? {
        IPAddress(bareHost).map { SocketAddress(ip: $0, port: port ?? (isSecure ? 443 : 80)) }
    }

    /// The value of an entry of the request's baggage; nil: there is none that can be carried.
    fileprivate func baggage(_ key: String) -> String? {
        for (name, text) in headers where name.lowercased() == "baggage" {
            let found: String? = text.withView { view in
                var members = Baggage.Members(view)
                while let member = members.next() {
                    if member.key.string == key, Baggage.canHold(member.value) { return member.value.string }
                }
                return nil
            }
            if let found { return found }
        }
        return nil
    }
}
