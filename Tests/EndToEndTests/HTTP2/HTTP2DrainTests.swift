import Core
import Glibc
import IO
import Support
import Testing

/// A drain announces its GOAWAY before it counts (RFC 9113, section 6.8), so that no request is lost.
@Suite("HTTP/2 and a drain")
struct HTTP2DrainTests {
    @Test(arguments: [false, true])
    func losesNoRequest(isSecure: Bool) throws {
        let backend = try EchoBackend()
        let port = try Ports.free()
        let trust = try TrustFolder()
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(
            isSecure
                ? SecureSite.simple(port: port, pair: pair, backend: backend.port)
                : Site.simple(port: port, backend: backend.port))
        let client = try Clients.start(
            "http2_drain",
            ["--target", "127.0.0.1:\(port)", "--host", "shop.example.com", "--path", "/?delay=20ms"]
                + (isSecure ? ["--tls", trust.ca] : []))
        try client.wait(for: "answered")
        gateway.program.signal(SIGTERM)
        let outcome = try client.finish()
        let words = outcome.values("goaway")
        #expect(words.count == 2 && words.first == "2147483647 0", "\(outcome.output)")
        #expect(words.last?.hasSuffix(" 0") == true)
        #expect(outcome.values("lost") == ["0"], "\(outcome.output)")
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
    }

    /// A call that lasts goes on to its end; the gateway ends with it.
    @Test func waitsForCallsUnderWay() throws {
        let backend = try Clients.backend("grpc_server")
        let port = try Ports.free()
        let gateway = try Gateway(
            Site.gateway([("http", port)]) + Site.route(to: "calls")
                + SecureSite.service("calls", port: backend.port, appProtocol: "kubernetes.io/h2c"))
        let client = try Clients.start(
            "grpc_client",
            ["server-stream", "--message", "count=30 pause=0.05 text=part", "--target", "127.0.0.1:\(port)"])
        try client.wait(for: "message", count: 3)
        gateway.program.signal(SIGTERM)
        try Wait.until("the port to be closed") { Ports.isClosed(port) }
        let outcome = try client.finish()
        #expect(outcome.value("received") == "30" && outcome.value("status") == "OK", "\(outcome.output)")
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
    }
}
