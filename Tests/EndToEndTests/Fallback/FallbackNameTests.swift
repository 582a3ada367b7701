import Core
import Support
import Testing

/// Central gateways that are named by host (`sluice.dev/fallback-gateway: central.example:8080`).
@Suite("Central gateways by name") struct FallbackNameTests {
    private func gateway(port: UInt16, central: String, dns: FakeDNS? = nil) throws -> Gateway {
        try Gateway(
            Manifests.simple(ports: [port], backend: try Ports.free()).replacing(
                "metadata: {name: gateway, namespace: default}",
                with: "metadata:\n  name: gateway\n  namespace: default\n  annotations:\n"
                    + "    sluice.dev/fallback-gateway: '\(central)'", maxReplacements: 1),
            options: dns.map { ["--dns-server", "127.0.0.1:\($0.port)"] } ?? [])
    }

    @Test func aNameAndAnAddressAreCalledAlike() throws {
        let central = try Backend("central")
        let port = try Ports.free()
        let gateway = try gateway(
            port: port, central: "central.localhost:\(central.port),127.0.0.1:\(try Ports.free())")
        let client = try Client(port: port)
        for _ in 0..<6 { #expect(try client.request().text == "central", "\(gateway.output)") }
    }

    /// Each address that a name stands for is looked after, and new answers are followed.
    @Test func addressesOfANameAreReplacedAsDNSSays() throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        let second = try Backend("second", host: 2)
        let third = try Backend("third", host: 3, port: second.port)
        let (two, three, four) = (
            IPAddress(v4: 127, 0, 0, 2), IPAddress(v4: 127, 0, 0, 3), IPAddress(v4: 127, 0, 0, 4)
        )
        // Nobody is at the other one.
        dns.set("central.test", .init(addresses: [two, four], life: 1))
        let port = try Ports.free()
        let gateway = try gateway(port: port, central: "central.test:\(second.port)", dns: dns)
        let client = try Client(port: port)
        for _ in 0..<6 { #expect(try client.request().text == "second", "\(gateway.output)") }
        try Wait.until("the one that is gone to be known as such") {
            try gateway.admin("/api/backends").text.split(separator: "}").contains {
                $0.contains("\"127.0.0.4:\(second.port)\"") && $0.contains("\"health\":\"unhealthy\"")
            }
        }
        dns.set("central.test", .init(addresses: [three], life: 1))
        second.stop()
        try Wait.until("the new address to be used") { try client.request().text == "third" }
        for _ in 0..<6 { #expect(try client.request().text == "third") }
        _ = third
    }

    @Test func aNameThatNobodyKnowsIsToldInTheLogAndInTheStatus() throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        let gateway = try gateway(port: try Ports.free(), central: "central.exmaple:99", dns: dns)
        let line = "a host name was looked up without an answer name=central.exmaple reason="
        try Wait.until("it to be told") { gateway.output.contains(line) }
        let status = try gateway.admin("/api/status").text
        #expect(status.contains(#""unansweredNames":[{"name":"central.exmaple","reason":""#), "\(status)")
        let text = try Client(path: gateway.folder.path + "/admin").request(
            "GET", "/api/status", host: "admin", fields: [("Accept", "text/plain"), ("Connection", "close")]
        ).text
        #expect(text.contains("central.exmaple was looked up without an answer: "), "\(text)")
    }

    /// As on the central gateway itself, where every machine has the same manifests.
    @Test func aNameThatLeadsBackHereLeadsNowhere() throws {
        let port = try Ports.free()
        let gateway = try gateway(port: port, central: "central.localhost:\(port)")
        #expect(try Client(port: port).request().status == 503)
        let backends = try gateway.admin("/api/backends").text
        #expect(backends.contains("fallback/central.localhost:\(port)"), "\(backends)")
        #expect(!backends.contains("\"address\":\"127.0.0.1:\(port)\""), "\(backends)")
    }
}
