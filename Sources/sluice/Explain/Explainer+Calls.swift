import Config
import Core
import HTTP
import Routing

/// Requests to the services of a group, and past them.
extension Explainer {
    /// - Parameter destination: the address that was dialled; nil: a name is called.
    func explainCall(
        _ request: ExplainedRequest, _ parsed: ParsedRequest, _ socket: Int, _ number: UInt32,
        to destination: SocketAddress?, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        explanation.listener = reading.listener(number)
        explanation.refusedHandshake = handshakeRefusal(of: number)
        let listener = listener(number)
        return caller.namespace.withView { namespace in
            let group = listener.pointee.group
            let lookup: CallLookup
            if let destination {
                lookup = table.lookUp(address: destination, in: group)
            } else {
                // A CONNECT says the port, which a Host need not.
                let usual: UInt16 = request.isSecure ? 443 : 80
                let wish: PortWish =
                    listener.pointee.listenerProtocol == .hbone
                    ? .exactly(parsed.head.port ?? usual)
                    : .request(port: parsed.head.port, listener: listener.pointee.port, isSecure: request.isSecure)
                lookup = table.lookUp(host: parsed.host, wish, from: namespace, in: group)
            }
            switch lookup {
            case .ambiguous, .noPort:
                let dialled = destination?.port ?? parsed.head.port ?? request.usualPort
                return explanation.refused(404, refusal(lookup, parsed.host.string, dialled, in: group))
            case .outside:
                guard
                    permits(
                        listener.pointee.authorization, port: listener.pointee.port, on: listener,
                        destination: destination, request, parsed, &explanation)
                else { return explanation.refused(403, "RBAC: access denied") }
                return explainOutside(parsed, socket, listener, explanation)
            case .member(let call):
                explanation.member = member(call, from: namespace)
                let port = table.memberPort(call)
                guard
                    permits(
                        port.pointee.authorization, port: port.pointee.number, on: listener, destination: destination,
                        request, parsed, &explanation)
                else { return explanation.refused(403, "RBAC: access denied") }
                let index = table.pathIndex(of: call, from: namespace)
                guard index != MemberPortConfig.none else {
                    return explanation.refused(404, "the service takes no requests of HTTP on this port")
                }
                let found = table.explain(
                    memberPathIndex: index, listener: number, head: parsed.head, bytes: parsed.bytes,
                    path: parsed.path, limit: Self.candidateLimit)
                reading.fill(&explanation, found)
                if found.decision.outcome != .rule { explanation.verdict = "no route of the service matches" }
                return explanation
            }
        }
    }

    /// By the routes of the Gateway, else by `sluice.dev/egress`.
    private func explainOutside(
        _ parsed: ParsedRequest, _ socket: Int, _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        let found = table.explain(
            socket: UInt32(socket), head: parsed.head, bytes: parsed.bytes, host: parsed.host, path: parsed.path,
            limit: Self.candidateLimit)
        let group = table.group(listener.pointee.group).pointee
        // Routes of others that share the socket are theirs.
        let isOwn =
            found.decision.outcome == .rule
            && self.listener(found.decision.listener).pointee.group == listener.pointee.group
        reading.fill(&explanation, found)
        if isOwn {
            explanation.egress = "as written: a route of the Gateway has it"
            return explanation
        }
        let host = parsed.host.string
        let hasHost = table.hasRequests(for: parsed.host, of: listener)
        if !hasHost { noteNearest(host, &explanation) }
        guard group.egress == .allow, group.egressRule != MemberPortConfig.none else {
            let has = hasHost ? "has the host, but none takes such a request" : "has it"
            explanation.egress =
                "denied: \(hasHost ? "a" : "no") route of the Gateway \(has), and sluice.dev/egress lets nothing else out"
            let lets = hasHost ? "takes this request to it" : "lets it be reached"
            return explanation.refused(
                403, "no service of the group is called \(host), and no route of the Gateway \(lets)")
        }
        explanation.egress =
            "as asked (sluice.dev/egress: allow): no service of the group, "
            + (hasHost
                ? "and a route of the Gateway has the host, but none takes such a request" : "no route of the Gateway")
        explanation.status = nil
        explanation.verdict = ""
        explanation.rule = reading.rule(group.egressRule)
        return explanation
    }

