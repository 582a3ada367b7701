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
