import Core
import IO
import Support
import Testing

@Suite("HTTP/2")
struct HTTP2Tests {
    private let port: UInt16

    init() throws { port = try Ports.free() }

    /// Each version on the one side with each on the other.
    @Test(arguments: ["--http1.1", "--http2-prior-knowledge"], [nil, "kubernetes.io/h2c"])
    func versionsOfBothSides(option: String, appProtocol: String?) throws {
        let backend = try EchoBackend()
        let gateway = try Gateway(clear(backend.port, appProtocol))
        let answer = try Curl(
            "shop.example.com", port, "/a?b=c", [option, "--data", "hello", "--cookie", "a=1; b=2"])
        #expect(answer.status == 200 && answer.version == (option == "--http1.1" ? "1.1" : "2"), "\(answer.text)")
        #expect(answer.text.contains(#""proto":"\#(appProtocol == nil ? "HTTP/1.1" : "HTTP/2.0")""#))
        #expect(answer.text.contains(#""path":"/a?b=c","host":"shop.example.com:\#(port)","method":"POST""#))
        #expect(answer.text.contains(#""Cookie":["a=1; b=2"]"#))
        #expect(answer.text.contains(#""Content-Length":["5"]"#))
        let head = try Curl("shop.example.com", port, "/", [option, "--head"])
        #expect(head.status == 200, "\(head.text)")
        #expect(try Curl("shop.example.com", port, "/status/204", [option]).status == 204)
        withExtendedLifetime(gateway) {}
    }

    private func clear(_ backend: UInt16, _ appProtocol: String? = nil) -> String {
        Site.gateway([("http", port)]) + Site.route(to: "shop")
            + SecureSite.service("shop", port: backend, appProtocol: appProtocol)
    }

    /// Several times the windows, both ways, over TLS and in clear text.
    @Test(arguments: [false, true], [false, true])
    func largeBodies(isSecure: Bool, backendIsHTTP2: Bool) throws {
        let size = 8 << 20
        let octets = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        let plain = try Backend("large") { request in
            request.method == "GET" ? .octets(body: octets) : .response(body: request.body == octets ? "whole" : "not")
        }
        // A second gateway makes HTTP/2 of the backend.
        let middle = try Ports.free()
        let bridge = try Gateway(Site.simple(port: middle, backend: plain.port))
        let backend = backendIsHTTP2 ? middle : plain.port
        let kind = backendIsHTTP2 ? "kubernetes.io/h2c" : nil
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(
            isSecure
                ? SecureSite.simple(port: port, pair: pair, backend: backend, appProtocol: kind) : clear(backend, kind))
        let trust = isSecure ? try TrustFolder() : nil
        let folder = try TemporaryFolder()
        for option in ["--http1.1", isSecure ? "--http2" : "--http2-prior-knowledge"] {
            let file = folder.path + "/down" + option
            let down = try Curl("shop.example.com", port, trust: trust, [option, "--no-include", "--output", file])
            #expect(down.status == 200 && octetsOf(file) == octets, "\(option): \(down.text)")
            let up = try Curl(
                "shop.example.com", port, trust: trust, [option, "--header", "Expect:", "--data-binary", "@" + file])
            #expect(up.status == 200 && up.text.contains("whole"), "\(option): \(up.text)")
        }
        withExtendedLifetime((gateway, bridge)) {}
    }

    /// Who is answered before all of the upload is sent gets that answer, and not an error (RFC 9113, section 8.1).
    @Test func answersBeforeTheRequestsEnd() throws {
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(
            SecureSite.gateway([.init(port: port)]) + SecureSite.secret("site", pair)
                + Site.route(to: "shop", prefix: "/shop") + Site.service("shop", port: port))
        let trust = try TrustFolder()
        let folder = try TemporaryFolder()
        let upload = try folder.write("upload", String(repeating: "x", count: 4 << 20))
        // In HTTP/1.1 the connection must be closed, and what still comes is dropped up to a bound only.
        let smaller = try folder.write("smaller", String(repeating: "x", count: 512 << 10))
        for _ in 0..<3 {
            let answer = try Curl(
                "shop.example.com", port, "/nobody", trust: trust,
                ["--http1.1", "--header", "Expect:", "--data-binary", "@" + smaller])
            #expect(answer.status == 404 && answer.code == 0, "\(answer.text)")
            // curl of these years takes the reset behind the answer for an error, whoever sends it.
            let other = try Clients.tool(
                "nghttp", ["--verbose", "--no-verify-peer", "--data", upload, "https://127.0.0.1:\(port)/nobody"])
            #expect(other.output.contains(":status: 404\n"), "\(other.output)")
            #expect(other.output.contains("no route matches this request\n"))
            #expect(other.output.contains("(error_code=NO_ERROR(0x00))"))
        }
        for line in [#" HTTP/1.1 404 NR "#, #" HTTP/2 404 NR "#] {
            try Wait.until("'\(line)' in the access log") { gateway.output.contains(line) }
        }
    }

    @Test(arguments: [false, true])
    func manyStreamsOfManyConnections(isSecure: Bool) throws {
        let backend = try EchoBackend()
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(
            isSecure ? SecureSite.simple(port: port, pair: pair, backend: backend.port) : clear(backend.port),
            workers: 2)
        let outcome = try Clients.tool(
            "h2load",
            [
                "--requests=3200", "--clients=10", "--max-concurrent-streams=32",
                "--connect-to=127.0.0.1:\(port)", "\(isSecure ? "https" : "http")://shop.example.com:\(port)/a",
            ])
        #expect(outcome.output.contains("3200 succeeded, 0 failed, 0 errored, 0 timeout"), "\(outcome.output)")
        #expect(outcome.output.contains("status codes: 3200 2xx, 0 3xx, 0 4xx, 0 5xx"))
        withExtendedLifetime(gateway) {}
    }

    /// From either version to either version; a response's too.
    @Test(arguments: [nil, "kubernetes.io/h2c"])
    func trailersOfRequestsAndResponses(appProtocol: String?) throws {
        let plain = try Backend("trailers") { request in
            let sum = request.trailers.first { $0.name.lowercased() == "x-sum" }?.value ?? "none"
            return .chunked(chunks: ["got \(sum)"], trailers: [("x-end", "here")])
        }
        let middle = try Ports.free()
        let bridge = try Gateway(Site.simple(port: middle, backend: plain.port))
        let gateway = try Gateway(clear(appProtocol == nil ? plain.port : middle, appProtocol))
        let folder = try TemporaryFolder()
        let outcome = try Clients.tool(
            "nghttp",
            [
                "--verbose", "--no-content-length", "--data", try folder.write("body", "hello"), "--trailer",
                "x-sum: 5",
                "http://127.0.0.1:\(port)/",
            ])
        #expect(outcome.output.contains("got 5") && outcome.output.contains("x-end: here\n"), "\(outcome.output)")

        let client = try Client(port: port)
        try client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\nTE: trailers\r\n\r\n"
                + "5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.text == "got 5")
        #expect(answer.trailers.map { "\($0.name): \($0.value)" } == ["x-end: here"])
        withExtendedLifetime((gateway, bridge)) {}
    }

    private func octetsOf(_ path: String) -> [UInt8] { Files.octets(path) }
}
