import Config

/// What this version can serve. The only place to change when the data plane learns more: everything around it, such as
/// certificates of HTTPS listeners, is already decided as if it were served.
enum ServedProtocols {
    static let listeners: [ListenerProtocol] = [.http]
    static let backends: [BackendProtocol] = [.http1]
    static let routeKinds = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]
}

/// `listeners[].protocol`, as far as Gateway API knows it.
enum ListenerProtocol: String {
    case http = "HTTP"
    case https = "HTTPS"
    case tls = "TLS"
    case tcp = "TCP"
    case udp = "UDP"

    /// The kinds of routes that make sense on it (Gateway API, "Routes Summary Table"), served or not.
    var routeKinds: [String] {
        switch self {
        case .http, .https: ["HTTPRoute", "GRPCRoute"]
        case .tls: ["TLSRoute", "TCPRoute"]
        case .tcp: ["TCPRoute"]
        case .udp: ["UDPRoute"]
        }
    }

    /// Listeners of different families cannot share a port. HTTPS and TLS can: the SNI tells them apart.
    var family: Family {
        switch self {
        case .http: .clearText
        case .https, .tls: .encrypted
        case .tcp: .tcp
        case .udp: .udp
        }
    }
    enum Family { case clearText, encrypted, tcp, udp }

    var hasHostnames: Bool { family == .clearText || family == .encrypted }
    var terminatesTLS: Bool { family == .encrypted }
}
