import Config
import Connection
import Core
import Glibc
import IO
import TLS

/// How connections to a cluster's endpoints are made; one cluster's, as of one snapshot.
struct UpstreamTransport {
    var backendProtocol: BackendProtocol
    var proxyProtocol: ProxyProtocolVersion
    /// Connections are made over TLS, or not at all.
    var isSecure: Bool
    /// Nil in clear text; nil too where the settings cannot be used, which leaves no connection at all.
    var context: TLSContext?
    /// Empty: no name is sent.
    var serverName: String
    /// The certificate must be for ``serverName``, since the context names nobody.
    var verifiesServerName = false
    /// Until a connection can be used; nil: ``ExchangeLimits/connect``.
    var connectTimeout: TimeAmount?
    var terms = UpstreamTerms()
    /// HTTP/2 for requests that came by it, HTTP/1.1 for all others (BackendTrafficPolicy `useClientProtocol`).
    var usesClientProtocol = false
    /// Connections are carried by HBONE; what is said above of TLS is inside of it.
    var tunnel: TunnelTransport?
    /// Each connection is for one client's request: something is told first on it that is true of that alone.
    var isForOne: Bool

    init(_ config: ClusterConfig, in snapshot: Snapshot, _ contexts: TLSContexts) {
        backendProtocol = config.backendProtocol
        proxyProtocol = config.proxyProtocol
        isSecure = !config.tls.isEmpty
        isForOne = config.proxyProtocol != .none
        serverName = ""
        if !config.traffic.isEmpty {
            let traffic = snapshot[config.traffic, 0]
            if traffic.pointee.connectTimeout.isWritten { connectTimeout = traffic.pointee.connectTimeout.amount }
            terms = UpstreamTerms(
                traffic.pointee.connection,
                maxRequests: traffic.pointee.circuitBreaker.maxRequestsPerConnection)
            usesClientProtocol = traffic.pointee.connection.usesClientProtocol
        }
        if !config.tunnel.isEmpty {
            let transport = TunnelTransport(snapshot[config.tunnel, 0].pointee, in: snapshot, contexts)
            tunnel = transport
            isForOne = isForOne || transport.isPerCall
        }
        if isSecure {
            let tls = snapshot[config.tls, 0].pointee
            context = contexts.client(tls, in: snapshot)
            serverName = snapshot.text(tls.serverName).string
            verifiesServerName = tls.verifiesServerName
        }
    }

    /// The same for an endpoint whose name is its own (an endpoint's `hostname`, or a request's host): the certificate must be
    /// for it, unless a name is written for all.
    func named(_ name: String) -> UpstreamTransport {
        guard isSecure, serverName.isEmpty, !name.isEmpty else { return self }
        var own = self
        own.serverName = name
        return own
    }

    /// What a connection's handshake needs; nil: clear text. Settings that cannot be used never lead to clear text.
    /// - Parameter only: the one protocol that the request may be sent by; nil: what the settings offer.
    func security(resuming: TLSResumption?, only: BackendProtocol? = nil) throws(Errno) -> Connector.Security? {
        guard isSecure else { return nil }
        guard let context else { throw Errno(EPROTO) }
        return Connector.Security(
            context: context, serverName: serverName, verifiesServerName: verifiesServerName, resuming: resuming,
            alpn: only.flatMap { $0 == .http2 ? "h2" : $0 == .http1 ? "http/1.1" : nil })
    }

    /// What an endpoint is told before everything else (BackendTrafficPolicy `proxyProtocol`); empty where it is told nothing.
    /// - Parameter localAddress: of the downstream connection, where no PROXY header told us another.
    func preamble(
        for origin: ConnectionOrigin, localAddress: @autoclosure () -> SocketAddress?, to endpoint: SocketAddress
    ) -> ByteBuffer {
        var header = ByteBuffer()
        if proxyProtocol == .none { return header }
        let destination = origin.proxied?.destination ?? localAddress() ?? endpoint
        switch proxyProtocol {
        case .none: break
        case .v1: ProxyHeaderWriter.writeV1(source: origin.peer, destination: destination, to: &header)
        case .v2:
            (origin.proxied?.fields ?? []).withView {
                ProxyHeaderWriter.writeV2(source: origin.peer, destination: destination, fields: $0, to: &header)
            }
        }
        return header
    }

    /// Connections made under the one are as good as those made under the other.
    func isSame(as other: UpstreamTransport) -> Bool {
        backendProtocol == other.backendProtocol && proxyProtocol == other.proxyProtocol && isSecure == other.isSecure
            && context === other.context && serverName == other.serverName
            && verifiesServerName == other.verifiesServerName && terms == other.terms
            && usesClientProtocol == other.usesClientProtocol && tunnel == other.tunnel
    }
}

extension UpstreamTerms {
    /// As a policy has them.
    /// - Parameter maxRequests: `circuitBreaker.maxRequestsPerConnection`; 0: no limit.
    init(_ settings: UpstreamConnectionSettings, maxRequests: UInt32) {
        self.init()
        idle = settings.idleTimeout
        if settings.maxDuration > .zero { duration = settings.maxDuration }
        if maxRequests > 0 { requests = maxRequests }
        socket.buffer = CInt(clamping: settings.socketBufferLimit)
        socket.keepsAlive = settings.tcpKeepalive.isOn
        socket.keepaliveIdle = CInt(clamping: settings.tcpKeepalive.idleTime)
        socket.keepaliveInterval = CInt(clamping: settings.tcpKeepalive.interval)
        socket.keepaliveProbes = CInt(clamping: settings.tcpKeepalive.probes)
        initialStreamWindowSize = settings.http2.initialStreamWindowSize
        initialConnectionWindowSize = settings.http2.initialConnectionWindowSize
        maxConcurrentStreams = settings.http2.maxConcurrentStreams
        endsOnInvalidMessage = settings.http2.endsConnectionOnInvalidMessage
        http2Keepalive.interval = settings.http2.pingInterval
        http2Keepalive.idleInterval = settings.http2.pingIdleInterval
        http2Keepalive.jitter = Int(settings.http2.pingJitterPercent)
        if settings.http2.pingTimeout > .zero { http2Keepalive.timeout = settings.http2.pingTimeout }
    }
}
