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
                    return begun.refused(nil, "reset: " + refusal(lookup, name, in: listener.pointee.group))
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
                    return explanation.refused(nil, "closed: " + refusal(lookup, name, in: group))
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
        case .asAsked:
            explanation.egress = "as asked (sluice.dev/egress: allow): no service of the group, no route of the Gateway"
            if let address = asked?.address, address.isLocalTarget, !allowsLocalTargets(listener) {
                return explanation.refused(
                    nil, "reset: an address of this machine or its links (sluice.dev/allow-local-targets)")
            }
            explanation.outlet = asked?.text ?? "\(name):\(listener.pointee.port)"
        case .denied:
            explanation.egress = "denied: no route of the Gateway has it, and sluice.dev/egress lets nothing else out"
            let host = name.isEmpty ? asked?.text ?? "" : name
            // A CONNECT to an address is let in where what comes inside may name a host.
            let connect = asked != nil && asked?.address == nil ? " (CONNECT: 403)" : ""
            return explanation.refused(
                nil,
                "reset\(connect): \(host) is no service of the group, and no route of the Gateway lets it be reached")
        }
        return explanation
    }

    private func allowsLocalTargets(_ listener: UnsafePointer<ListenerConfig>) -> Bool {
        let group = plan.groups[Int(listener.pointee.group)]
        guard let route = group.egressRoute, let backend = plan.routes[route].rules.first?.backends.first,
            case .cluster(let number) = backend.target
        else { return false }
        return plan.clusters[number].dynamicResolver?.allowsLocalTargets ?? false
    }

    /// Whatever their case, and with or without a dot at the end.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        func bare(_ name: String) -> String { name.count > 1 && name.hasSuffix(".") ? String(name.dropLast()) : name }
        return bare(a.lowercased()) == bare(b.lowercased())
    }

    /// The listener's central gateways are for what comes to the listener itself.
    func addFallback(_ explanation: inout Explanation, ofListener: Bool) {
        if !ofListener { explanation.listener?.fallback = [] }
        addFallback(&explanation, mark: false)
    }
}
