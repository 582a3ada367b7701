import Support
import Testing

/// Connections that know nothing of the gateway, brought to it by the rules that `sluice intercept` prints: in network
/// namespaces, with the program itself.
@Suite(.serialized) struct InterceptionTests {
    /// Namespaces are a precondition: where they cannot be made these tests fail, and say that it is for this.
    private static func outcome(_ mode: String, egress: String = "deny") throws -> Clients.Outcome {
        let outcome = try Clients.tool(
            "unshare",
            [
                "--net", "python3", Repository.root + "/Tests/Clients/interception.py", Program.built("sluice"), mode,
                egress,
            ],
            within: .seconds(120))
        guard outcome.value("done") != nil else {
            throw TimedOut(
                "precondition: root, network namespaces (unshare --net), ip and nft (Debian: iproute2, nftables); "
                    + "it printed:\n\(outcome.output)")
        }
        return outcome
    }

    private static func check(_ outcome: Clients.Outcome, _ mode: String) {
        for family in ["v4", "v6"] {
            func value(_ name: String) -> String? { outcome.value("\(family)-\(name)") }
            // By the address that was dialled, whatever the Host says.
            #expect(value("http") == "HTTP/1.1 200 web", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("declared-tcp") == "hello", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("server-first") == "greeting", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("endpoint-itself") == "hello", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("no-such-port") == "ConnectionResetError", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("outside-http") == "HTTP/1.1 403", "\(mode) \(family)\n\(outcome.output)")
            #expect(value("outside-octets") == "ConnectionResetError", "\(mode) \(family)\n\(outcome.output)")
            // TLS follows the route that its server name has, whichever address was dialled.
            #expect(value("outside-wild-tls") == "passed on", "\(mode) \(family)\n\(outcome.output)")
            #expect(mode != "redirect" || value("elsewhere-tls") == "ConnectionResetError", "\(outcome.output)")
            // Who dials the gateway gets the gateway, once.
            #expect(value("gateway-itself") == "HTTP/1.1 200 web", "\(mode) \(family)\n\(outcome.output)")
        }
        let metrics = outcome.values("metric")
        #expect(metrics.contains { $0.contains("host=\"192.0.2.9\"") && $0.hasSuffix("} 1") }, "\(metrics)")
        let elsewhere = metrics.filter { $0.contains("host=\"web.elsewhere\"") }
        // Those who are known by their address are named, and are one.
        #expect(elsewhere.count == (mode == "redirect" ? 1 : 2), "\(metrics)")
        #expect(mode != "redirect" || elsewhere[0].contains("caller=\"shop/web\"") && elsewhere[0].hasSuffix("} 2"))
        #expect(
            outcome.values("log").contains { $0.contains("192.0.2.9") && $0.contains("port=9000") }, "\(outcome.output)"
        )
        #expect(outcome.value("tables") == "0")
    }

    @Test func redirected() throws { Self.check(try Self.outcome("redirect"), "redirect") }

    /// What may go out goes to where it was going.
    @Test func redirectedAndLetOut() throws {
        let outcome = try Self.outcome("redirect", egress: "allow")
        for family in ["v4", "v6"] {
            #expect(outcome.value("\(family)-elsewhere-octets") == "greeting", "\(outcome.output)")
            #expect(outcome.value("\(family)-elsewhere-http") == "HTTP/1.1 200 web", "\(outcome.output)")
            #expect(outcome.value("\(family)-declared-tcp") == "hello", "\(outcome.output)")
            #expect(outcome.value("\(family)-elsewhere-tls") == "passed on", "\(outcome.output)")
            #expect(outcome.value("\(family)-outside-wild-tls") == "passed on", "\(outcome.output)")
        }
        #expect(!outcome.values("metric").contains { $0.hasPrefix("sluice_egress_denied_total") }, "\(outcome.output)")
    }

    /// Rules that spare somebody else bring the gateway's own connections back to it: once, and not until descriptors run out.
    @Test func redirectedWithTheWrongUser() throws {
        let outcome = try Self.outcome("redirect", egress: "wrong")
        for family in ["v4", "v6"] {
            #expect(
                outcome.values("\(family)-elsewhere-octets") == [
                    "ConnectionResetError", "ConnectionResetError", "ConnectionResetError",
                ], "\(outcome.output)")
            let member = outcome.values("\(family)-http")
            #expect(member.count == 3 && member.allSatisfy { $0 == "HTTP/1.1 503" }, "\(outcome.output)")
            // Who takes more than a moment to say what it is, is taken for octets.
            let outside = outcome.values("\(family)-elsewhere-http")
            #expect(
                outside.count == 3 && outside.allSatisfy { ["HTTP/1.1 503", "ConnectionResetError"].contains($0) },
                "\(outcome.output)")
        }
        func count(_ name: String) -> Int? {
            let line = outcome.values("metric").first { $0.hasPrefix(name + " ") }
            return line.flatMap { Int($0.split(separator: " ")[1]) }
        }
        // 18 calls, of which requests are tried again a few times.
        let own = try #require(count("sluice_intercepted_own_connections_total"))
        let all = try #require(count("sluice_intercepted_connections_total"))
        #expect(own >= 18 && all - own >= 18 && all <= 150, "\(outcome.output)")
        let lines = outcome.values("log").filter { $0.contains("own connections are intercepted") }
        #expect(!lines.isEmpty && lines.count < 10, "\(outcome.output)")
        #expect(lines.allSatisfy { $0.contains("destination=") && $0.contains("uid=65534") }, "\(lines)")
    }

    @Test func transparent() throws { Self.check(try Self.outcome("tproxy"), "tproxy") }
}
