import Core
import Glibc
import IO
import Support
import Testing

@Suite("WebSocket")
struct WebSocketTests {
    /// By HTTP/1.1 and by extended CONNECT (RFC 8441), over TLS and in clear text, to a backend that speaks either.
    @Test(arguments: [
        ("1", false, "1"), ("1", true, "1"), ("2", false, "1"), ("2", true, "1"), ("1", true, "2"), ("2", false, "2"),
    ]) func reachesABackend(version: String, isSecure: Bool, backendVersion: String) throws {
        let backend = try Clients.backend("websocket_server", ["--http", backendVersion])
        let kind = backendVersion == "2" ? "kubernetes.io/h2c" : nil
        let port = try Ports.free()
        let trust = try TrustFolder()
        let pair = try TestCertificates.issue(names: ["chat.example.com"])
        let gateway = try Gateway(
            isSecure
                ? SecureSite.simple(port: port, pair: pair, backend: backend.port, appProtocol: kind)
                : Site.gateway([("http", port)]) + Site.route(to: "chat")
                    + SecureSite.service("chat", port: backend.port, appProtocol: kind))
        let words =
            ["--http", version, "--target", "127.0.0.1:\(port)", "--host", "chat.example.com"]
            + (isSecure ? ["--tls", trust.ca] : [])
        let echo = try Clients.run(
            "websocket_client", words + ["--message", "a", "--message", "b", "--subprotocol", "chat"])
        #expect(echo.value("opened") == "chat" && echo.values("message") == ["a", "b"], "\(echo.output)")
        #expect(echo.value("close") == "1000 done")
        let large = try Clients.run("websocket_client", words + ["--size", "3000000"])
        #expect(large.value("message")?.hasPrefix("3000000 octets") == true, "\(large.output)")
        let refused = try Clients.run("websocket_client", words + ["--path", "/refuse"])
        #expect(refused.value("refused") == "403", "\(refused.output)")
        let closed = try Clients.run("websocket_client", words + ["--message", "close 4001"])
        #expect(closed.value("close") == "4001 as asked", "\(closed.output)")
        withExtendedLifetime(gateway) {}
    }

    /// Who is gone without a word takes the tunnel along, and the other end learns of it.
    @Test(arguments: ["1", "2"], ["1", "2"])
    func aDeathIsToldToTheOtherEnd(version: String, backendVersion: String) throws {
        let backend = try Clients.backend("websocket_server", ["--http", backendVersion])
        let port = try Ports.free()
        let gateway = try Gateway(
            Site.gateway([("http", port)]) + Site.route(to: "chat")
                + SecureSite.service(
                    "chat", port: backend.port, appProtocol: backendVersion == "2" ? "kubernetes.io/h2c" : nil))
        func client() throws -> Clients.Running {
            let client = try Clients.start(
                "websocket_client", ["--http", version, "--target", "127.0.0.1:\(port)", "--linger"])
            try client.wait(for: "sent")
            return client
        }
        try client().program.signal(SIGKILL)
        #expect(try backend.running.wait(for: "closed") == "1006")
        let left = try client()
        backend.running.program.signal(SIGKILL)
        let outcome = try left.finish()
        #expect(
            outcome.value("close")?.hasPrefix("1006") == true || outcome.value("failed") != nil, "\(outcome.output)")
        withExtendedLifetime(gateway) {}
    }

    /// Tunnels have no end of their own: what is left at the drain's timeout is cut.
    @Test(arguments: ["1", "2"])
    func aDrainEndsTunnelsInTime(version: String) throws {
        let backend = try Clients.backend("websocket_server")
        let port = try Ports.free()
        let gateway = try Gateway(
            ["gateway.yaml": Site.simple(port: port, backend: backend.port)], options: ["--drain-timeout", "1s"])
        let client = try Clients.start(
            "websocket_client", ["--http", version, "--target", "127.0.0.1:\(port)", "--linger"])
        try client.wait(for: "sent")
        gateway.program.signal(SIGTERM)
        #expect(try gateway.program.waitForEnd(within: .seconds(15)) == .exited(code: 0))
        let outcome = try client.finish()
        #expect(outcome.value("close") != nil || outcome.value("failed") != nil, "\(outcome.output)")
        try backend.running.wait(for: "closed")
    }
}
