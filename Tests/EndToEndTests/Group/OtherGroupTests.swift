import Core
import Support
import Testing

/// Two groups in one gateway: a member of one, which its policies close, and callers of the other, which may go outside.
@Suite struct OtherGroupTests {
    private final class Site {
        let ports: (open: UInt16, closed: UInt16)
        let secret: Backend
        let outside: Backend
        let gateway: Gateway
        private let dns: FakeDNS

        init(more: String = "") throws {
            ports = (try Ports.free(), try Ports.free())
            secret = try Backend("secret")
            outside = try Backend("outside", host: 6)
            dns = try FakeDNS()
            dns.set("secret.example", .init(addresses: [IPAddress(v4: 127, 0, 0, 1)], life: 60))
            dns.set("outside.example", .init(addresses: [IPAddress(v4: 127, 0, 0, 6)], life: 60))
            gateway = try Gateway(
                Self.gateway("open", ports.open, "sluice.dev/egress: allow, sluice.dev/allow-local-targets: 'true'")
                    + Self.gateway("closed", ports.closed)
                        + """
                        apiVersion: security.istio.io/v1
                        kind: AuthorizationPolicy
                        metadata: {name: nobody, namespace: shop}
                        spec: {targetRefs: [{kind: Service, group: "", name: secret}]}

                        """ + MeshFolder.service("secret", port: secret.port, labels: "sluice.dev/gateway: closed")
                    + more,
                options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        }

        deinit { dns.stop() }

        private static func gateway(_ name: String, _ port: UInt16, _ annotations: String = "") -> String {
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: \(name), namespace: shop, annotations: {sluice.dev/group: by-name, \(annotations)}}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: http, port: \(port), protocol: HTTP}]
            ---

            """
        }

        func connect(_ authority: String) throws -> (client: Client, status: Int) {
            let client = try Client(port: ports.open)
            try client.send("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n\r\n")
            return (client, try client.readHead().status)
        }
    }

    @Test func nobodyReachesAMemberPastItsPoliciesByAnotherGroup() throws {
        let site = try Site()
        #expect(try Client(port: site.ports.closed).request(host: "secret.shop").status == 403)
        // What is nobody's is reached.
        for host in ["127.0.0.6", "outside.example"] {
            let answer = try Client(port: site.ports.open).request(host: "\(host):\(site.outside.port)")
            #expect(answer.text == "outside", "\(host) \(site.gateway.output)")
        }
        for host in ["127.0.0.1", "secret.example"] {
            let answer = try Client(port: site.ports.open).request(host: "\(host):\(site.secret.port)")
            #expect(answer.status == 403, "\(host) \(answer.text)")
        }
        #expect(try site.connect("127.0.0.1:\(site.secret.port)").status == 403)
        // The name's address shows later.
        let (client, status) = try site.connect("secret.example:\(site.secret.port)")
        #expect(try status == 200 && client.request(host: "secret.example").status == 403)
        #expect(site.secret.requests.isEmpty)
    }

    /// A tunnel to an address is let in where routes name hosts: what it carries may be for one of them.
    @Test func norInsideOfATunnel() throws {
        let site = try Site(
            more: """
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: named, namespace: shop}
                spec:
                  parentRefs: [{name: open}]
                  hostnames: [named.example]
                  rules: [{backendRefs: [{name: nobody, port: 80}]}]

                """)
        let address = "127.0.0.1:\(site.secret.port)"
        let requests = try site.connect(address)
        #expect(requests.status == 200, "\(site.gateway.output)")
        #expect(try requests.client.request(host: address).status == 403)
        let octets = try site.connect(address)
        try octets.client.send("PING\r\n")
        #expect(octets.client.isClosedByPeer(within: .seconds(10)))
        #expect(site.secret.accepted == 0)
    }
}
