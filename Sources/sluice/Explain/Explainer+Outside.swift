import Config
import Core
import Routing

/// Connections that name whom they want by a server name, and those that leave the group.
extension Explainer {
    // MARK: by name

    /// On a listener of a group: to the member that the server name says, else by the Gateway's own routes.
    func explainByName(
        _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        guard case .tls(let name) = spoken, !name.isEmpty else {
            return relay(by: "".withView { table.streamRule(for: $0, of: listener) }, "", listener, begun)
        }
        return caller.namespace.withView { namespace in
            name.withView { host in
                let wish = PortWish.passedOn(listener: listener.pointee.port)
                let lookup = table.lookUp(host: host, wish, from: namespace, in: listener.pointee.group)
                switch lookup {
                case .member(let call): return explainMember(call, spoken, namespace, nil, listener, begun)
                case .noPort, .ambiguous:
                    return begun.refused(
                        nil, "reset: " + refusal(lookup, name, listener.pointee.port, in: listener.pointee.group))
                case .outside: return explainOutside(nil, spoken, listener, begun)
                }
            }
        }
    }

    // MARK: TLS that ends here

    /// Within TLS that a group's listener answers: to the member that the server name means, as its port declares; else to
    /// where a route of the Gateway leads.
    func explainOpened(
        _ name: String, _ asked: ExplainedConnection, _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        let url = "https://\(name):\(asked.port)/"
        return caller.namespace.withView { namespace in
            name.withView { host in
                let wish = PortWish.request(port: nil, listener: listener.pointee.port, isSecure: true)
                let group = listener.pointee.group
                let lookup = host.isEmpty ? .outside : table.lookUp(host: host, wish, from: namespace, in: group)
                switch lookup {
                case .noPort, .ambiguous:
                    return explanation.refused(
                        nil, "closed: " + refusal(lookup, name, listener.pointee.port, in: group))
                case .member(let call):
                    explanation.member = member(call, from: namespace)
                    switch table.memberPort(call).pointee.memberProtocol {
                    case .http: return ofRequests(url, explanation)
                    case .tls:
                        return explanation.refused(nil, "closed: the port wants the caller's own TLS, which ends here")
                    case .tcp: break
                    case .undeclared:
                        explanation.notes.append(
                            "nobody declares what is spoken inside: taken for octets; of requests --url \(url) tells")
                    }
                    return explainMember(call, .tls(name), namespace, nil, listener, explanation)
                case .outside:
                    if let rule = table.streamRule(for: host, of: listener) {
                        return relay(by: rule, name, listener, explanation)
                    }
                    if table.hasRequests(for: host, of: listener) { return ofRequests(url, explanation) }
                    return explanation.refused(nil, "closed: no service of the group and no route has '\(name)'")
                }
            }
        }
    }

    /// What is inside is served request by request.
    func ofRequests(_ url: String, _ begun: Explanation) -> Explanation {
        var explanation = begun
        let declared = begun.member == nil ? "requests, as the route has it" : "requests, as the port declares"
        explanation.spoken = (begun.spoken.map { $0 + "; " } ?? "") + declared
        explanation.outlet =
            "the routes of the \(begun.member == nil ? "Gateway" : "service"), request by request: ask with --url \(url)"
        return explanation
    }

    // MARK: outside

    /// - Parameter asked: nil: it dialled the listener itself, and its server name alone says whom it wants.
    func explainOutside(
        _ asked: ExplainedConnection?, _ spoken: Spoken, _ listener: UnsafePointer<ListenerConfig>,
        _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        guard
            permits(
                listener.pointee.authorization, port: listener.pointee.port, on: listener, destination: asked?.address,
                serverName: spoken.serverName, &explanation)
        else { return explanation.refused(nil, "reset: access denied") }
        var name = asked?.address == nil ? asked?.host ?? "" : ""
        if case .tls(let serverName) = spoken, !serverName.isEmpty {
            guard name.isEmpty || Self.isSame(name, serverName) else {
                explanation.egress = "denied: the server name '\(serverName)' is not the host that is called"
                return explanation.refused(nil, "reset: through one host nobody reaches another one")
            }
            name = serverName
        }
        switch name.withView({ table.wayOut(to: $0, by: listener) }) {
        case .asWritten(let rule):
            explanation.egress = "as written: a route of the Gateway has it"
            let written = reading.rule(rule)
            if name.isEmpty, written.backends.contains(where: { $0.endpoints == [SnapshotReading.ownHost] }) {
                return explanation.refused(
                    nil, "reset: the backend looks up the host that is called, and none is named")
            }
            explanation.rule = written
            let isNamed = written.backends.contains { $0.endpoints == [SnapshotReading.ownHost] }
            if isNamed, let target = refusedTarget(of: written, name, asked?.port ?? listener.pointee.port) {
                explanation.fail(nil, target)
            }
        case .asAsked:
            explanation.egress = "as asked (sluice.dev/egress: allow): no service of the group, no route of the Gateway"
            noteNearest(name, &explanation)
            // An address that was dialled is where it goes, whatever the handshake names.
            let target = asked?.address.map(\.description) ?? name
            let rule = table.group(listener.pointee.group).pointee.egressRule
            if rule != MemberPortConfig.none,
                let why = refusedTarget(of: reading.rule(rule), target, asked?.port ?? listener.pointee.port)
            {
                return explanation.refused(nil, "reset: " + why)
            }
            explanation.outlet = asked?.text ?? "\(name):\(listener.pointee.port)"
        case .denied:
            let host = name.isEmpty ? asked?.text ?? "" : name
            let hasRequests = name.withView { !$0.isEmpty && table.hasRequests(for: $0, of: listener) }
            guard !hasRequests else {
                explanation.egress =
                    "denied: the routes of the Gateway have its requests alone, as they are in clear text"
                return explanation.refused(
                    nil, "reset: \(host) is no service of the group, and no route lets more of it be reached")
            }
            explanation.egress = "denied: no route of the Gateway has it, and sluice.dev/egress lets nothing else out"
            noteNearest(name, &explanation)
            // A CONNECT to an address is let in where what comes inside may name a host.
            let connect = asked != nil && asked?.address == nil ? " (CONNECT: 403)" : ""
            return explanation.refused(
                nil,
                "reset\(connect): \(host) is no service of the group, and no route of the Gateway lets it be reached")
        }
        return explanation
    }

    /// Nobody says what a connection carries to a host that the Gateway's routes have for requests alone: the URL that asks
    /// about these; nil: it is not so.
    func ofRequestsOutside(
        _ asked: ExplainedConnection, _ listener: UnsafePointer<ListenerConfig>
    ) -> String? {
        guard asked.serverName == nil, !asked.isOctets, asked.address == nil else { return nil }
        return asked.host.withView { host in
            guard case .denied = table.wayOut(to: host, by: listener), table.hasRequests(for: host, of: listener) else {
                return nil
            }
            return "http://\(asked.text)/"
        }
    }

    /// Whatever their case, and with or without a dot at the end.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        func bare(_ name: String) -> String { name.count > 1 && name.hasSuffix(".") ? String(name.dropLast()) : name }
        return bare(a.lowercased()) == bare(b.lowercased())
    }
}
