import Core
import Support
import Testing

/// Every way in which a connection comes, with everything that can be on it, to everybody who may be meant: one table.
@Suite struct OutwardCallTests {
    typealias Content = OutwardSite.Content
    typealias Target = OutwardSite.Target

    /// Who answers where the connection says itself where it goes.
    private static func wanted(_ content: Content, _ target: Target, egress: String, denied: String) -> String {
        switch target {
        case .exact: "fixed \(content.rawValue)"
        case .wild: "there \(content.rawValue)"
        case .unwritten: egress == "allow" ? "there \(content.rawValue)" : denied
        }
    }

    private static func wantedOnAddress(_ content: Content, _ target: Target, egress: String) -> String {
        // Octets name nobody: the address alone is known.
        if content == .octets { return egress == "allow" ? "there octets" : "end" }
        return wanted(content, target, egress: egress, denied: content == .http ? "403" : "end")
    }

    /// Who takes more than a moment to say what it is, on a busy machine, is taken for one that waits: it is asked again.
    private static func expect(
        _ wanted: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ ask: () throws -> String
    ) rethrows {
        var answer = try ask()
        for _ in 0..<5 where answer != wanted { answer = try ask() }
        #expect(answer == wanted, "\(words)", sourceLocation: sourceLocation)
    }

    @Test(arguments: ["deny", "allow"]) func byName(_ egress: String) throws {
        let site = try OutwardSite(egress: egress)
        for target in Target.allCases {
            let name = target.rawValue
            for port in [site.ports.http, site.ports.tcp] {
                try Self.expect(Self.wanted(.http, target, egress: egress, denied: "403"), "\(name) \(port)") {
                    try OutwardSite.answer(
                        Client(port: port), to: .http, target == .exact ? name : "\(name):\(site.there.port)")
                }
            }
            // A server name has no port: it is the listener's.
            for port in [site.ports.tcp, site.ports.tls] {
                try Self.expect(Self.wanted(.tls, target, egress: egress, denied: "end"), "\(name) \(port)") {
                    try OutwardSite.answer(Client(port: port), to: .tls, name)
                }
            }
            #expect(try OutwardSite.answer(Client(port: site.ports.tcp), to: .octets, name) == "end")
        }
        let denied = try site.gateway.admin("/metrics").text.split(separator: "\n").filter {
            $0.hasPrefix("sluice_egress_denied_total{")
        }
        let told = denied.contains { $0.contains("host=\"none.example\"") }
        #expect(egress == "allow" ? denied.isEmpty : told, "\(denied)")
    }

    @Test(arguments: ["deny", "allow"]) func throughTunnels(_ egress: String) throws {
        let site = try OutwardSite(egress: egress)
        let port = site.there.port
        for content in Content.allCases {
            for target in Target.allCases {
                let name = target.rawValue
                try Self.expect(
                    Self.wanted(content, target, egress: egress, denied: "CONNECT 403"), "\(content) \(name)"
                ) {
                    try site.answer(through: "\(name):\(port)", to: content, name)
                }
                try Self.expect(Self.wantedOnAddress(content, target, egress: egress), "\(content) \(name)") {
                    try site.answer(through: "127.0.0.6:\(port)", to: content, name)
                }
            }
        }
        // Nobody reaches another host through one that is allowed.
        #expect(try site.answer(through: "exact.example:\(port)", to: .tls, "a.wild.example") == "end")
        try Self.expect("421", "another host") {
            try site.answer(through: "exact.example:\(port)", to: .http, "a.wild.example")
        }
        // Nor the gateway itself.
        #expect(try site.answer(through: "127.0.0.1:\(site.ports.tcp)", to: .octets, "") == "CONNECT 403")
    }

    @Test(arguments: ["deny", "allow"]) func throughHBONE(_ egress: String) throws {
        let mesh = try MeshFolder()
        try mesh.workload("waypoint")
        let port = try Ports.free()
        let site = try OutwardSite(
            egress: egress, listeners: "  - {name: mesh, protocol: HBONE, port: \(port)}",
            annotations: mesh.annotations("waypoint").split(separator: ", ").map { "    \($0)" }
                .joined(separator: "\n"))
        let till = try mesh.workload("till")
        for content in Content.allCases {
            for target in Target.allCases {
                for authority in [target.rawValue, "127.0.0.6"] {
                    let wanted =
                        authority == "127.0.0.6"
                        ? Self.wantedOnAddress(content, target, egress: egress)
                        : Self.wanted(content, target, egress: egress, denied: "CONNECT 403")
                    try Self.expect(wanted, "\(content) \(target) \(authority)") {
                        try Self.answer(
                            by: ["--target", "127.0.0.1:\(port)", "--authority", "\(authority):\(site.there.port)"]
                                + till, to: content, target.rawValue)
                    }
                }
            }
        }
    }

    private static func answer(by words: [String], to content: Content, _ host: String) throws -> String {
        let octets = OutwardSite.octets(content, host)
        let hex = octets.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let outcome = try Clients.run("hbone_client", ["call", "--octets", hex] + words)
        let status = outcome.value("connect") ?? ""
        let lines = outcome.values("line")
        if status != "200" { return "CONNECT \(status)" }
        return content == .http ? http(lines) : lines.first ?? "end"
    }

    /// The body of an answer that is 200, else the status.
    private static func http(_ lines: [String]) -> String {
        guard let first = lines.first?.split(separator: " "), first.count > 1 else { return "end" }
        return first[1] == "200" ? lines.last ?? "" : String(first[1])
    }

    /// An ordinary listener that passes TLS on follows such a route, too; where it is let, and no further.
    @Test(arguments: [true, false]) func anOrdinaryListenerFollowsTheServerName(_ allowsLocal: Bool) throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        dns.set("a.wild.example", .init(addresses: [IPAddress(v4: 127, 0, 0, 6)], life: 60))
        let port = try Ports.free()
        let there = try Backend.saysItsName("there", host: 6, port: port)
        let gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: hello, protocol: TLS, port: \(port), tls: {mode: Passthrough}}]
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: any, annotations: {sluice.dev/allow-local-targets: "\(allowsLocal)"}}
            spec: {type: DynamicResolver}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: wild}
            spec:
              parentRefs: [{name: front}]
              hostnames: ["*.wild.example"]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: any}]}]

            """, options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        let answer = try OutwardSite.answer(Client(port: port), to: .tls, "a.wild.example")
        #expect(answer == (allowsLocal ? "there" : "end"), "\(gateway.output)")
        #expect(try OutwardSite.answer(Client(port: port), to: .tls, "unknown.wild.example") == "end")
        #expect(there.accepted == (allowsLocal ? 1 : 0))
    }
}
