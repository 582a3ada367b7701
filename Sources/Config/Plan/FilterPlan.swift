import Core
import HTTP

/// What a rule or a backendRef does to the messages that pass, in the order Gateway API gives.
public struct FilterPlan: Equatable, Sendable {
    public var requestHeaders: [HeaderEditPlan] = []
    public var responseHeaders: [HeaderEditPlan] = []
    public var redirect: RedirectPlan?
    public var rewrite: RewritePlan?
    public var mirrors: [MirrorPlan] = []
    public var cors: CORSPlan?
    /// HTTPRouteFilter `directResponse`.
    public var directResponse: CustomResponsePlan?
    /// HTTPRouteFilter `credentialInjection`.
    public var credentialInjection: CredentialInjectionPlan?

    public init() {}
    public var isEmpty: Bool { self == FilterPlan() }
}

/// One edit of the fields; `set` replaces every line of that name, `add` appends one, `remove` drops all.
public struct HeaderEditPlan: Equatable, Sendable {
    public enum Action: UInt8, BitwiseCopyable, Sendable { case set, add, remove }
    public var action: Action
    public var name: String  // As written; compared without case.
    public var value: String

    public init(_ action: Action, name: String, value: String = "") {
        self.action = action
        self.name = name
        self.value = value
    }

    /// Why no message is ever edited so; nil: it is. The fields that frame a message or belong to one connection are left
    /// alone: no manifest may make two hops disagree on where a message ends. Host is changed by URLRewrite, which knows
    /// what else depends on it.
    public var refusal: StaticString? {
        let field = name.withView { FieldName($0) }
        switch field {
        case .host: return "Host is changed by the hostname of a URLRewrite filter only"
        case .contentLength: return "Content-Length says where the message ends, which the gateway sees to"
        case .transferEncoding: return "Transfer-Encoding says where the message ends, which the gateway sees to"
        default:
            return HopByHop.isNeverForwarded(field)
                ? "the field belongs to one connection (RFC 9110, 7.6.1), and the gateway writes its own" : nil
        }
    }
}

/// How a path is changed (HTTPPathModifier).
public enum PathModifierPlan: Equatable, Sendable {
    case replaceFullPath(String)
    case replacePrefixMatch(String)
    /// Of HTTPRouteFilter `urlRewrite`: what the expression matches is replaced, wherever it stands in the path.
    case replaceRegexMatch(pattern: String, substitution: String)
}

/// RequestRedirect. What is nil is taken from the request, as Gateway API says for each field.
public struct RedirectPlan: Equatable, Sendable {
    public var scheme: String?
    public var hostname: String?
    public var path: PathModifierPlan?
    public var port: UInt16?
    public var statusCode: UInt16

    public init(scheme: String?, hostname: String?, path: PathModifierPlan?, port: UInt16?, statusCode: UInt16 = 302) {
        self.scheme = scheme
        self.hostname = hostname
        self.path = path
        self.port = port
        self.statusCode = statusCode
    }
}

/// URLRewrite, of HTTPRoute or HTTPRouteFilter.
public struct RewritePlan: Equatable, Sendable {
    /// Where the host comes from when it is not written down (HTTPRouteFilter `urlRewrite.hostname`). One that cannot be a
    /// host changes nothing.
    public enum HostSource: Equatable, Sendable {
        /// A field of the request, by its name.
        case header(String)
        /// The name of the endpoint that is chosen; an endpoint without a name changes nothing.
        case backend
        case pathRegex(pattern: String, substitution: String)
    }
    public var hostname: String?
    public var hostSource: HostSource?
    public var path: PathModifierPlan?
    /// Whether X-Forwarded-Host tells the host that was rewritten.
    public var appendXForwardedHost = true

    public init(hostname: String?, path: PathModifierPlan?) {
        self.hostname = hostname
        self.path = path
    }
}

/// RequestMirror: `numerator` of `denominator` requests are copied to the cluster; its answers are thrown away.
public struct MirrorPlan: Equatable, Sendable {
    public var cluster: Int
    public var numerator: UInt32
    public var denominator: UInt32

    public init(cluster: Int, numerator: UInt32 = 100, denominator: UInt32 = 100) {
        self.cluster = cluster
        self.numerator = numerator
        self.denominator = denominator
    }
}

/// CORS (HTTPCORSFilter). `*` alone in a list is kept as such.
public struct CORSPlan: Equatable, Sendable {
    public var allowOrigins: [String]
    public var allowCredentials: Bool
    public var allowMethods: [String]
    public var allowHeaders: [String]
    public var exposeHeaders: [String]
    public var maxAge: UInt32  // Seconds.

    public init(
        allowOrigins: [String], allowCredentials: Bool, allowMethods: [String], allowHeaders: [String],
        exposeHeaders: [String], maxAge: UInt32
    ) {
        self.allowOrigins = allowOrigins
        self.allowCredentials = allowCredentials
        self.allowMethods = allowMethods
        self.allowHeaders = allowHeaders
        self.exposeHeaders = exposeHeaders
        self.maxAge = maxAge
    }
}

/// One backendRef.
public struct BackendPlan: Equatable, Sendable {
    public enum Target: Equatable, Sendable {
        case cluster(Int)
        /// The reference is invalid: its share of the requests is answered with this status (500).
        case answer(UInt16)
    }
    public var target: Target
    public var weight: UInt32
    public var filters: FilterPlan
    /// `namespace/name:port`, for logs and `explain`.
    public var name: String
    public var position: SourcePosition

