import Core
import HTTP

// The records of a snapshot. Every one is BitwiseCopyable and position-independent: a reference is an offset from the
// block's start. They are written by SnapshotBuilder, sealed, and then only read, by every worker at once.

/// `count` records of one type, one after the other, at `offset`.
public struct Table<Record: BitwiseCopyable>: BitwiseCopyable, Sendable {
    public var offset: UInt32
    public var count: UInt32

    @inlinable public init(offset: UInt32 = 0, count: UInt32 = 0) {
        self.offset = offset
        self.count = count
    }

    @inlinable public var isEmpty: Bool { count == 0 }
}

/// Octets in the block.
public struct TextRef: BitwiseCopyable, Sendable {
    public var offset: UInt32
    public var length: UInt32

    @inlinable public init(offset: UInt32 = 0, length: UInt32 = 0) {
        self.offset = offset
        self.length = length
    }

    @inlinable public var isEmpty: Bool { length == 0 }
}

public struct SnapshotHeader: BitwiseCopyable, Sendable {
    public static let magic: UInt64 = 0x534C_5549_4345_0001
    public static let currentFormat: UInt32 = 4

    public var magic: UInt64 = SnapshotHeader.magic
    public var format: UInt32 = SnapshotHeader.currentFormat
    public var size: UInt32 = 0
    /// Grows by one with each set of manifests that takes effect.
    public var generation: UInt64 = 0
    /// Grows with each block that is published, also when only endpoints moved (DNS).
    public var revision: UInt64 = 0
    /// Of the files' contents, so that a controller that comes back knows whether the files are those that run.
    public var sourceHash: UInt64 = 0
    public var sockets = Table<SocketConfig>()
    public var listeners = Table<ListenerConfig>()
    public var routes = Table<RouteConfig>()
    public var rules = Table<RuleConfig>()
    public var backends = Table<BackendConfig>()
    public var clusters = Table<ClusterConfig>()
    public var endpoints = Table<EndpointConfig>()
    /// Regular expressions, each once; a worker compiles one when it first meets it.
    public var patterns = Table<TextRef>()
    public var files = Table<TextRef>()
    public var groups = Table<GroupConfig>()
    /// Of the ports of all members, and of their consumers.
    public var memberPathIndexes = Table<PathIndex>()
    /// Ordered by address, each once.
    public var workloads = Table<WorkloadConfig>()
    public var authorizationPolicies = Table<AuthorizationPolicyConfig>()
    /// ``GatewayPlan/services``: whether a name is in it is all that it tells.
    public var services = HostIndex(buckets: Table(), anyHost: HostIndex.none, wildcardDepths: 0)
    /// The zone that this gateway runs in; empty: it was not told.
    public var zone = TextRef()
    /// Segments of the longest prefix of any ``PathIndex``: how much memory a ``PathKey`` needs.
    public var longestPrefix: UInt32 = 0

    public init() {}
}

public struct SocketConfig: BitwiseCopyable, Sendable {
    /// The supervisor's number for the listening sockets of this address; workers know their descriptor by it.
    public var id: UInt32
    public var transport: SocketTransport
    public var address: SocketAddress
    public var proxyProtocol: ProxyProtocolAcceptance
    /// Of the listeners, which agree: their connections begin with a TLS handshake.
    public var beginsWithTLS: Bool
    /// Of the listeners, which agree: HTTP (or HTTPS, TLS), TCP, UDP.
    public var listenerProtocol: ListenerProtocol
    /// Whether one of the listeners is of protocol TLS: then the server name is looked at before anything is answered.
    public var isChosenByName: Bool
    /// Whether a handshake for a name that no listener has is refused with an alert: HTTPS does, TLS alone closes.
    public var answersUnknownNames: Bool
    /// Fields of requests that go on through their calls.
    public var carried: Table<CarriedFieldConfig>
    /// What policies say of clients before it is known whose they are.
    public var client: SocketClientConfig
    /// Index into ``SnapshotHeader/listeners`` of the first listener that takes a group's calls, whatever host they name;
    /// ``ListenerConfig/noGroup``: there is none.
    public var groupListener = ListenerConfig.noGroup
    /// How connections come here that were meant for others.
    public var interception: Interception
    /// Host → index into `SnapshotHeader.listeners` (listener isolation: the most specific name wins, alone).
    public var hosts: HostIndex
}

