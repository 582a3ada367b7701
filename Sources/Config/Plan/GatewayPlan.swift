import Core
import HTTP

/// Everything that was decided from one set of manifests, as plain values: what the control side hands to
/// ``SnapshotBuilder``. Nothing here is unresolved or ambiguous; what was wrong has become an answer
/// (``BackendPlan/Target/answer(_:)``) or is not here at all.
public struct GatewayPlan: Equatable, Sendable {
    public var sockets: [SocketPlan] = []
    public var routes: [RoutePlan] = []
    /// One endpoint set under one policy; named by index from ``BackendPlan`` and ``MirrorPlan``.
    public var clusters: [ClusterPlan] = []
    /// Gateways of groups of services; named by index from ``ListenerPlan/group``.
    public var groups: [GroupPlan] = []
    /// Who is at which address, as far as EndpointSlices tell; each address once.
    public var workloads: [WorkloadPlan] = []
    /// Every Service of the manifests as `name.namespace`, where a central gateway is named that is called in clear text: it
    /// may take such a host for a member.
    public var services: [String] = []
    /// Named by index from ``AuthorizationPlan/policies``.
    public var authorizationPolicies: [AuthorizationPolicyPlan] = []
    /// The zone that this gateway runs in (`--zone`); empty: it was not told.
    public var zone = ""
    /// The paths that ``SourcePosition/file`` indexes.
    public var files: [String] = []

    public init() {}
}

/// Where something was written.
public struct SourcePosition: Equatable, BitwiseCopyable, Sendable {
    public var file: UInt32  // Index into the set's files.
    public var line: UInt32  // From 1; 0: unknown.
    public var column: UInt32

    public init(file: UInt32 = 0, line: UInt32 = 0, column: UInt32 = 0) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// One address and port to listen on, with the listeners that share it. They agree on what is spoken first: all of them
/// HTTP, or TCP, or UDP, or begin with a TLS handshake (HTTPS and TLS), by whose server name they are told apart.
public struct SocketPlan: Equatable, Sendable {
    public var transport = SocketTransport.tcp
    public var address: SocketAddress
    /// What comes before everything else on a connection.
    public var proxyProtocol = ProxyProtocolAcceptance.off
    /// Fields of requests that go on through their calls; of all Gateways that listen here.
    public var carried: [CarriedFieldPlan] = []
    /// Where its connections go while the gateway itself is gone, in the order of preference.
    public var central: [CentralPlan] = []
    public var listeners: [ListenerPlan]

    public init(address: SocketAddress, listeners: [ListenerPlan]) {
        self.address = address
        self.listeners = listeners
    }

    /// How connections come here that were meant for others: as the first listener says that says anything.
    public var interception: Interception {
        listeners.first { $0.interception != .none }?.interception ?? .none
    }

    /// What the supervisor is asked to bind.
    public var listeningAddress: ListeningAddress {
        ListeningAddress(transport, address, isTransparent: interception == .tproxy)
    }
}

/// `listeners[].protocol`; of TLS, what becomes of it (`tls.mode`).
public enum ListenerProtocol: UInt8, BitwiseCopyable, Sendable {
    case http, https, tlsTerminate, tlsPassthrough, tcp, udp
    /// Mutual TLS, inside of it HTTP/2 with CONNECT requests, inside of these the connections of a group's services.
    case hbone

    /// Its connections begin with a TLS handshake, which this gateway answers or passes on.
    @inlinable public var beginsWithTLS: Bool {
        self == .https || self == .tlsTerminate || self == .tlsPassthrough || self == .hbone
    }
    /// Its routes are HTTPRoutes and GRPCRoutes; all others lead from a connection (or datagram) to a rule directly.
    @inlinable public var isHTTP: Bool { self == .http || self == .https }
}

/// One listener of a Gateway, or of a ListenerSet, on one socket.
public struct ListenerPlan: Equatable, Sendable {
    public var gatewayNamespace: String
    public var gatewayName: String
    /// `namespace/name` of the ListenerSet that wrote it; empty: the Gateway itself.
    public var listenerSet = ""
    public var listenerProtocol = ListenerProtocol.http
    /// Of `https`, `tlsTerminate` and `hbone`, always; nil for all others.
    public var tls: ServerTLSPlan?
    public var forwardedClientCert = ForwardedClientCertPlan()
    public var client = ClientTrafficPlan()
    /// The group whose calls it takes: index into ``GatewayPlan/groups``. Its attachments are then of all kinds of routes.
    public var group: Int?
    /// Where goes what cannot be served from here, unless the Service says otherwise.
    public var fallback: FallbackPlan?
    /// Who may call here; of a group's listener, who may call what is no member.
    public var authorization = AuthorizationPlan()
    /// How connections come to it that were meant for others (`sluice.dev/transparent`). Of a group's listeners.
    public var interception = Interception.none
    /// What is in force on it, for `explain`.
    public var policies: [AppliedPolicyPlan] = []
    public var name: String
    /// Lower case; empty: every host. `*.example.com` is kept with its star.
    public var hostname: String
    /// The routes that serve here, each under the hostnames that are in force on this listener.
    public var attachments: [Attachment]
    public var position: SourcePosition