    public init(
        target: Target, weight: UInt32, filters: FilterPlan = FilterPlan(), name: String,
        position: SourcePosition = SourcePosition()
    ) {
        self.target = target
        self.weight = weight
        self.filters = filters
        self.name = name
        self.position = position
    }
}

/// What the endpoints of a cluster speak (`appProtocol`, or the kind of route that leads there).
public enum BackendProtocol: UInt8, BitwiseCopyable, Sendable {
    case http1
    /// By prior knowledge in clear text (`kubernetes.io/h2c`, GRPCRoute); over TLS nothing else is offered.
    case http2
    /// Over TLS: whichever of the two the endpoint chooses by ALPN. Never without TLS.
    case negotiated
    /// Octets as they come (TCPRoute, TLSRoute, UDPRoute).
    case opaque
}

/// One Service port or Backend: its endpoints under one policy.
public struct ClusterPlan: Equatable, Sendable {
    /// `namespace/name:port`: the identity under which live state is kept across reloads.
    public var name: String
    /// The Service port or Backend alone, whatever the policies: `namespace/name:port`. What is known of an endpoint (its
    /// health, its requests in flight) is known under this name and its address.
    public var backend: String
    public var backendProtocol: BackendProtocol
    /// Nil: clear text.
    public var tls: UpstreamTLSPlan?
    /// Connections are made through HBONE; nil: directly. What ``tls`` says is inside of the tunnel then.
    public var tunnel: TunnelPlan?
    /// What is told first on every connection (BackendTrafficPolicy `proxyProtocol`).
    public var proxyProtocol = ProxyProtocolVersion.none
    public var traffic = ClusterTrafficPlan()
    /// By which anybody calls the Service's port through a tunnel, `NAME.NAMESPACE:PORT`; empty: it is no Service's.
    public var authority = ""
    /// As which Gateway its endpoints are called, `namespace/name`, where it has a certificate of its own; else empty.
    public var caller = ""
    /// Its endpoints are central gateways: none of them may be this one itself.
    public var isCentral = false
    /// Serves only what backends of the first priority are not healthy enough for (Backend `fallback`).
    public var isFallback = false
    /// Where requests go that no endpoint can serve; nil: as the listener says.
    public var fallback: FallbackPlan?
    /// Empty: 503. In manifest order, ready ones only (or serving ones when none is ready).
    public var endpoints: [EndpointPlan]
    /// The host is the request's (Backend of type DynamicResolver); then there are no endpoints.
    public var dynamicResolver: DynamicResolverPlan?
    /// Endpoints that the manifests name as not ready or terminating: that they are not used is wanted.
    public var withdrawn: [SocketAddress] = []
    /// Names to resolve (Service type ExternalName, Backend `fqdn`, central gateways); what they stand for, as the controller
    /// learns from DNS, joins `endpoints`.
    public var dnsNames: [DNSNamePlan]

    public init(
        name: String, backendProtocol: BackendProtocol = .http1, endpoints: [EndpointPlan],
        dnsNames: [DNSNamePlan] = []
    ) {
        self.name = name
        backend = name
        self.backendProtocol = backendProtocol
        self.endpoints = endpoints
        self.dnsNames = dnsNames
    }
}

extension ClusterPlan {
    /// Whether its connections are begun as another's, so that both may share them.
    func isCalled(as other: ClusterPlan) -> Bool {
        backendProtocol == other.backendProtocol && proxyProtocol == other.proxyProtocol && tls == other.tls
            && tunnel == other.tunnel
    }
}

/// Backend of type DynamicResolver: the request says where it goes, and a worker asks DNS.
public struct DynamicResolverPlan: Equatable, BitwiseCopyable, Sendable {
    /// Loopback addresses and those of this machine's links may be reached: 127.0.0.0/8, ::1, 169.254.0.0/16, fe80::/10. Without
    /// it whoever can send a request could reach the gateway's own neighbours, its admin interface and cloud metadata.
    public var allowsLocalTargets = false

    public init() {}
}

/// A name of which every address is an endpoint.
public struct DNSNamePlan: Equatable, Hashable, Sendable {
    public var name: String
    public var port: UInt16
    /// `_service._protocol`, when hosts and ports are those of the name's SRV records (RFC 2782); empty: they are not.
    public var service = ""
    /// What its endpoints are called; empty: they have no name of their own.
    public var hostname = ""
    /// Where its endpoints run; empty: nobody says.
    public var zone = ""
    public var dns = DNSPlan()

    public init(name: String, port: UInt16) {
        self.name = name
        self.port = port
    }
}

public struct EndpointPlan: Equatable, Hashable, Sendable {
    /// Unspecified for a Unix socket.
    public var address: SocketAddress
    /// Of a Unix socket; empty: it is an address of IP.
    public var unixPath = ""
    /// The endpoint's own name (`endpoints[].hostname` of a Backend, or its `fqdn`); empty: none.
    public var hostname = ""
    /// Where it runs (EndpointSlice and Backend `endpoints[].zone`); empty: nobody says.
    public var zone = ""
    /// Its share beside the cluster's other endpoints; from 1.
    public var weight: UInt32 = 1

    /// Octets of a Unix socket's path, at most (unix(7), `sun_path` with its NUL).
    public static let longestUnixPath = 107

    public init(address: SocketAddress, zone: String = "", weight: UInt32 = 1) {
        self.address = address
        self.zone = zone
        self.weight = weight
    }

    public init(unixPath: String) {
        address = SocketAddress(ip: .any, port: 0)
        self.unixPath = unixPath
    }
}
