import Config
import Core

/// What `listeners[].protocol` and `tls.mode` mean.
extension ListenerProtocol {
    /// The names that `protocol` may have here.
    static let names = ["HTTP", "HTTPS", "TLS", "TCP", "UDP", "HBONE"]

    /// Nil when Gateway API knows no such protocol.
    init?(name: String, isPassthrough: Bool) {
        switch name {
        case "HTTP": self = .http
        case "HTTPS": self = .https
        case "TLS": self = isPassthrough ? .tlsPassthrough : .tlsTerminate
        case "TCP": self = .tcp
        case "UDP": self = .udp
        case "HBONE": self = .hbone
        default: return nil
        }
    }

    /// The kinds of routes that make sense on it. A TCPRoute cannot look into TLS that is passed on, so
    /// only a TLSRoute fits there; of TLS that ends here, either can take the octets.
    var routeKinds: [String] {
        switch self {
        case .http, .https: ["HTTPRoute", "GRPCRoute"]
        case .tlsTerminate: ["TLSRoute", "TCPRoute"]
        case .tlsPassthrough: ["TLSRoute"]
        case .tcp: ["TCPRoute"]
        case .udp: ["UDPRoute"]
        case .hbone: ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]
        }
    }

    /// Listeners of different families cannot share a port. HTTPS and TLS can: the SNI tells them apart.
    var family: Family {
        switch self {
        case .http: .clearText
        case .https, .tlsTerminate, .tlsPassthrough, .hbone: .encrypted
        case .tcp: .tcp
        case .udp: .udp
        }
    }
    enum Family { case clearText, encrypted, tcp, udp }

    var hasHostnames: Bool { family == .clearText || family == .encrypted }
    var terminatesTLS: Bool { self == .https || self == .tlsTerminate || self == .hbone }
    var transport: SocketTransport { self == .udp ? .udp : .tcp }
}
