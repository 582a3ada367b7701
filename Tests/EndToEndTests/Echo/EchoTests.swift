import Core
import IO
import Support
import Testing

/// `sluice echo` by clients that others wrote, without a gateway between.
@Suite("sluice echo")
struct EchoTests {
    private func pair() throws -> TestCertificates.Pair { try TestCertificates.issue(names: ["echo.example.com"]) }

    @Test(
        arguments: [
            (false, "--http1.1", "HTTP/1.1"), (false, "--http2-prior-knowledge", "HTTP/2.0"),
            (true, "--http1.1", "HTTP/1.1"), (true, "--http2", "HTTP/2.0"),
        ] as [(Bool, String, String)])
    func tellsWhatItReceived(isSecure: Bool, option: String, version: String) throws {
        let echo = try EchoBackend("v1", tls: isSecure ? try pair() : nil)
        let trust = isSecure ? try TrustFolder() : nil
        func ask(_ path: String, _ words: [String] = []) throws -> Curl {
            try Curl("echo.example.com", echo.port, path, trust: trust, [option] + words)
        }
        let answer = try ask("/a?b=c", ["--header", "x-test: 1", "--data", "hello"])
        #expect(answer.status == 200)
        for part in [
            #""path":"/a?b=c""#, #""host":"echo.example.com:\#(echo.port)""#, #""method":"POST""#,
            #""proto":"\#(version)""#, #""X-Test":["1"]"#, #""pod":"v1""#,
        ] {
            #expect(answer.text.contains(part), "\(answer.text)")
        }
        #expect(answer.text.contains(#""tls":{"version":"TLSv1.3""#) == isSecure)
        #expect(try ask("/status/418").status == 418)
        #expect(try ask("/", ["--head"]).status == 200)
        let watch = Stopwatch()
        #expect(try ask("/?delay=200ms").status == 200)
        #expect(watch.elapsed >= .milliseconds(200))
        // 1 MiB is more than the windows of the stream.
        let folder = try TemporaryFolder()
        let upload = try folder.write("upload", String(repeating: "x", count: 1 << 20))
        #expect(try ask("/", ["--data-binary", "@" + upload]).status == 200)
    }

    @Test func tellsOfTheClientsCertificate() throws {
        let echo = try EchoBackend(tls: try pair())
        let trust = try TrustFolder()
        #expect(try !Curl("echo.example.com", echo.port, trust: trust).text.contains("peerSubject"))
        let own = try TestCertificates.issue(names: ["me.example.com"], subject: "/CN=me")
        let answer = try Curl("echo.example.com", echo.port, trust: trust, trust.curlWords(own))
        #expect(answer.text.contains(#""peerSubject":"CN=me""#), "\(answer.text)")
        #expect(answer.text.contains(#""peerNames":["me.example.com"]"#))
        #expect(answer.text.contains(#""serverName":"echo.example.com""#))
        #expect(answer.text.contains(#""negotiatedProtocol":"h2""#))
    }

    @Test func callsOthersBeforeItAnswers() throws {
        let nobody = try Ports.free()
        let last = try EchoBackend("last")
        let middle = try EchoBackend("middle", options: ["--call", "http://127.0.0.1:\(last.port)/b"])
        let first = try EchoBackend(
            "first",
            options: [
                "--call", "http://middle.shop/a", "--via", "127.0.0.1:\(middle.port)",
            ])
        let answer = try Client(port: first.port).request("GET", "/", host: "a", fields: [("Baggage", "v=2")])
        #expect(answer["x-echo-chain"] == "first(middle(last))")
        #expect(
            answer.text.contains(
                #""calls":[{"url":"http://middle.shop/a","status":200,"chain":"middle(last)"}]"#), "\(answer.text)")
        let lost = try EchoBackend(
            "lost",
            options: ["--call", "http://127.0.0.1:\(nobody)", "--call", "http://127.0.0.1:\(last.port)/status/503"])
        let partly = try Client(port: lost.port).request("GET", "/", host: "a")
        #expect(partly["x-echo-chain"] == "lost(!127.0.0.1:\(nobody),127.0.0.1:\(last.port)=503)")
        #expect(partly.text.contains("Connection refused"))
        // Nobody waits for the answers any more: the echo goes on.
        for _ in 0..<3 {
            let client = try Client(port: first.port)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        }
        #expect(try Client(port: first.port).request("GET", "/", host: "a").status == 200)
    }

    @Test(arguments: [false, true])
    func grpc(isSecure: Bool) throws {
        let echo = try EchoBackend(tls: isSecure ? try pair() : nil)
        var words = ["--target", "127.0.0.1:\(echo.port)", "--authority", "echo.example.com"]
        let trust = try TrustFolder()
        if isSecure { words += ["--tls", trust.ca] }
        let unary = try Clients.run(
            "grpc_client", ["unary", "--method", "/any.Service/Any", "--message", "hi"] + words)
        #expect(unary.value("message") == "hi" && unary.value("status") == "OK", "\(unary.output)")
        let large = try Clients.run("grpc_client", ["unary", "--size", "1000000"] + words)
        #expect(large.value("message")?.hasPrefix("1000000 octets") == true, "\(large.output)")
        let health = try Clients.run(
            "grpc_client", ["unary", "--method", "/grpc.health.v1.Health/Check", "--size", "0"] + words)
        #expect(health.value("message") == "\u{8}\u{1}" && health.value("status") == "OK", "\(health.output)")
        let watch = try Clients.run(
            "grpc_client", ["server-stream", "--method", "/grpc.health.v1.Health/Watch", "--size", "0"] + words)
        #expect(watch.value("status") == "UNIMPLEMENTED", "\(watch.output)")
    }

    @Test(arguments: ["1", "2"], [false, true])
    func webSocket(version: String, isSecure: Bool) throws {
        let echo = try EchoBackend(tls: isSecure ? try pair() : nil)
        let trust = try TrustFolder()
        let target = ["--http", version, "--target", "127.0.0.1:\(echo.port)", "--host", "echo.example.com"]
        let words = target + (isSecure ? ["--tls", trust.ca] : [])
        let small = try Clients.run("websocket_client", words + ["--message", "a", "--message", "b"])
        #expect(small.values("message") == ["a", "b"] && small.value("close") == "1000 done", "\(small.output)")
        let large = try Clients.run("websocket_client", words + ["--size", "500000"])
        #expect(large.value("message")?.hasPrefix("500000 octets") == true, "\(large.output)")
    }

    /// Fields behind the body, both ways (RFC 9113, section 8.1).
    @Test func trailers() throws {
        let echo = try EchoBackend()
        let folder = try TemporaryFolder()
        let outcome = try Clients.tool(
            "nghttp",
            [
                "--verbose", "--data", try folder.write("body", "hello"), "--trailer", "x-sum: 5", "--header",
                "x-echo-set-trailer: x-end: here", "http://127.0.0.1:\(echo.port)/",
            ])
        #expect(outcome.output.contains(#""trailers":"x-sum: 5\r\n""#), "\(outcome.output)")
        #expect(outcome.output.contains("x-end: here\n"))
    }
}