/// Host names to numbers: exact names, wildcards (`*.example.com`), and perhaps one for every host.
public struct HostIndex: BitwiseCopyable, Sendable {
    public static let none: UInt32 = .max
    /// Open addressing, a power of two, or empty. A wildcard is entered with its star cut off: `.example.com`.
    public var buckets: Table<HostBucket>
    /// For hosts that nothing else names, or `none`.
    public var anyHost: UInt32
    /// Bit n: some wildcard has n labels after its star (bit 63: 63 or more). Only those are probed.
    public var wildcardDepths: UInt64

    /// No host has anything.
    public var isEmpty: Bool { anyHost == Self.none && buckets.isEmpty }
}

public struct HostBucket: BitwiseCopyable, Sendable {
    public var hash: UInt64  // From the last octet to the first, see ``HostKey``.
    public var name: TextRef  // Empty: a free bucket.
    public var value: UInt32
}

public struct ListenerConfig: BitwiseCopyable, Sendable {
    public var gatewayNamespace: TextRef
    public var gatewayName: TextRef
    public var name: TextRef
    public var hostname: TextRef
    public var port: UInt16
    public var listenerProtocol: ListenerProtocol
    /// Of namespace, Gateway (or ListenerSet) and name: under which TLS sessions resume.
    public var identity: UInt64
    /// One for `https`, `tlsTerminate` and `hbone`, else none.
    public var tls: Table<ServerTLSConfig>
    public var forwardedClientCert: ForwardedClientCertPlan
    /// None or one.
    public var client: Table<ClientTrafficConfig>
    /// The listener's place in the shared live state; 0 where no policy manages its clients.
    public var slot: UInt32
    /// Of HTTP listeners: host → index into `pathIndexes`. Of all others: server name → index into
    /// `SnapshotHeader.rules`, the rule that serves. All hits are tried, the most specific name first (HTTPRouteSpec.hostnames).
    public var hosts: HostIndex
    public var pathIndexes: Table<PathIndex>
    /// Where goes what cannot be served from here, unless the backend says otherwise.
    public var fallback = FallbackConfig(nil)
    /// Index into ``SnapshotHeader/groups`` of the group whose calls it takes; ``noGroup``: it is an ordinary listener.
    public var group = ListenerConfig.noGroup
    /// Of a group's listener, whose `hosts` are those of requests: server name or host → index into
    /// `SnapshotHeader.rules`, the rule that serves connections.
    public var streamHosts = HostIndex(buckets: Table(), anyHost: HostIndex.none, wildcardDepths: 0)
    /// None: everybody may call; else one.
    public var authorization = Table<AuthorizationConfig>()
    public var position: SourcePosition

    public static let noGroup: UInt32 = .max
    /// Calls of a group's services come here.
    @inlinable public var isOfGroup: Bool { group != Self.noGroup }
}

/// The matches in force for one host of one listener.
public struct PathIndex: BitwiseCopyable, Sendable {
    public var exact: Table<PathBucket>  // Open addressing, a power of two, or empty.
    public var prefixes: Table<PathBucket>  // Likewise; `/` is entered as the empty path.
    /// In order of rank; consecutive matches with one expression are together.
    public var regularExpressions: Table<RegexCandidates>
    /// Likewise; asked when every prefix but `/` has been.
    public var lateExpressions: Table<RegexCandidates>
    /// The longest prefix, in segments: probing starts there.
    public var longestPrefix: UInt32
    /// Bit n: some prefix has n segments (bit 63: 63 or more). Only those are probed.
    public var prefixDepths: UInt64
}

public struct PathBucket: BitwiseCopyable, Sendable {
    public var hash: UInt64
    public var path: TextRef
    /// In order of rank. Empty: a free bucket.
    public var candidates: Table<MatchConfig>
}

public struct RegexCandidates: BitwiseCopyable, Sendable {
    public var pattern: UInt32
    /// What every path that matches begins with; another path need not be tried.
    public var literalPrefix: TextRef
    public var candidates: Table<MatchConfig>
}

