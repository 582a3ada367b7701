import Core

/// How connections to endpoints are made and kept: BackendTrafficPolicy `timeout.tcp`, `connection`, `tcpKeepalive`, `http2`,
/// `useClientProtocol`, and what of `timeout.http` concerns connections.
public struct UpstreamConnectionPlan: Equatable, Sendable {
    /// `timeout.tcp.connectTimeout`: TCP and TLS together. Never zero.
    public var connectTimeout: TimeLimit?
    public var settings = UpstreamConnectionSettings()

    public init() {}
}

/// The numbers of it, as they lie in a snapshot. Initial values: nobody wrote anything.
public struct UpstreamConnectionSettings: Equatable, BitwiseCopyable, Sendable {
    /// `timeout.http.connectionIdleTimeout`; zero: idle connections are kept as long as they last; negative: not written.
    public var idleTimeout = TimeAmount(nanoseconds: -1)
    /// `timeout.http.maxConnectionDuration`: older connections serve no further request; zero: no limit.
    public var maxDuration = TimeAmount.zero
    /// `connection.bufferLimit`, in octets; 0: not written.
    public var bufferLimit: UInt32 = 0
    /// `connection.socketBufferLimit`, in octets; 0: the kernel's own.
    public var socketBufferLimit: UInt32 = 0
    public var tcpKeepalive = TCPKeepalivePlan()
    public var http2 = HTTP2SettingsPlan()
    /// `useClientProtocol`: HTTP/2 for requests that came by it, HTTP/1.1 for all others.
    public var usesClientProtocol = false

    public init() {}
}

/// `http2` of BackendTrafficPolicy. 0: not written.
public struct HTTP2SettingsPlan: Equatable, BitwiseCopyable, Sendable {
    public var initialStreamWindowSize: UInt32 = 0
    public var initialConnectionWindowSize: UInt32 = 0
    public var maxConcurrentStreams: UInt32 = 0
    /// `onInvalidMessage: TerminateConnection`: a message that breaks HTTP ends its whole connection.
    public var endsConnectionOnInvalidMessage = false
    /// `connectionKeepalive.interval`: between two PINGs, whether anything moves or not. Zero: not written.
    public var pingInterval = TimeAmount.zero
    /// `connectionKeepalive.timeout`: until the answer; zero: the default.
    public var pingTimeout = TimeAmount.zero
    /// `connectionKeepalive.intervalJitter`: so many hundredths of the interval are added by chance.
    public var pingJitterPercent: UInt32 = 15
    /// `connectionKeepalive.idleInterval`: after so long without a word a PING is sent before the next request. Zero: none.
    public var pingIdleInterval = TimeAmount.zero

    public init() {}
}
