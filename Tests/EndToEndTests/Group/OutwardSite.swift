import Core
import Support

/// A group from which one may call a host that a route has (`exact.example`), a family of hosts by a Backend of type
/// DynamicResolver (`*.wild.example`), and whom `sluice.dev/egress` lets them; and what is there.
final class OutwardSite {
    /// What comes first on a connection.
    enum Content: String, CaseIterable, Sendable { case http, tls, octets }
    /// Whom it names.
    enum Target: String, CaseIterable, Sendable {
        case exact = "exact.example"
        case wild = "a.wild.example"
        case unwritten = "none.example"
    }

    let gateway: Gateway
    /// Listeners for requests, for all connections, and for TLS that is passed on.
    let ports: (http: UInt16, tcp: UInt16, tls: UInt16)
    /// Where `exact.example` leads.
    let fixed: Backend
    /// Where the other names are (127.0.0.6): on a port of its own, and on those of the gateway's listeners.
    let there: Backend
    private let alsoThere: [Backend]
    private let dns: FakeDNS

    /// - Parameters:
    ///   - listeners: more of them, a line each.
    ///   - annotations: more of the Gateway's.
    init(egress: String, listeners: String = "", annotations: String = "") throws {
        dns = try FakeDNS()
        for name in [Target.wild, .unwritten] {
            dns.set(name.rawValue, .init(addresses: [IPAddress(v4: 127, 0, 0, 6)], life: 60))
        }
        fixed = try Self.backend("fixed", host: 7)
        there = try Self.backend("there", host: 6)
        ports = (try Ports.free(), try Ports.free(), try Ports.free())
        alsoThere = try [ports.tcp, ports.tls].map { try Self.backend("there", host: 6, port: $0) }
        gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: front
              namespace: mesh
              annotations:
                sluice.dev/group: by-name
                sluice.dev/egress: \(egress)
                sluice.dev/allow-local-targets: "true"
            \(annotations)
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners:
              - {name: calls, protocol: HTTP, port: \(ports.http)}
              - {name: octets, protocol: TCP, port: \(ports.tcp)}
              - {name: hello, protocol: TLS, port: \(ports.tls), tls: {mode: Passthrough}}
            \(listeners)
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: fixed, namespace: mesh}
            spec: {endpoints: [{ip: {address: 127.0.0.7, port: \(fixed.port)}}]}
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: any, namespace: mesh, annotations: {sluice.dev/allow-local-targets: "true"}}
            spec: {type: DynamicResolver}
            ---

            """ + Self.route("HTTPRoute", "exact", .exact, to: "fixed")
                + Self.route("TLSRoute", "exact", .exact, to: "fixed")
                + Self.route("HTTPRoute", "wild", .wild, to: "any") + Self.route("TLSRoute", "wild", .wild, to: "any"),
            options: ["--dns-server", "127.0.0.1:\(dns.port)"])
    }

    deinit { dns.stop() }

    private static func route(_ kind: String, _ name: String, _ target: Target, to backend: String) -> String {
        let host = target == .wild ? "*.wild.example" : target.rawValue
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: \(kind)
            metadata: {name: \(name), namespace: mesh}
            spec:
              parentRefs: [{name: front}]
              hostnames: ["\(host)"]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: \(backend)}]}]
            ---

            """
    }

    /// Tells its name and what it was sent, and stays until the client has gone.
    private static func backend(_ name: String, host: UInt8, port: UInt16 = 0) throws -> Backend {
        try Backend(name, host: host, port: port) { backend, connection, _ in
            var content = Content.octets
            switch try connection.read(1)[0] {
            case 22: content = .tls
            case UInt8(ascii: "G"):
                content = .http
                _ = try connection.readLine()
                _ = try connection.readFields()
            default: break
            }
            let words = "\(name) \(content.rawValue)\n"
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(words.utf8.count)\r\n\r\n"
            try connection.send((content == .http ? head : "") + words)
            _ = try? connection.readToEnd()
        }
    }

    /// What a client sends.
    static func octets(_ content: Content, _ host: String) -> [UInt8] {
        switch content {
        case .http: Array("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
        case .tls: HelloOctets.hello(host)
        case .octets: Array("*1\r\n$4\r\nPING\r\n".utf8)
        }
    }

    /// What a client sees on a connection that leads somewhere, be it inside of another: who answered, or a status, or `end`.
    static func answer(_ client: Client, to content: Content, _ host: String) throws -> String {
        do {
            try client.send(octets(content, host))
            if content == .http {
                let response = try client.readResponse()
                return response.status == 200 ? String(response.text.dropLast()) : "\(response.status)"
            }
            return try client.readLine()
        } catch let error as ClientError {
            switch error {
            case .reset, .closed: return "end"
            case .timedOut, .malformed: throw error
            }
        }
    }

    /// As ``answer(_:to:_:)``, through CONNECT; `CONNECT` and the status where that is refused.
    func answer(through authority: String, to content: Content, _ host: String) throws -> String {
        let client = try Client(port: ports.http)
        try client.send("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n\r\n")
        let status = try client.readHead().status
        guard status == 200 else { return "CONNECT \(status)" }
        return try Self.answer(client, to: content, host)
    }
}
