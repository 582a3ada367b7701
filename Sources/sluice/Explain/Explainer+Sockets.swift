import Config
import Core
import Routing

/// Which socket and listener a call comes to.
extension Explainer {
    /// The listener of a group that takes calls which are brought to it, on their way to this name or address: the group that
    /// has it, else the first; of a caller with a certificate the listener that asks for one, of an address one to which
    /// connections are redirected.
    /// - Parameter host: an IPv6 address without brackets.
    func carrier(of host: String) -> (socket: Int, listener: UInt32)? {
        let address = IPAddress(host)
        var found: (rank: Int, socket: Int, listener: UInt32)?
        var number: UInt32 = 0
        for (index, socket) in plan.sockets.enumerated() {
            for listener in socket.listeners {
                defer { number += 1 }
                guard let group = listener.group else { continue }
                var rank = 0
                if isMember(host, address, of: UInt32(group)) { rank += 8 }
                if caller.isVerified, listener.listenerProtocol == .hbone { rank += 4 }
                if address != nil, listener.interception != .none { rank += 2 }
                if listener.listenerProtocol.isHTTP || listener.listenerProtocol == .hbone { rank += 1 }
                if rank > found?.rank ?? -1 { found = (rank, index, number) }
            }
        }
        return found.map { ($0.socket, $0.listener) }
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
                ? (nil, "the listeners of \(socket.address) speak no TLS; write http://") : nil
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