    /// One route on one listener.
    public struct Attachment: Equatable, Sendable {
        /// The intersection of the listener's hostname and the route's, lower case; `[""]`: every host.
        public var hostnames: [String]
        public var route: Int  // Index into ``GatewayPlan/routes``.

        public init(hostnames: [String], route: Int) {
            self.hostnames = hostnames
            self.route = route
        }
    }

    public init(
        gatewayNamespace: String, gatewayName: String, name: String, hostname: String, attachments: [Attachment],
        position: SourcePosition
    ) {
        self.gatewayNamespace = gatewayNamespace
        self.gatewayName = gatewayName
        self.name = name
        self.hostname = hostname
        self.attachments = attachments
        self.position = position
    }
}

/// One route. `GatewayPlan.routes` is ordered by precedence: creationTimestamp, then namespace/name; of two matches of
/// equal rank the one of the earlier route wins.
///
/// A TLSRoute, TCPRoute or UDPRoute has one rule without matches: its backends by weight. A GRPCRoute's matches are paths
/// (`/package.Service/Method`), methods (POST) and headers, as an HTTPRoute's.
public struct RoutePlan: Equatable, Sendable {
    public var kind: String  // "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"; see ``serviceKind``
    public var namespace: String
    public var name: String
    public var rules: [RulePlan]
    public var position: SourcePosition

    /// It leads from a connection, or a datagram, to backends; there are no requests to be matched.
    public var isBelowHTTP: Bool {
        kind == "TLSRoute" || kind == "TCPRoute" || kind == "UDPRoute"
            || kind == Self.serviceKind && rules.allSatisfy { $0.matches.isEmpty }
    }

    /// The kind of what stands for the routes of a group's member that has none: its own endpoints.
    public static let serviceKind = "Service"

    public init(kind: String, namespace: String, name: String, rules: [RulePlan], position: SourcePosition) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.rules = rules
        self.position = position
    }
}

public struct RulePlan: Equatable, Sendable {
    /// `spec.rules[].name`, empty when unnamed.
    public var name: String
    /// Never empty for HTTP and gRPC: a rule without matches has the prefix `/`, as Gateway API says.
    public var matches: [MatchPlan]
    public var filters: FilterPlan
    /// By weight, weight 0 included (a share of 0, but known to `explain`).
    public var backends: [BackendPlan]
    /// `timeouts.request`; nil or zero: none.
    public var requestTimeout: TimeAmount?
    /// `timeouts.backendRequest`, each attempt; nil or zero: none.
    public var backendRequestTimeout: TimeAmount?
    public var retry: RetryPlan?
    public var traffic = RouteTrafficPlan()
    /// What is in force on it, for `explain`: the effective policy of a kind before the one that it is merged into.
    public var policies: [AppliedPolicyPlan] = []
    /// Where `timeouts` stands.
    public var timeoutsPosition = SourcePosition()
    public var position: SourcePosition

    public init(
        name: String = "", matches: [MatchPlan], filters: FilterPlan = FilterPlan(), backends: [BackendPlan] = [],
        requestTimeout: TimeAmount? = nil, backendRequestTimeout: TimeAmount? = nil, retry: RetryPlan? = nil,
        position: SourcePosition = SourcePosition()
    ) {
        self.name = name
        self.matches = matches
        self.filters = filters
        self.backends = backends
        self.requestTimeout = requestTimeout
        self.backendRequestTimeout = backendRequestTimeout
        self.retry = retry
        self.position = position
    }
}

/// One HTTPRouteMatch: all of it must hold.
public struct MatchPlan: Equatable, Sendable {
    public enum Path: Equatable, Sendable {
        case exact(String)
        /// By segments; without trailing slash except `/` itself.
        case prefix(String)
        case regularExpression(String)
        /// An expression that is asked after every prefix but `/`: a GRPCRoute's method of any service.
        case lateExpression(String)
    }
    public var path: Path
    /// What counts as the length of an expression's path; nil: its own. Below 2²⁴.
    public var rankLength: Int?
    /// Nil: any.
    public var method: String?
    /// Names in lower case.
    public var headers: [ValueMatchPlan]
    public var queryParams: [ValueMatchPlan]
    /// HTTPRouteFilter `matches[].cookies`; names with their case.
    public var cookies: [ValueMatchPlan] = []
    public var position: SourcePosition

    public init(
        path: Path, method: String? = nil, headers: [ValueMatchPlan] = [], queryParams: [ValueMatchPlan] = [],
        position: SourcePosition = SourcePosition()
    ) {
        self.path = path
        self.method = method
        self.headers = headers
        self.queryParams = queryParams
        self.position = position
    }
}

public struct ValueMatchPlan: Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable { case exact, regularExpression }
    public var name: String
    public var kind: Kind
    public var value: String

    public init(name: String, kind: Kind, value: String) {
        self.name = name
        self.kind = kind
        self.value = value
    }
}
