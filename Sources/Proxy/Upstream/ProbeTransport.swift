import Config
import Connection
import Core
import Glibc
import IO
import Routing
import TLS

/// How health checks reach the endpoints of a cluster: as its requests do, but on a connection of their own each time, so
/// that what is checked includes being connected to. Holds nothing of the snapshot that it was made from.
public struct ProbeTransport {
    public let backendProtocol: BackendProtocol
    public let isSecure: Bool
    private let proxyProtocol: ProxyProtocolVersion
    /// Nil too where the settings cannot be used: then there is no connection at all.
    private let context: TLSContext?
    private var serverName: String
    /// The certificate must be for ``serverName``, since the context names nobody.
    private let verifiesServerName: Bool
    /// Endpoints are reached through HBONE; what is said above of TLS is inside of it.
    private let tunnel: TunnelTransport?

    /// Which clusters have the same: those of equal value.
    public struct Identity: Hashable {
        var backendProtocol: BackendProtocol
        var proxyProtocol: ProxyProtocolVersion
        /// Of the TLS settings; nil: clear text.
        var tls: UInt64?
        var tunnel: Tunnel?

        struct Tunnel: Hashable {
            /// Of its TLS settings.
            var tls: UInt64
            var port: UInt16
            var authority: [UInt8]
            var isPerCall: Bool
        }

        public init(_ config: ClusterConfig, in snapshot: Snapshot) {
            backendProtocol = config.backendProtocol
            proxyProtocol = config.proxyProtocol
            if !config.tunnel.isEmpty {
                let config = snapshot[config.tunnel, 0].pointee
                tunnel = Tunnel(
                    tls: snapshot[config.tls, 0].pointee.identity, port: config.port,
                    authority: snapshot.text(config.authority).array, isPerCall: config.isPerCall)
                // A gateway is asked for nothing inside: one check serves all protocols.
                if config.isPerCall { backendProtocol = .opaque }
            }
            tls = config.tls.isEmpty ? nil : snapshot[config.tls, 0].pointee.identity
        }
    }

    public init(_ config: ClusterConfig, in snapshot: Snapshot, _ patterns: PatternCache) {
        backendProtocol = config.backendProtocol
        proxyProtocol = config.proxyProtocol
        isSecure = !config.tls.isEmpty
        if config.tunnel.isEmpty {
            tunnel = nil
        } else {
            let settings = snapshot[config.tunnel, 0].pointee
            tunnel = TunnelTransport(
                settings, in: snapshot, try? snapshot.clientContext(snapshot[settings.tls, 0].pointee, patterns))
        }
        guard isSecure else {
            context = nil
            serverName = ""
            verifiesServerName = false
            return
        }
        let tls = snapshot[config.tls, 0].pointee
        context = try? snapshot.clientContext(tls, patterns)
        serverName = snapshot.text(tls.serverName).string
        verifiesServerName = tls.verifiesServerName
    }

    /// The same for an endpoint that has a name of its own, unless one is written for all.
    public func named(_ name: String) -> ProbeTransport {
        guard isSecure, serverName.isEmpty, !name.isEmpty else { return self }
        var own = self
        own.serverName = name
        return own
    }

    /// Begins to connect; `owner` is told the outcome, never within this call.
    /// - Parameters:
    ///   - unixPath: of a Unix socket, in place of `peer`; empty: none.
    ///   - tunnels: by which endpoints behind HBONE are reached.
    public func connect(
        to peer: SocketAddress, unixPath: String, timeout: TimeAmount, owner: ConnectionOwner, tunnels: TunnelPool,
        resources: ConnectionResources
    ) throws(Errno) -> Connector {
        if let tunnel, tunnel.isPerCall { return try handshake(with: peer, tunnel, timeout, owner, resources) }
        var security: Connector.Security?
        if isSecure {
            guard let context else { throw Errno(EPROTO) }
            security = Connector.Security(
                context: context, serverName: serverName, verifiesServerName: verifiesServerName, resuming: nil)
        }
        var preamble = ByteBuffer()
        switch proxyProtocol {
        case .none: break
        case .v1: ProxyHeaderWriter.writeOwnV1(to: &preamble)
        case .v2: ProxyHeaderWriter.writeOwnV2(to: &preamble)
        }
        if let tunnel {
            return try tunnels.connect(
                to: peer, through: tunnel, timeout: timeout, security: security, preamble: preamble, owner: owner)
        }
        return try Connector(
            to: peer, unixPath: unixPath, timeout: timeout, security: security, preamble: preamble, owner: owner,
            resources: resources)
    }

    /// A central gateway is asked whether it believes us, too (``Probe``): more cannot be without calling somebody.
    public var isOfGateway: Bool { tunnel?.isPerCall == true }

    /// Mutual TLS with a gateway.
    private func handshake(
        with peer: SocketAddress, _ tunnel: TunnelTransport, _ timeout: TimeAmount, _ owner: ConnectionOwner,
        _ resources: ConnectionResources
    ) throws(Errno) -> Connector {
        guard let context = tunnel.context else { throw Errno(EPROTO) }
        return try Connector(
            to: tunnel.gate(of: peer), timeout: timeout,
            security: Connector.Security(context: context, serverName: "", resuming: nil), owner: owner,
            resources: resources)
    }

    /// Why a connection that was made is of no use; nil: it is.
    public func problem(with connector: Connector) -> String? {
        guard isOfGateway, connector.channel?.session.applicationProtocol.equals("h2") != true else {
            return nil
        }
        return "it does not speak HBONE: no HTTP/2 was agreed on"
    }

    /// What is spoken on a connection that was made: what is written, or what the endpoint chose by ALPN.
    public func speaksHTTP2(on connector: Connector) -> Bool {
        switch backendProtocol {
        case .http2: true
        case .http1, .opaque: false
        case .negotiated: connector.channel?.session.applicationProtocol.equals(ByteView("h2")) ?? false
        }
    }
}
