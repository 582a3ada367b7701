import Config
import Connection
import Core
import Glibc
import IO
import TLS
import Telemetry

/// The way out through HBONE: connections that are carried by CONNECT streams to the endpoints' own side (ztunnel, a
/// waypoint, another Sluice), many streams on one connection with mutual TLS. Owned by the worker; the controller has one for its
/// probes.
public final class TunnelPool: Timed {
    private struct Key: Hashable {
        var gate: SocketAddress
        var context: ObjectIdentifier
    }

    private var peers: [Key: TunnelPeer] = [:]
    private var tunnels: [ObjectIdentifier: OutboundTunnel] = [:]
    /// Those that ended just now, which may still be in the middle of a call. No deadline passes within one.
    private var justEnded: [OutboundTunnel] = []
    let resources: ConnectionResources
    let log: Log
    /// Until a connection to a peer can be used.
    let patience: TimeAmount
    /// Tunnels at once.
    private let limit: () -> Int
    let isForProbes: Bool
    /// They close with their last tunnel.
    private(set) var isRetiring = false

    init(
        resources: ConnectionResources, log: Log, patience: TimeAmount, isForProbes: Bool = false,
        limit: @escaping () -> Int
    ) {
        self.resources = resources
        self.log = log
        self.patience = patience
        self.isForProbes = isForProbes
        self.limit = limit
    }

    /// For health checks: what is told here is told by them.
    /// - Parameter limit: tunnels at once.
    public static func forProbes(_ resources: ConnectionResources, _ log: Log, limit: Int) -> TunnelPool {
        TunnelPool(resources: resources, log: log, patience: TunnelLimits.probePatience, isForProbes: true) { limit }
    }

    /// Tunnels that are open or being opened.
    var count: Int { tunnels.count }

    /// Begins to connect to an endpoint through its gate; `owner` is told the outcome as by any other connector, never within
    /// this call.
    /// - Parameters:
    ///   - security: inside of the tunnel.
    ///   - call: what the tunnel is for; nil: for several.
    /// - Throws: EPROTO: the tunnel's settings cannot be used; EMFILE: no descriptors; EBUSY: too many wait.
    func connect(
        to endpoint: SocketAddress, through transport: TunnelTransport, timeout: TimeAmount,
        security: Connector.Security?, preamble: consuming ByteBuffer, call: TunnelCall? = nil, owner: ConnectionOwner
    ) throws(Errno) -> Connector {
        guard let context = transport.context else { throw Errno(EPROTO) }
        let gate = transport.gate(of: endpoint)
        let key = Key(gate: gate, context: ObjectIdentifier(context))
        let peer = peers[key] ?? TunnelPeer(gate: gate, context: context, pool: self)
        peers[key] = peer
        guard peer.hasRoom else { throw Errno(EBUSY) }
        guard resources.tunnelsNow < limit() else { throw Errno(EMFILE) }
        let ends = try SocketPair().release()
        let connector = Connector(
            through: OwnedFD(adopting: ends.far), to: endpoint, timeout: timeout, security: security,
            preamble: preamble, owner: owner, resources: resources)
        let tunnel = OutboundTunnel(
            connector, near: OwnedFD(adopting: ends.near),
            head: transport.head(to: endpoint, for: call ?? TunnelCall()),
            peer: peer, pool: self)
        tunnels[ObjectIdentifier(tunnel)] = tunnel
        peer.open(tunnel)
        return connector
    }

    /// The tunnel is over; called last, by itself.
    func ended(_ tunnel: OutboundTunnel) {
        guard tunnels.removeValue(forKey: ObjectIdentifier(tunnel)) != nil else { return }
        justEnded.append(tunnel)
        resources.loop.setDeadline(self, resources.loop.now)
    }

    public override func deadlinePassed(now: Instant) {
        justEnded.removeAll(keepingCapacity: true)
        for (key, peer) in peers where peer.isUnused { peers[key] = nil }
    }

    /// Connections close with their last tunnel (a drain).
    func retire() {
        isRetiring = true
        for peer in peers.values { peer.retire() }
    }

    /// A peer has lost its last connection.
    func mayForget() { resources.loop.setDeadline(self, resources.loop.now) }
}

extension TunnelTransport {
    /// A CONNECT as HTTP/1.1 writes it, which the connection turns into fields (RFC 9113, section 8.5).
    func head(to endpoint: SocketAddress, for call: TunnelCall) -> ByteBuffer {
        var head = ByteBuffer()
        head.append("CONNECT ")
        let named = isPerCall ? call.authority : authority
        if named.isEmpty {
            head.append(string: endpoint.description)
        } else {
            named.withView { head.append($0) }
        }
        head.append(" HTTP/1.1\r\n")
        let source = call.baggage.isEmpty ? baggage : call.baggage
        if !source.isEmpty {
            head.append("baggage: ")
            source.withView { head.append($0) }
            head.append("\r\n")
        }
        if let client = call.client {
            // RFC 7239, section 6: an IPv6 address stands in brackets, and so in quotes.
            head.append("forwarded: for=")
            head.append(string: client.isV4 ? "\(client)\r\n" : "\"[\(client)]\"\r\n")
        }
        call.trace.withView { head.append($0) }
        if call.isHandedOn { head.append("x-sluice-hop: 1\r\n") }
        head.append("\r\n")
        return head
    }
}
