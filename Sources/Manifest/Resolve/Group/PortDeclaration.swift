import Config
import Core

/// What a Service says is spoken on one of its ports: `appProtocol`, else what the port's name begins with, as Istio reads
/// both ("Protocol Selection").
enum PortDeclaration: Equatable {
    case undeclared
    case http
    /// HTTP/2 in clear text, gRPC among it.
    case http2
    /// A TLS handshake comes first; what is in it is the Service's own business.
    case tls
    case tcp

    init(_ port: Service.Port) {
        if let named = port.appProtocol {
            switch named.lowercased() {
            case "kubernetes.io/h2c", "h2c": self = .http2
            case "kubernetes.io/ws", "ws": self = .http
            case "kubernetes.io/wss", "wss": self = .tls
            case let name: self = Self.named(name[...])
            }
        } else {
            let name = port.name.lowercased()
            // `grpc-web` is the one name of a protocol with a hyphen in it.
            self = name == "grpc-web" || name.hasPrefix("grpc-web-") ? .http : Self.named(name.prefix { $0 != "-" })
        }
    }

    private static func named(_ name: Substring) -> PortDeclaration {
        switch name {
        case "http", "http1", "grpc-web": .http
        case "http2", "grpc": .http2
        case "https", "tls": .tls
        case "tcp", "mongo", "mysql", "postgres", "postgresql", "redis", "amqp", "kafka", "smtp", "ldap": .tcp
        default: .undeclared
        }
    }

    var memberProtocol: MemberProtocol {
        switch self {
        case .undeclared: .undeclared
        case .http, .http2: .http
        case .tls: .tls
        case .tcp: .tcp
        }
    }

    /// How the Service's own endpoints are used for requests.
    var requestUse: BackendSetting.Use { self == .http2 ? .grpc : .http }
    /// How they are used for connections. What a client encrypts is not encrypted again.
    var connectionUse: BackendSetting.Use { self == .tcp ? .octets : .passthrough }

    /// Whether routes of this kind can serve the port.
    /// - Parameter isNamed: the route names the port. Then requests in clear text are meant also where callers would speak
    ///   TLS themselves.
    func takes(_ kind: RouteKind, isNamed: Bool) -> Bool {
        switch kind {
        case .http, .grpc: self != .tcp && (self != .tls || isNamed)
        case .tls, .tcp: memberProtocol != .http
        case .udp: false
        }
    }
}