/// One match that is in force: predicates beyond the path, and the rule that it leads to.
public struct MatchConfig: BitwiseCopyable, Sendable {
    public var rule: UInt32
    /// Index of the match in its rule, for `explain`.
    public var match: UInt16
    /// ``MatchConfig/anyMethod``, or a `Method` raw value; `other`: compare `methodText`.
    public var method: UInt8
    public var methodText: TextRef
    public var headers: Table<ValueMatchConfig>
    public var queryParams: Table<ValueMatchConfig>
    public var cookies: Table<ValueMatchConfig>
    /// As written, for `explain` and for ReplacePrefixMatch.
    public var path: TextRef
    public var pathKind: PathKind
    /// What counts as the path's length when matches are ranked.
    public var rankLength: UInt32
    public var position: SourcePosition
    public static let anyMethod: UInt8 = .max

    public enum PathKind: UInt8, BitwiseCopyable, Sendable {
        case exact, regularExpression, prefix
        /// An expression that ranks behind every prefix but `/`.
        case lateExpression
    }
}

public struct ValueMatchConfig: BitwiseCopyable, Sendable {
    public var name: TextRef  // Lower case for headers.
    public var fieldName: FieldName  // `other`: compare the octets.
    public var kind: ValueMatchPlan.Kind
    public var value: TextRef
    public var pattern: UInt32  // For regular expressions.
}

public struct RouteConfig: BitwiseCopyable, Sendable {
    public var kind: TextRef
    public var namespace: TextRef
    public var name: TextRef
    /// `namespace/name`, as logs show it.
    public var qualifiedName: TextRef
    /// The route's place in the shared statistics; kept for its identity as long as the family lives.
    public var slot: UInt32
    public var position: SourcePosition
}

public struct RuleConfig: BitwiseCopyable, Sendable {
    public var route: UInt32
    /// The route's ``RouteConfig/slot``, here too: it is wanted at the end of every request, its record is not.
    public var routeSlot: UInt32
    public var name: TextRef
    public var index: UInt16  // In its route.
    /// Of namespace, name, rule (by name or index) and its backends: under which the weighted choice goes on over reloads.
    public var identity: UInt64
    public var backends: Table<BackendConfig>
    public var totalWeight: UInt64
    /// Some of the backends only serve while others are not healthy enough: ``BackendConfig/isFallback``.
    public var hasFallback: Bool
    public var filters: FilterConfig
    public var requestTimeout: TimeAmount  // zero: none
    public var backendRequestTimeout: TimeAmount  // zero: none
    /// Who set them: the route itself, or a policy; see ``TimeLimit/origin``.
    public var requestTimeoutOrigin: TextRef
    public var backendRequestTimeoutOrigin: TextRef
    public var retry: RetryConfig
    /// None or one.
    public var traffic: Table<RouteTrafficConfig>
    public var position: SourcePosition
}

public struct RetryConfig: BitwiseCopyable, Sendable {
    /// 0: no retries.
    public var attempts: UInt32
    public var triggers: RetryTriggers
    public var codes: Table<UInt16>
    public var backOff: RetryBackOff

    @inlinable public static var none: RetryConfig {
        RetryConfig(
            attempts: 0, triggers: [], codes: Table(), backOff: RetryBackOff(base: .zero))
    }

    @inlinable public init(
        attempts: UInt32, triggers: RetryTriggers, codes: Table<UInt16>, backOff: RetryBackOff
    ) {
        self.attempts = attempts
        self.triggers = triggers
        self.codes = codes
        self.backOff = backOff
    }
}

public struct BackendConfig: BitwiseCopyable, Sendable {
    public static let invalid: UInt32 = .max
    /// Index into `clusters`, or `invalid`: answer `status`.
    public var cluster: UInt32
    public var status: UInt16
    public var weight: UInt32
    /// A Backend with `fallback`: of the second priority.
    public var isFallback: Bool
    public var filters: FilterConfig
    public var name: TextRef
    /// Of the rule and the name: under which what is counted for it is kept.
    public var identity: UInt64
    /// Its place in the shared live state; 0 where the rule's traffic is not managed.
    public var slot: UInt32
    public var position: SourcePosition
}

