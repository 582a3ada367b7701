/// The kinds of routes.
enum RouteKind: UInt8, CaseIterable {
    case http, grpc, tls, tcp, udp

    init?(_ kind: ResourceKind) {
        guard let found = Self.allCases.first(where: { $0.resourceKind == kind }) else { return nil }
        self = found
    }

    var resourceKind: ResourceKind {
        switch self {
        case .http: .httpRoute
        case .grpc: .grpcRoute
        case .tls: .tlsRoute
        case .tcp: .tcpRoute
        case .udp: .udpRoute
        }
    }

    /// As `kind` has it.
    var name: String {
        switch self {
        case .http: "HTTPRoute"
        case .grpc: "GRPCRoute"
        case .tls: "TLSRoute"
        case .tcp: "TCPRoute"
        case .udp: "UDPRoute"
        }
    }

    /// Its rules have matches and filters; those of the others have backends alone.
    var hasMatches: Bool { self == .http || self == .grpc }
}
