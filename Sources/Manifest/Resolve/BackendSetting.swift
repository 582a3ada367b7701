import Config

/// How a route uses its backends on some of its listeners: what one and the same backendRef may mean several clusters by.
struct BackendSetting: Hashable {
    enum Use: Hashable {
        case http, grpc
        /// Octets of a connection (TCPRoute; TLSRoute, where TLS ends at the listener).
        case octets
        /// TLS that goes through as it is: the backend is the client's peer, so no policy adds TLS of ours.
        case passthrough
        case datagrams

        init(_ kind: RouteKind) {
            self =
                switch kind {
                case .http: .http
                case .grpc: .grpc
                case .tls, .tcp: .octets
                case .udp: .datagrams
                }
        }

        /// What distinguishes it in a cluster's name.
        var label: String {
            switch self {
            case .http: "http"
            case .grpc: "grpc"
            case .octets: "tcp"
            case .passthrough: "tls passthrough"
            case .datagrams: "udp"
            }
        }

        /// Whether a policy can add TLS.
        var isSecurable: Bool { self != .passthrough && self != .datagrams }

        /// `spec.ports[].protocol` of the Services that fit.
        var serviceProtocol: String { self == .datagrams ? "UDP" : "TCP" }
    }
    var use: Use
    /// The Gateway whose certificate is shown to backends that are reached by TLS (`spec.tls.backend`) or by HBONE; nil: it
    /// has none.
    var gateway: ResourceName?
    /// BackendTrafficPolicy `proxyProtocol`.
    var proxyProtocol = ProxyProtocolVersion.none
    /// The policies that say more about how backends are used; nil: none does.
    private(set) var policies: PolicyAttachments.InForce?
    /// What they say. It follows from ``policies``, which are compared instead.
    private(set) var traffic = ClusterTrafficPlan()
    /// What a cluster is called after the policies.
    private(set) var policyNames = ""

    init(use: Use) { self.use = use }

    /// The Gateway has something of its own to show to backends.
    mutating func belong(to gateway: GatewayState) {
        let shows = use.isSecurable && gateway.clientCertificate != nil
        if shows || use != .datagrams && gateway.hasIdentityWritten { self.gateway = gateway.name }
    }

    /// Takes what policies say of backends.
    mutating func take(_ rule: RuleTraffic) {
        guard let settings = rule.settings else { return }
        proxyProtocol = settings.proxyProtocol
        if settings.cluster.isEmpty { return }
        traffic = settings.cluster
        policies = rule.policies
        policyNames = settings.name
    }

    static func == (a: BackendSetting, b: BackendSetting) -> Bool {
        a.use == b.use && a.gateway == b.gateway && a.proxyProtocol == b.proxyProtocol && a.policies == b.policies
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(use)
        hasher.combine(gateway)
        hasher.combine(proxyProtocol)
        hasher.combine(policies)
    }

    /// What a request is answered with that no backend can take. gRPC wants UNAVAILABLE, which is 503 to the clients that
    /// map HTTP's codes (GRPCRouteRule.backendRefs); for all others it is 500 (HTTPRouteRule.backendRefs). Connections
    /// are closed and datagrams dropped, whatever the number.
    var noBackendStatus: UInt16 { use == .grpc ? 503 : 500 }
}