public struct FilterConfig: BitwiseCopyable, Sendable {
    public var requestHeaders: Table<HeaderEditConfig>
    public var responseHeaders: Table<HeaderEditConfig>
    public var redirect: Table<RedirectConfig>  // none or one
    public var rewrite: Table<RewriteConfig>  // none or one
    public var mirrors: Table<MirrorConfig>
    public var cors: Table<CORSConfig>  // none or one
    public var directResponse: Table<CustomResponseConfig>  // none or one
    public var credentialInjection: Table<CredentialInjectionConfig>  // none or one
}

public struct HeaderEditConfig: BitwiseCopyable, Sendable {
    public var action: HeaderEditPlan.Action
    public var fieldName: FieldName
    public var name: TextRef
    public var value: TextRef
}

public struct PathModifierConfig: BitwiseCopyable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case none, replaceFullPath, replacePrefixMatch, replaceRegexMatch
    }
    public var kind: Kind
    public var value: TextRef  // Of `replaceRegexMatch` the substitution.
    public var pattern: UInt32 = 0
}

public struct RedirectConfig: BitwiseCopyable, Sendable {
    public var scheme: TextRef  // Empty: the request's.
    public var hostname: TextRef  // Empty: the request's.
    public var path: PathModifierConfig
    public var port: UInt16  // 0: as Gateway API derives it from scheme and listener.
    public var statusCode: UInt16
}

public struct RewriteConfig: BitwiseCopyable, Sendable {
    public enum HostSource: UInt8, BitwiseCopyable, Sendable { case hostname, header, backend, pathRegex }
    public var hostSource: HostSource
    /// The new host, the name of a field, or a substitution. Of `hostname`, empty: unchanged.
    public var hostname: TextRef
    public var hostPattern: UInt32
    public var path: PathModifierConfig
    public var appendXForwardedHost: Bool

    public var changesHost: Bool { hostSource != .hostname || !hostname.isEmpty }
}

public struct MirrorConfig: BitwiseCopyable, Sendable {
    public var cluster: UInt32
    public var numerator: UInt32
    public var denominator: UInt32
}

public struct CORSConfig: BitwiseCopyable, Sendable {
    public var allowOrigins: Table<TextRef>
    public var allowMethods: Table<TextRef>
    public var allowHeaders: Table<TextRef>
    public var exposeHeaders: Table<TextRef>
    public var maxAge: UInt32
    public var allowCredentials: Bool
}

public struct ClusterConfig: BitwiseCopyable, Sendable {
    public var name: TextRef
    /// Of the name: under which pools, counters and turn are kept over reloads.
    public var identity: UInt64
    public var backendProtocol: BackendProtocol
    public var proxyProtocol: ProxyProtocolVersion
    /// None or one.
    public var tls: Table<UpstreamTLSConfig>
    /// None or one.
    public var tunnel: Table<TunnelConfig>
    /// ``ClusterPlan/authority``.
    public var authority: TextRef
    /// None or one.
    public var traffic: Table<ClusterTrafficConfig>
    /// The cluster's place in the shared live state; kept for its identity as long as the family lives.
    public var slot: UInt32
    /// Of the second priority (Backend `fallback`).
    public var isFallback: Bool
    /// None or one.
    public var dynamicResolver: Table<DynamicResolverPlan>
    /// Where requests go that no endpoint can serve; empty: as the listener says.
    public var fallback: FallbackConfig
    public var endpoints: Table<EndpointConfig>
}

public struct EndpointConfig: BitwiseCopyable, Sendable {
    public var address: SocketAddress
    /// Empty: the address counts.
    public var unixPath: TextRef
    /// Its own name; empty: none.
    public var hostname: TextRef
    /// Of cluster name and address.
    public var identity: UInt64
    /// The endpoint's place in the shared statistics and live state, by backend and address: shared by all clusters that
    /// use it, and kept for its identity as long as the family lives.
    public var slot: UInt32
    /// Its share of the requests beside the others'; 1 where nothing says more.
    public var weight: UInt32
    /// Where it runs; empty: nobody says. Equal texts of a block have equal places, so zones are compared by their offset.
    public var zone: TextRef
}
