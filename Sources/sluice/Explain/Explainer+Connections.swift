import Config
import Core
import Routing

/// Connections below HTTP: to a listener, or brought to a group's gateway on their way elsewhere.
extension Explainer {
    /// What a connection turns out to carry.
    enum Spoken {
        case tls(String)
        case octets

        var serverName: String {
            if case .tls(let name) = self { name } else { "" }
        }
    }

    func explain(_ asked: ExplainedConnection, _ begun: Explanation) -> Explanation {
        var explanation = begun
        if let own = ownSocket(asked) {
            explanation.address = plan.sockets[own].address.description
            return explainArrival(asked, own, explanation)
        }
        guard let carrier = carrier(of: asked.host) else {
            let known = plan.sockets.map(\.address.description).joined(separator: ", ")
            return explanation.refused(
                nil, "nothing listens on \(asked.text)" + (known.isEmpty ? "" : "; the listeners are on \(known)"))
        }
        explanation.address = plan.sockets[carrier.socket].address.description
        explanation.listener = reading.listener(carrier.listener)
        explanation.refusedHandshake = handshakeRefusal(of: carrier.listener)
        explanation.notes.append(
            "taken for a connection that is brought to a group's gateway (CONNECT, HBONE, interception)")
        note(carrier, &explanation)
        return explainBrought(asked, listener(carrier.listener), explanation)
    }

    /// The socket of this gateway that is called itself; nil: the connection goes elsewhere.
    private func ownSocket(_ asked: ExplainedConnection) -> Int? {
        let near = sockets(of: asked.port)
        let any = near.first { plan.sockets[$0].address.ip.isAny }
        guard let address = asked.address else {
            // Where there is no group nobody is called by name but the gateway.
            return asked.isToThisMachine || plan.groups.isEmpty ? any ?? near.first : nil
        }
        if let exact = near.first(where: { plan.sockets[$0].address.ip == address }) { return exact }
        return address.isLoopback || address.isAny || plan.groups.isEmpty ? any : nil
    }

    // MARK: to a listener

    private func explainArrival(_ asked: ExplainedConnection, _ number: Int, _ begun: Explanation) -> Explanation {
        var explanation = begun
        let place = socket(number)
        let name = asked.serverName ?? ""
        if place.pointee.beginsWithTLS, asked.isOctets {
            return explanation.refused(nil, "closed: the listeners of this address expect TLS")
        }
        let found = (place.pointee.beginsWithTLS ? name : "").withView { table.listener(for: $0, on: place) }
        guard found != HostIndex.none else {
            return explanation.refused(
                nil,
                name.isEmpty
                    ? "refused: no listener of this address takes TLS without a server name; --sni gives one"
                    : "refused: no listener of this address has the server name '\(name)'")
        }
        let listener = listener(found)
        explanation.listener = reading.listener(found)
        switch listener.pointee.listenerProtocol {
        case .http where asked.isOctets || asked.serverName != nil: return refused(asked, explanation)
        case .http, .https:
            explanation.spoken = "requests, as the listener has it"
            explanation.outlet = "where each request belongs: ask with --url \(url(listener, asked))"
            return explanation
        case .hbone:
            return explanation.refused(
                nil, "HBONE is spoken here: ask with --connect for what its CONNECT names, or with --url")
        case .udp: preconditionFailure("a connection on a socket for datagrams")
        case .tcp where listener.pointee.isOfGroup:
            return explainByName(spoken(asked, &explanation), listener, explanation)
        case .tlsPassthrough where listener.pointee.isOfGroup:
            explanation.spoken = "TLS, passed on as it is"
            return explainByName(.tls(name), listener, explanation)
        case .tcp:
            explanation.spoken = "octets: whatever comes is passed on"
            return relay(by: "".withView { table.streamRule(for: $0, of: listener) }, "", listener, explanation)
        case .tlsTerminate where listener.pointee.isOfGroup:
            explanation.spoken = "TLS, answered here"
            return explainOpened(name, asked, listener, explanation)
        case .tlsPassthrough, .tlsTerminate:
            let isAnswered = listener.pointee.listenerProtocol == .tlsTerminate
            explanation.spoken =
                isAnswered ? "TLS, answered here; what is inside is passed on" : "TLS, passed on as it is"
            return relay(by: name.withView { table.streamRule(for: $0, of: listener) }, name, listener, explanation)
        }
    }

    /// Where requests in clear text are spoken, nothing else is.
    private func refused(_ asked: ExplainedConnection, _ explanation: Explanation) -> Explanation {
        let what = asked.isOctets ? "octets that are no request" : "TLS, whose handshake fails thereby"
        let whose = explanation.member == nil ? "listener" : "service's port"
        return explanation.refused(
            nil, "answered 400 and closed: the \(whose) takes requests in clear text, and this is \(what)")
    }

