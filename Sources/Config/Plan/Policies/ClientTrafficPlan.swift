import Core
import HTTP

/// What a ClientTrafficPolicy says of the connections and requests of one listener, beyond TLS and the PROXY protocol. Its
/// initial value is what holds where there is no policy.
public struct ClientTrafficPlan: Equatable, Sendable {
    public var connection = ClientConnectionPlan()
    public var request = ClientRequestPlan()
    public var clientIP = ClientIPPlan()
    public var earlyRequestHeaders = HeaderMutationPlan()
    public var lateResponseHeaders = HeaderMutationPlan()
    /// `http1.ignoredUpgradeTypes`.
    public var ignoredUpgradeTypes: [TextMatchPlan] = []
    /// `healthCheck.path`; empty: none.
    public var healthCheckPath = ""
    /// The Host of an HTTP/1.0 request that has none (`http1.http10.useDefaultHost`); empty: it stays without.
    public var defaultHost = ""
    /// Such a Host is to be found, once it is known which routes the listener serves.
    public var wantsDefaultHost = false
    /// The policy cannot be applied as it is written: every request of the listener is answered 500.
    public var isInvalid = false

    public init() {}
    public var isEmpty: Bool { self == ClientTrafficPlan() }
}

/// Of ``ClientTrafficPlan``, what concerns connections. Numbers alone.
public struct ClientConnectionPlan: Equatable, BitwiseCopyable, Sendable {
    /// `connection.bufferLimit`, octets; 0: not set.
    public var bufferLimit: UInt32 = 0
    /// `connection.socketBufferLimit`, octets in the kernel, each way; 0: the kernel's.
    public var socketBufferLimit: UInt32 = 0
    /// `connection.connectionLimit.value`; 0: none.
    public var connectionLimit: UInt32 = 0
    public var closeDelay = TimeAmount.zero
    /// Zero: none.
    public var maxConnectionDuration = TimeAmount.zero
    /// `http1.disableSafeMaxConnectionDuration`.
    public var closesAtDuration = false
    /// 0: any number.
    public var maxRequestsPerConnection: UInt32 = 0
    /// `connection.maxAcceptPerSocketEvent`; 0: as many as wait; nil in the record's form: below zero.
    public var acceptsPerEvent: Int32 = -1
    public var tcpKeepalive = TCPKeepalivePlan()
    /// `timeout.http.idleTimeout`.
    public var idleTimeout = TimeoutPlan()
    /// `timeout.http.requestHeadersReceivedTimeout`.
    public var headersReceivedTimeout = TimeoutPlan()
    /// `timeout.tcp.idleTimeout`: of TCP, and of TLS that is not HTTP.
    public var tcpIdleTimeout = TimeoutPlan()
    public var handshakeTimeout = TimeoutPlan()
    public var inspectionTimeout = TimeoutPlan()
    /// `headers.maxRequestHeaderLimit`, octets; 0: not set.
    public var maxRequestHeader: UInt32 = 0
    /// `http1.enableTrailers`; false drops them, both ways.
    public var passesTrailers = true
    public var http2 = ClientHTTP2Plan()
    /// `tls.session` is there and does not ask for stateless resumption: every handshake is a whole one.
    public var forbidsResumption = false

    public init() {}
}

/// ClientTrafficPolicy `http2`.
public struct ClientHTTP2Plan: Equatable, BitwiseCopyable, Sendable {
    /// Octets; 0: not set.
    public var initialStreamWindowSize: UInt32 = 0
    public var initialConnectionWindowSize: UInt32 = 0
    /// 0: not set.
    public var maxConcurrentStreams: UInt32 = 0
    /// `onInvalidMessage: TerminateConnection`.
    public var endsConnectionOnInvalidMessage = false
    /// `connectionKeepalive.interval`; zero: none.
    public var keepaliveInterval = TimeAmount.zero
    /// `connectionKeepalive.timeout`; zero: not set.
    public var keepaliveTimeout = TimeAmount.zero
    /// `connectionKeepalive.idleInterval`; zero: none.
    public var keepaliveIdleInterval = TimeAmount.zero
    /// In percent of the interval.
    public var keepaliveJitter: UInt8 = 15

    public init() {}
}

/// `tcpKeepalive`; what is zero is the kernel's.
public struct TCPKeepalivePlan: Equatable, BitwiseCopyable, Sendable {
    public var isOn = false
    public var probes: UInt32 = 0
    /// Whole seconds.
    public var idleTime: UInt32 = 0
    public var interval: UInt32 = 0

    public init() {}
}

/// Of ``ClientTrafficPlan``, what concerns requests. Numbers alone.
public struct ClientRequestPlan: Equatable, BitwiseCopyable, Sendable {
    public enum UnderscoresAction: UInt8, BitwiseCopyable, Sendable { case allow, rejectRequest, dropHeader }
    public enum RequestID: UInt8, BitwiseCopyable, Sendable { case preserveOrGenerate, preserve, generate, disable }
    public enum GRPCWeb: UInt8, BitwiseCopyable, Sendable { case grpcRoutes, everywhere, nowhere }

    public var escapedSlashesAction = EscapedSlashesAction.unescapeAndRedirect
    public var mergesSlashes = true
    public var withUnderscoresAction = UnderscoresAction.allow
    public var requestID = RequestID.preserveOrGenerate
    public var enablesEnvoyHeaders = false
    public var disablesRateLimitHeaders = false
    /// `headers.host.stripTrailingHostDot`.
    public var stripsTrailingHostDot = false
    public var grpcWeb = GRPCWeb.grpcRoutes
    /// `scheme: Preserve`: `:scheme` of requests to backends is the client's; else that of the backend's own transport.
    public var preservesScheme = false
    /// `timeout.http.requestReceivedTimeout`: head and body.
    public var receivedTimeout = TimeoutPlan()
    public var streamIdleTimeout = TimeoutPlan()
    /// `connection.connectionLimit.maxStreamDuration`.
    public var maxStreamDuration = TimeoutPlan()

    public init() {}
}

/// ClientTrafficPolicy `clientIPDetection`: whose request it is.
public struct ClientIPPlan: Equatable, Sendable {
    public enum Method: UInt8, BitwiseCopyable, Sendable {
        /// The peer of the connection, or whom its PROXY header names.
        case directSourceIP
        case trustedHops, trustedCIDRs, customHeader
    }
    public var method = Method.directSourceIP
    public var numTrustedHops: UInt32 = 0
    public var trustedCIDRs: [AddressRange] = []
    /// Of `customHeader`.
    public var headerName = ""
    /// Who cannot be told is answered 403.
    public var failsClosed = false
    public var appendsForwardedFor = true

    public init() {}
}
