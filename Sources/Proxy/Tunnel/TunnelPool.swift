import Config
import Connection
import Core
import Glibc
import IO
import TLS

/// The way out through HBONE: connections that are carried by CONNECT streams to the endpoints' own side (ztunnel, a
/// waypoint, another Sluice), many streams on one connection with mutual TLS. Owned by the worker.
final class TunnelPool: Timed {
    private struct Key: Hashable {
        var gate: SocketAddress
        var context: ObjectIdentifier
    }

    private var peers: [Key: TunnelPeer] = [:]
    private var tunnels: [ObjectIdentifier: OutboundTunnel] = [:]
    /// Those that ended just now, which may still be in the middle of a call. No deadline passes within one.
    private var justEnded: [OutboundTunnel] = []
    private let worker: Worker

    init(worker: Worker) { self.worker = worker }

    /// Tunnels that are open or being opened.
    var count: Int { tunnels.count }

    /// Begins to connect to an endpoint through its gate; `owner` is told the outcome as by any other connector, never within
    /// this call.
    /// - Parameters:
    ///   - security: inside of the tunnel.
    ///   - client: for whom the connection is made; nil: for several.
    /// - Throws: EPROTO: the tunnel's settings cannot be used; EMFILE: no descriptors; EBUSY: too many wait.
    func connect(
        to endpoint: SocketAddress, through transport: TunnelTransport, timeout: TimeAmount,
        security: Connector.Security?, preamble: consuming ByteBuffer, client: IPAddress? = nil, owner: ConnectionOwner
    ) throws(Errno) -> Connector {
        guard let context = transport.context else { throw Errno(EPROTO) }
        let gate = transport.gate(of: endpoint)
        let key = Key(gate: gate, context: ObjectIdentifier(context))
        let peer = peers[key] ?? TunnelPeer(gate: gate, context: context, worker: worker)
        peers[key] = peer
        guard peer.hasRoom else { throw Errno(EBUSY) }
        guard worker.resources.tunnelsNow < worker.tunnelLimit else { throw Errno(EMFILE) }
        let ends = try SocketPair().release()
        let connector = Connector(
            through: OwnedFD(adopting: ends.far), to: endpoint, timeout: timeout, security: security,
            preamble: preamble, owner: owner, resources: worker.resources)
        let tunnel = OutboundTunnel(
            connector, near: OwnedFD(adopting: ends.near), head: transport.head(to: endpoint, for: client),
            worker: worker)
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        peer.open(tunnel)
        return connector
    }

    /// The tunnel is over; called last, by itself.
    func ended(_ tunnel: OutboundTunnel) {
        guard tunnels.removeValue(forKey: ObjectIdentifier(tunnel)) != nil else { return }
        justEnded.append(tunnel)
        worker.loop.setDeadline(self, worker.loop.now)
    }

    override func deadlinePassed(now: Instant) {
        justEnded.removeAll(keepingCapacity: true)
        for (key, peer) in peers where peer.isUnused { peers[key] = nil }
    }

    /// Connections close with their last tunnel (a drain).
    func retire() { for peer in peers.values { peer.retire() } }

    /// A peer has lost its last connection.
    func mayForget() { worker.loop.setDeadline(self, worker.loop.now) }
}

extension TunnelTransport {
    /// A CONNECT as HTTP/1.1 writes it, which the connection turns into fields (RFC 9113, section 8.5).
    fileprivate func head(to endpoint: SocketAddress, for client: IPAddress?) -> ByteBuffer {
        var head = ByteBuffer()
        head.append("CONNECT ")
        if authority.isEmpty {
            head.append(string: endpoint.description)
        } else {
            authority.withView { head.append($0) }
        }
        head.append(" HTTP/1.1\r\n")
        if !baggage.isEmpty {
            head.append("baggage: ")
            baggage.withView { head.append($0) }
            head.append("\r\n")
        }
        if let client {
            // RFC 7239, section 6: an IPv6 address stands in brackets, and so in quotes.
            head.append(string: client.isV4 ? "forwarded: for=\(client)\r\n" : "forwarded: for=\"[\(client)]\"\r\n")
        }
        head.append("\r\n")
        return head
    }
}
