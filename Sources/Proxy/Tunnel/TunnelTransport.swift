import Config
import Core
import HTTP
import TLS

/// How the tunnels of one cluster are made, as of one snapshot.
struct TunnelTransport: Equatable {
    /// Nil: the settings cannot be used, and there is no connection at all.
    let context: TLSContext?
    /// At the endpoint's address; 0: the endpoint's own.
    let port: UInt16
    /// What CONNECT names; empty: the endpoint.
    let authority: [UInt8]
    /// Empty: none is sent.
    let baggage: [UInt8]
    /// The endpoint is a gateway: CONNECT names what each call is for, and the tunnel carries that call alone.
    let isPerCall: Bool

    init(_ config: TunnelConfig, in snapshot: Snapshot, _ contexts: TLSContexts) {
        self.init(config, in: snapshot, contexts.client(snapshot[config.tls, 0].pointee, in: snapshot))
    }

    init(_ config: TunnelConfig, in snapshot: Snapshot, _ context: TLSContext?) {
        self.context = context
        isPerCall = config.isPerCall
        port = config.port
        authority = snapshot.text(config.authority).array
        baggage = snapshot.text(config.baggage).array
    }

    /// Where a tunnel to this endpoint is asked for.
    func gate(of endpoint: SocketAddress) -> SocketAddress {
        port == 0 ? endpoint : SocketAddress(ip: endpoint.ip, port: port)
    }

    static func == (a: TunnelTransport, b: TunnelTransport) -> Bool {
        a.context === b.context && a.port == b.port && a.authority == b.authority && a.baggage == b.baggage
            && a.isPerCall == b.isPerCall
    }
}

/// How much HBONE may hold, on either side.
enum TunnelLimits {
    /// CONNECT streams that one connection carries at once; a thousand calls of one peer need no second handshake.
    static let streams: UInt32 = 1000
    /// Octets that may wait on one stream, and on all of a connection together. A stream's reader hands them on at once, so
    /// these are what a path of 10 ms needs at 200 Mbit/s and at 1.6 Gbit/s.
    static let streamWindow: UInt32 = 256 * 1024
    static let connectionWindow: UInt32 = 2 * 1024 * 1024
    /// What a peer of HBONE may do beyond others (``HTTP2AbuseLimits``): one that dies resets all that it had open at once, and
    /// a thousand streams are answered and given windows.
    static let resets = HTTP2AbuseLimits.Allowance(burst: 2 * Int(streams), perSecond: 500)
    static let provokedResets = HTTP2AbuseLimits.Allowance(burst: Int(streams), perSecond: 100)
    static let controlFrames = HTTP2AbuseLimits.Allowance(burst: 5000, perSecond: 1000)
    static let windowUpdates = HTTP2AbuseLimits.Allowance(burst: 10_000, perSecond: 1000)
    /// Connections to one peer, at most.
    static let connectionsPerPeer = 8
    /// Calls that wait for a connection to one peer; more are refused at once.
    static let waitersPerPeer = 4096
    /// A tunnel in which nothing moves is closed after this. What is inside has its own, shorter patience as a rule.
    static let idle = TimeAmount.seconds(3600)
    /// How long a probe's connection to a peer may take. Probes are told earlier, as their own timeout has it.
    static let probePatience = TimeAmount.seconds(5)
    /// A connection that carries no stream is kept for so long.
    static let keptIdle = TimeAmount.seconds(300)
}