    /// Why nobody is meant by a name or an address of the group.
    /// - Parameter port: that was called.
    func refusal(_ lookup: CallLookup, _ host: String, _ port: UInt16, in group: UInt32) -> String {
        guard case .noPort(let number) = lookup else {
            return "services of several namespaces are called \(host); write name.namespace, or --from"
        }
        let member = snapshot[table.group(group).pointee.members, Int(number)].pointee
        let ports = (0..<Int(member.ports.count)).map { "\(snapshot[member.ports, $0].pointee.number)" }
        let has = "it has \(ports.joined(separator: ", "))"
        let name = snapshot.text(member.qualifiedName).string
        guard let address = IPAddress(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host) else {
            return "Service \(name) has no such port; \(has)"
        }
        let isOwn = plan.groups[Int(group)].members[Int(number)].addresses.contains(address)
        return "\(host) is the address of \(isOwn ? "" : "an endpoint of ")Service \(name), which has no port \(port); "
            + "\(has); name a service in Host"
    }

    func member(_ call: MemberCall, from namespace: ByteView) -> Explanation.Member {
        let record = table.member(call).pointee
        let port = table.memberPort(call).pointee
        let spoken =
            switch port.memberProtocol {
            case .undeclared: "nobody says what is spoken there"
            case .http: "http"
            case .tls: "tls"
            case .tcp: "tcp"
            }
        return .init(
            name: snapshot.text(record.qualifiedName).string, port: Int(port.number), spoken: spoken,
            routes: routes(of: call, from: namespace),
            share: Self.words(record.fairShare)
                + words(perCaller: table.group(call.group).pointee.connectionsPerCaller),
            isOneEndpoint: call.endpoint != nil, place: reading.place(record.position))
    }

    private func routes(of call: MemberCall, from namespace: ByteView) -> String {
        let port = table.memberPort(call).pointee
        if call.endpoint != nil {
            return "none: an endpoint is called by its own address, and routes are for who calls the Service"
        }
        let isConsumers =
            table.pathIndex(of: call, from: namespace) != port.pathIndex
            || table.streamRule(of: call, from: namespace) != port.streamRule
        if isConsumers {
            return "those of the caller's namespace '\(namespace.string)', in the place of the Service's own"
        }
        if port.pathIndex == port.directPathIndex, port.streamRule == port.directStreamRule {
            return "none: balanced over the Service's endpoints"
        }
        let others = (0..<Int(port.consumers.count)).map {
            snapshot.text(snapshot[port.consumers, $0].pointee.namespace).string
        }
        return "those of the Service's own namespace"
            + (others.isEmpty ? "" : "; callers in \(others.joined(separator: ", ")) have their own")
    }

    /// What a member has when something is short, and at most.
    private static func words(_ share: FairShareConfig) -> String {
        var quotas: [String] = []
        if share.maxConnections > 0 { quotas.append("\(share.maxConnections) calls at once") }
        if share.maxMemory > 0 { quotas.append("\(octets(share.maxMemory)) buffered") }
        return "weight \(share.weight)"
            + (quotas.isEmpty ? ", no quota" : ", at most \(quotas.joined(separator: " and "))")
    }

    private func words(perCaller limit: UInt32) -> String {
        limit == 0 ? "" : "; at most \(limit) connections of one caller to the gateway"
    }

    private static func octets(_ number: UInt64) -> String {
        let units = [(UInt64(1) << 30, "GiB"), (UInt64(1) << 20, "MiB"), (UInt64(1) << 10, "KiB")]
        guard let (size, unit) = units.first(where: { number >= $0.0 && number.isMultiple(of: $0.0) }) else {
            return "\(number) octets"
        }
        return "\(number / size) \(unit)"
    }
}
