import Config
import Core
import Routing
import TLS

/// Which socket and listener a call comes to.
extension Explainer {
    /// Of a port, and of the Gateway that is asked.
    func sockets(of port: UInt16) -> [Int] {
        plan.sockets.indices.filter {
            let socket = plan.sockets[$0]
            return socket.address.port == port && socket.transport == .tcp && socket.listeners.contains(where: isAsked)
        }
    }

    private func isAsked(_ listener: ListenerPlan) -> Bool {
        gateway == nil || gateway == "\(listener.gatewayNamespace)/\(listener.gatewayName)"
    }

    /// A listener of a group to which a call is brought.
    struct Carrier {
        var socket: Int
        var listener: UInt32
        /// The group has the name or address, or a route of its Gateway has it.
        var isOwner: Bool
    }

    /// The listener of a group that takes calls which are brought to it, on their way to this name or address: the group that
    /// has it, else that whose Gateway has a route for it, else the first; where the caller gets past the handshake; of a
    /// caller with a certificate the listener that asks for one, of an address one to which connections are redirected.
    /// - Parameter host: an IPv6 address without brackets.
    func carrier(of host: String) -> Carrier? {
        let address = IPAddress(host)
        var found: (rank: Int, carrier: Carrier)?
        var number: UInt32 = 0
        for (index, socket) in plan.sockets.enumerated() {
            for listener in socket.listeners {
                defer { number += 1 }
                guard let group = listener.group, isAsked(listener) else { continue }
                var rank = 0
                if isMember(host, address, of: UInt32(group)) { rank += 32 }
                if hasRoute(host, on: number) { rank += 16 }
                let isOwner = rank > 0
                if handshakeRefusal(of: number) == nil { rank += 8 }
                if caller.isVerified, listener.listenerProtocol == .hbone { rank += 4 }
                if address != nil, listener.interception != .none { rank += 2 }
                if listener.listenerProtocol.isHTTP || listener.listenerProtocol == .hbone { rank += 1 }
                if rank > found?.rank ?? -1 {
                    found = (rank, Carrier(socket: index, listener: number, isOwner: isOwner))
                }
            }
        }
        return found?.carrier
    }

    private func hasRoute(_ host: String, on number: UInt32) -> Bool {
        host.withView { host in
            let listener = listener(number)
            return table.hasRequests(for: host, of: listener) || table.streamRule(for: host, of: listener) != nil
        }
    }

    /// Where nobody has the host, any of several Gateways could be meant.
    func note(_ carrier: Carrier, _ explanation: inout Explanation) {
        guard gateway == nil, !carrier.isOwner else { return }
        let asked = listener(carrier.listener).pointee.group
        let names = plan.groups.map { "\($0.namespace)/\($0.name)" }
        let others = names.indices.filter { $0 != Int(asked) }.map { names[$0] }
        guard !others.isEmpty else { return }
        let more = others.count > 4 ? " and \(others.count - 4) more" : ""
        explanation.notes.append(
            "no service or route of \(names.count) groups has this host: asked of Gateway \(names[Int(asked)]); "
                + "--gateway chooses another: \(others.prefix(4).joined(separator: ", "))\(more)")
    }

    /// HBONE is for callers who show a certificate of the trust domain; nil: this one does, or the listener speaks otherwise.
    func handshakeRefusal(of number: UInt32) -> String? {
        guard let listener = reading.listenerPlan(number), listener.listenerProtocol == .hbone else { return nil }
        guard let identity = SPIFFEID(caller.principal) else {
            return "refused in the handshake: HBONE wants a certificate of the caller, and none is shown; "
                + "--from spiffe://… names one"
        }
        let domain = listener.tls?.clientValidation?.trustDomain ?? ""
        guard domain.isEmpty || domain == identity.trustDomain else {
            return "refused in the handshake: the certificate is of trust domain '\(identity.trustDomain)', and the "
                + "Gateway believes those of '\(domain)' (sluice.dev/trust-domain)"
        }
        return nil
    }

    /// TLS that no listener of its port answers is brought to a group's gateway by CONNECT, as octets; nil: it is not so.
    func passedOn(_ request: ExplainedRequest) -> ExplainedConnection? {
        guard request.isSecure, plan.groups.count > 0 else { return nil }
        let port = request.port ?? request.usualPort
        guard sockets(of: port).isEmpty, carrier(of: request.bareHost) != nil else { return nil }
        if request.port == nil, let only = plan.sockets.first,
            plan.sockets.allSatisfy({ $0.address.port == only.address.port }),
            only.listeners.first?.listenerProtocol.beginsWithTLS == true
        {
            return nil
        }
        let isName = IPAddress(request.bareHost) == nil
        return ExplainedConnection(
            host: request.bareHost, port: port, serverName: isName ? request.bareHost : nil)
    }

    private func isMember(_ host: String, _ address: IPAddress?, of group: UInt32) -> Bool {
        if let address { return table.isMember(address, of: group) }
        let lookup = caller.namespace.withView { namespace in
            host.withView { table.lookUp(host: $0, .exactly(0), from: namespace, in: group) }
        }
        if case .outside = lookup { return false }
        return true
    }

    /// The listener of a group that would take a request; nil: an ordinary one has its host.
    func groupListener(_ host: ByteView, _ socket: UnsafePointer<SocketConfig>) -> UInt32? {
        guard socket.pointee.groupListener != ListenerConfig.noGroup else { return nil }
        let named = table.listener(for: host, on: socket)
        let number = named == HostIndex.none ? socket.pointee.groupListener : named
        return listener(number).pointee.isOfGroup ? number : nil
    }

    /// Why the request does not get to the routes of this socket, with its answer if there is one; nil: it does.
    static func mismatch(_ request: ExplainedRequest, _ socket: SocketPlan) -> (status: UInt16?, text: String)? {
        guard let first = socket.listeners.first?.listenerProtocol, first != .hbone else { return nil }
        let instead = "; ask with --connect localhost:\(socket.address.port)"
        guard first.beginsWithTLS else {
            if !first.isHTTP, socket.listeners.first?.group == nil {
                return (nil, "\(socket.address) passes on whatever comes; its TCPRoute says where" + instead)
            }
            return request.isSecure && first.isHTTP
                ? (
                    nil,
                    "the listeners of \(socket.address) speak no TLS; write http://"
                        + (socket.listeners.first?.group == nil
                            ? ""
                            : ", or for TLS that is brought to the gateway --connect \(request.host):443 "
                                + "--sni \(request.host)")
                ) : nil
        }
        guard request.isSecure else { return (nil, "the listeners of \(socket.address) speak TLS; write https://") }
        guard let named = listener(for: request.host, of: socket) else {
            return (nil, "no listener of \(socket.address) has this server name: the handshake is refused")
        }
        guard named.listenerProtocol.isHTTP || named.listenerProtocol == .tlsTerminate && named.group != nil else {
            return (
                nil,
                "listener '\(named.name)' passes on what comes for this server name; its TLSRoute says where" + instead
                    + " --sni \(request.host)"
            )
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
