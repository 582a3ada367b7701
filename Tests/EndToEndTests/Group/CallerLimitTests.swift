import Support
import Testing

/// `sluice.dev/max-connections-per-caller` where no handshake of ours tells who calls, and below HTTP.
@Suite struct CallerLimitTests {
    private static let limit = "    sluice.dev/max-connections-per-caller: \"1\""

    @Test func holdsWhereTLSIsPassedOn() throws {
        let site = try OutwardSite(egress: "deny", annotations: Self.limit)
        func ask(_ client: Client) throws -> String { try OutwardSite.answer(client, to: .tls, "exact.example") }
        let first = try Client(port: site.ports.tls)
        #expect(try ask(first) == "fixed tls")
        for _ in 0..<3 { #expect(try ask(Client(port: site.ports.tls)) == "end") }
        // Others are not concerned, and who goes leaves a place.
        #expect(try ask(Client(port: site.ports.tls, from: 9)) == "fixed tls")
        first.shutdown()
        try Wait.until("a place to be free") { try ask(Client(port: site.ports.tls)) == "fixed tls" }
    }

    /// A header of the PROXY protocol says who calls, and whom: no listener looks at the server name then.
    @Test func holdsWhereAHeaderTellsTheDestination() throws {
        let backend = try Backend.saysItsName("own")
        let port = try Ports.free()
        let gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: front
              namespace: shop
              annotations: {sluice.dev/group: by-name, sluice.dev/max-connections-per-caller: "1"}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: hello, protocol: TLS, port: \(port), tls: {mode: Passthrough}}]
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: ClientTrafficPolicy
            metadata: {name: front, namespace: shop}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: front}]
              proxyProtocol: {}

            """ + MeshFolder.service("own", port: backend.port, labels: "sluice.dev/gateway: front", appProtocol: "tls")
        )
        func ask(_ client: Client, from address: String) throws -> String {
            try client.send("PROXY TCP4 \(address) 127.0.0.1 4567 \(backend.port)\r\n")
            return try OutwardSite.answer(client, to: .tls, "own.shop")
        }
        let first = try Client(port: port)
        #expect(try ask(first, from: "192.0.2.7") == "own", "\(gateway.output)")
        #expect(try ask(Client(port: port), from: "192.0.2.7") == "end")
        #expect(try ask(Client(port: port), from: "192.0.2.8") == "own")
        withExtendedLifetime(first) {}
    }

    @Test func holdsForOctetsWithinTLSThatEndsHere() throws {
        let port = try Ports.free()
        let pair = try TestCertificates.issue(names: ["exact.example"])
        let ended =
            "  - {name: ended, protocol: TLS, port: \(port), tls: {mode: Terminate, certificateRefs: [{name: site}]}}\n---\n"
            + SecureSite.secret("site", pair).replacing("{name: site}", with: "{name: site, namespace: mesh}")
        let site = try OutwardSite(egress: "deny", listeners: ended, annotations: Self.limit)
        let client = """
            import socket, ssl
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            links = []
            for _ in range(3):
                plain = socket.create_connection(("127.0.0.1", \(port)), 30)
                try:
                    links.append(context.wrap_socket(plain, server_hostname="exact.example"))
                    links[-1].sendall(b"PING\\n")
                    print(links[-1].recv(100).decode().strip() or "end")
                except OSError:
                    print("end")
            """
        let answers = try Clients.tool("python3", ["-c", client]).output.split(separator: "\n")
        #expect(answers == ["fixed octets", "end", "end"], "\(site.gateway.output)")
    }
}