    private func url(_ listener: UnsafePointer<ListenerConfig>, _ asked: ExplainedConnection) -> String {
        let scheme = listener.pointee.listenerProtocol == .https ? "https" : "http"
        let host = asked.serverName ?? (asked.host.isEmpty ? "localhost" : asked.host)
        return "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(asked.port)/"
    }

    /// By the routes of a Gateway.
    func relay(
        by rule: UInt32?, _ serverName: String, _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        guard let rule else { return explanation.refused(nil, "closed: no route of the listener takes it") }
        guard
            permits(
                listener.pointee.authorization, port: listener.pointee.port, on: listener, destination: nil,
                serverName: serverName, &explanation)
        else { return explanation.refused(nil, "closed: access denied") }
        explanation.rule = reading.rule(rule)
        addFallback(&explanation)
        return explanation
    }

    // MARK: brought to the gateway

    private func explainBrought(
        _ asked: ExplainedConnection, _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        let group = listener.pointee.group
        return caller.namespace.withView { namespace in
            let lookup: CallLookup
            if let address = asked.address {
                lookup = table.lookUp(address: SocketAddress(ip: address, port: asked.port), in: group)
            } else {
                lookup = asked.host.withView {
                    table.lookUp(host: $0, .exactly(asked.port), from: namespace, in: group)
                }
            }
            switch lookup {
            case .noPort, .ambiguous:
                return explanation.refused(
                    nil, "reset (CONNECT: 404): " + refusal(lookup, asked.host, asked.port, in: group))
            case .outside:
                if let url = ofRequestsOutside(asked, listener) {
                    explanation.egress = "as written: a route of the Gateway has its requests"
                    return ofRequests(url, explanation)
                }
                let spoken = spoken(asked, &explanation)
                return explainOutside(asked, spoken, listener, explanation)
            case .member(let call):
                explanation.member = member(call, from: namespace)
                let spoken: Spoken
                switch table.memberPort(call).pointee.memberProtocol {
                case .http where asked.isOctets || asked.serverName != nil: return refused(asked, explanation)
                case .http:
                    let name = snapshot.text(table.member(call).pointee.name).string
                    let space = snapshot.text(table.member(call).pointee.namespace).string
                    return ofRequests("http://\(name).\(space):\(table.memberPort(call).pointee.number)/", explanation)
                case .tcp:
                    explanation.spoken = "octets, as the port declares"
                    spoken = .octets
                case .tls:
                    explanation.spoken = "TLS, as the port declares; passed on as it is"
                    spoken = .tls(asked.serverName ?? "")
                case .undeclared: spoken = self.spoken(asked, &explanation)
                }
                return explainMember(call, spoken, namespace, asked.address, listener, explanation)
            }
        }
    }

    /// Nobody declares it: what comes first tells.
    private func spoken(_ asked: ExplainedConnection, _ explanation: inout Explanation) -> Spoken {
        if let name = asked.serverName {
            explanation.spoken = "TLS, by its first octets; passed on as it is"
            return .tls(name)
        }
        explanation.spoken = "octets, by what comes first, or by 100 ms of silence"
        if !asked.isOctets {
            explanation.notes.append(
                "nobody declares what is spoken there: taken for octets; --sni NAME tells of TLS, --url of a request")
        }
        return .octets
    }

    func explainMember(
        _ call: MemberCall, _ spoken: Spoken, _ namespace: ByteView, _ destination: IPAddress?,
        _ listener: UnsafePointer<ListenerConfig>, _ begun: Explanation
    ) -> Explanation {
        var explanation = begun
        explanation.member = member(call, from: namespace)
        let port = table.memberPort(call)
        guard
            permits(
                port.pointee.authorization, port: port.pointee.number, on: listener, destination: destination,
                serverName: spoken.serverName, &explanation)
        else { return explanation.refused(nil, "reset: access denied") }
        let rule = table.streamRule(of: call, from: namespace)
        guard rule != MemberPortConfig.none else {
            return explanation.refused(nil, "reset: the port takes no connections but those of requests")
        }
        explanation.rule = reading.rule(rule)
        // Without a tunnel octets are handed on only where the member's address can be meant for nothing else.
        let isPlain = port.pointee.memberProtocol == .tcp || port.pointee.memberProtocol == .tls
        let isUnmistakable = isPlain && table.member(call).pointee.ports.count == 1
        addFallback(&explanation) { $0.isTunnelled || isUnmistakable && $1 }
        return explanation
    }
}
