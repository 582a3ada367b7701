import Core

/// A Service whose calls go through a group's gateway.
public struct MemberPlan: Equatable, Sendable {
    public var namespace: String
    public var name: String
    /// `spec.clusterIP` and `spec.clusterIPs`: where callers that know no gateway send their calls.
    public var addresses: [IPAddress] = []
    /// In the order of the manifest; never empty.
    public var ports: [MemberPortPlan]
    /// What it has of what is short.
    public var fairShare = FairSharePlan()
    public var position: SourcePosition

    public init(namespace: String, name: String, ports: [MemberPortPlan], position: SourcePosition = SourcePosition()) {
        self.namespace = namespace
        self.name = name
        self.ports = ports
        self.position = position
    }
}

/// One port of a member: what is spoken there, and which routes serve whom.
public struct MemberPortPlan: Equatable, Sendable {
    public var number: UInt16
    public var name: String
    public var memberProtocol: MemberProtocol
    /// Indices into ``GatewayPlan/routes`` in order of precedence: routes of the Service's own namespace, or the one that
    /// stands for a Service without routes. Routes of requests; empty where ``memberProtocol`` knows none.
    public var routes: [Int] = []
    /// Routes that callers of one other namespace have in the place of ``routes``; ordered by namespace.
    public var consumers: [Consumer] = []
    /// Routes of connections (TCPRoute, TLSRoute), or the one that stands for a Service without any; the first serves.
    public var streamRoutes: [Int] = []
    /// The endpoints of this port (address and target port), by which it is called, too.
    public var endpoints: [SocketAddress] = []
    /// What stands for the Service itself, whatever its routes: who calls an endpoint by its address goes there without
    /// them (GEP-1294, "Multiple routes for a Service"). One index, or none where requests or connections are not served.
    public var directRoutes: [Int] = []
    public var directStreamRoutes: [Int] = []
    /// Who may call it.
    public var authorization = AuthorizationPlan()

    public struct Consumer: Equatable, Sendable {
        public var namespace: String
        public var routes: [Int]
        public var streamRoutes: [Int]

        public init(namespace: String, routes: [Int], streamRoutes: [Int] = []) {
            self.namespace = namespace
            self.routes = routes
            self.streamRoutes = streamRoutes
        }
    }

    public init(number: UInt16, name: String = "", memberProtocol: MemberProtocol) {
        self.number = number
        self.name = name
        self.memberProtocol = memberProtocol
    }
}

/// What is spoken on a port of a member, by `appProtocol` or the port's name.
public enum MemberProtocol: UInt8, BitwiseCopyable, Sendable {
    /// Nobody says: what comes first on a connection tells.
    case undeclared
    /// Requests: HTTP/1.1, HTTP/2 by prior knowledge, gRPC, WebSocket.
    case http
    /// A TLS handshake that is passed on.
    case tls
    /// Octets.
    case tcp
}

/// Who is at an address: an endpoint of a Service in the files.
public struct WorkloadPlan: Equatable, Hashable, Sendable {
    public var address: IPAddress
    public var namespace: String
    /// Of the Pod that `targetRef` names, else of the Service.
    public var name: String
    /// Of the Service whose endpoint it is; of several the first by name.
    public var service: String

    public init(address: IPAddress, namespace: String, name: String, service: String) {
        self.address = address
        self.namespace = namespace
        self.name = name
        self.service = service
    }
}
