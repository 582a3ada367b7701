import Config
import Core

/// Backend (Envoy Gateway): endpoints outside of Services.
struct EnvoyBackend {
    enum Endpoint {
        case address(SocketAddress)
        case name(DNSNamePlan)
        case unix(String)
    }
    struct Protocols: OptionSet {
        let rawValue: UInt8
        static let h2c = Protocols(rawValue: 1)
        static let ws = Protocols(rawValue: 2)
        static let wss = Protocols(rawValue: 4)
    }
    var isDynamicResolver: Bool
    /// In the order of the file; what is no address is left out, and the schema has refused it.
    var endpoints: [(endpoint: Endpoint, hostname: String?, zone: String)] = []
    /// It serves only while others are not healthy enough.
    var isFallback: Bool
    var protocols: Protocols = []
    /// Absent: clear text, unless a BackendTLSPolicy says otherwise.
    var tls: WrittenNode
    var node: WrittenNode

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        self.node = node
        isFallback = spec[FieldKey("fallback")].boolean ?? false
        isDynamicResolver = spec[.type].string == "DynamicResolver"
        tls = spec[.tls]
        for item in spec[.appProtocols].items {
            switch item.string {
            case "gateway.envoyproxy.io/h2c": protocols.insert(.h2c)
            case "gateway.envoyproxy.io/ws": protocols.insert(.ws)
            case "gateway.envoyproxy.io/wss": protocols.insert(.wss)
            default: break
            }
        }
        for item in spec[.endpoints].items {
            let hostname = item[.hostname].string
            let zone = item[FieldKey("zone")].string ?? ""
            func port(_ node: WrittenNode) -> UInt16 { UInt16(clamping: node[.port].integer ?? 0) }
            if item[.fqdn].exists {
                let name = item[.fqdn][.hostname].string ?? ""
                endpoints.append((.name(DNSNamePlan(name: name, port: port(item[.fqdn]))), hostname ?? name, zone))
            } else if item[.unix].exists {
                endpoints.append((.unix(item[.unix][.path].string ?? ""), hostname, zone))
            } else if let ip = IPAddress(item[.ip][.address].text) {
                endpoints.append((.address(SocketAddress(ip: ip, port: port(item[.ip]))), hostname, zone))
            }
        }
    }
}
