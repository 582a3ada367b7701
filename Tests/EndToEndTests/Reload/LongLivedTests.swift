import Core
import Glibc
import IO
import Support
import Testing

/// What was begun goes on, whatever becomes of the configuration meanwhile.
@Suite("Long-lived streams")
struct LongLivedTests {
    private static let reloads = 50
    /// Of the download; SLUICE_TEST_DOWNLOAD_MIB asks for another size.
    private static let mebibytes = getenv("SLUICE_TEST_DOWNLOAD_MIB").flatMap { Int(String(cString: $0)) } ?? 256

    @Test func goOnOverFiftyReloadsAndAChangeOfTheCertificate() throws {
        let gate = Gate()
        let block = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 11) }
        let total = Self.mebibytes
        // Most of it at once, the rest when everything else has happened.
        let download = try Backend("download") { backend, connection, number in
            while try backend.readRequest(connection, number) != nil {
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total << 20)\r\n\r\n")
                for index in 0..<total {
                    if index == total * 7 / 8 { gate.wait() }
                    try connection.send(block)
                }
            }
        }
        let calls = try Clients.backend("grpc_server")
        let chat = try Clients.backend("websocket_server")
        let port = try Ports.free()
        let trust = try TrustFolder()
        let names = ["shop.example.com"]
        let pairs = [
            try TestCertificates.issue(names: names, subject: "/CN=first"),
            try TestCertificates.issue(names: names, subject: "/CN=second"),
        ]
        func site(_ number: Int) -> String {
            SecureSite.gateway([.init(port: port)])
                + SecureSite.secret("site", pairs[number > Self.reloads / 2 ? 1 : 0])
                + Site.route("download", to: "download", prefix: "/download")
                + Site.route("chat", to: "chat", prefix: "/chat")
                + Site.route("calls", to: "calls", prefix: "/sluice.test.Echo")
                + Site.route("extra", to: "chat", prefix: "/extra-\(number)")
                + Site.service("download", port: download.port) + Site.service("chat", port: chat.port)
                + SecureSite.service("calls", port: calls.port, appProtocol: "kubernetes.io/h2c")
        }
        let gateway = try Gateway(site(0), workers: 2)
        let folder = try TemporaryFolder()
        let done = folder.path + "/done"
        let target = ["--target", "127.0.0.1:\(port)", "--tls", trust.ca, "--until", done, "--pause", "0.02"]
        let fetch = try Clients.startTool(
            "sh",
            [
                "-c",
                "curl --silent --show-error --cacert \(trust.ca) --resolve \(names[0]):\(port):127.0.0.1 "
                    + "https://\(names[0]):\(port)/download | cksum; echo ended",
            ])
        let open = [
            try Clients.start("websocket_client", target + ["--http", "1", "--host", names[0], "--path", "/chat"]),
            try Clients.start("websocket_client", target + ["--http", "2", "--host", names[0], "--path", "/chat"]),
            try Clients.start("grpc_client", ["bidi", "--authority", names[0]] + target),
        ]
        for client in open { try client.wait(for: "message") }
        try Wait.until("the download to begin") { !download.requests.isEmpty }

        for number in 1...Self.reloads { try gateway.reload(["gateway.yaml": site(number)]) }
        #expect(try OpenSSLClient(names[0], port).commonName == "second")
        gate.open()

        let heard = open.map { $0.values("message").count }
        for (client, count) in zip(open, heard) where count < 1000 {
            try client.wait(for: "message", count: count + 3)
        }
        try folder.write("done", "")
        for client in open.dropLast() {
            let outcome = try client.finish()
            #expect(outcome.value("close") == "1000 done", "\(outcome.lines.suffix(3))")
            #expect(outcome.value("sent").flatMap { Int($0) } == outcome.values("message").count)
        }
        let call = try open[2].finish()
        #expect(call.value("status") == "OK" && call.value("sent") == call.value("received"), "\(call.lines.suffix(5))")

        let patience = TimeAmount.seconds(Int64(60 + Self.mebibytes / 4))
        try fetch.wait(for: "ended", within: patience)
        let sum = try Clients.startTool(
            "sh",
            [
                "-c",
                "for i in $(seq \(total)); do cat \(try Files.write(block, folder.path + "/block")); done | cksum; echo ended",
            ])
        try sum.wait(for: "ended", within: patience)
        #expect(fetch.output == sum.output)
        #expect(gateway.generation == Self.reloads + 1)
    }

    /// Streams come and go on connections that stay, while the set, and half-way the certificate, are changed.
    @Test func reloadsCostNoStream() throws {
        let backends = [try EchoBackend("first"), try EchoBackend("second")]
        let port = try Ports.free()
        let names = ["shop.example.com"]
        let pairs = [
            try TestCertificates.issue(names: names, subject: "/CN=first"),
            try TestCertificates.issue(names: names, subject: "/CN=second"),
        ]
        func site(_ number: Int) -> String {
            SecureSite.simple(
                port: port, pair: pairs[number / 5 % 2], backend: backends[number % 2].port,
                appProtocol: number % 3 == 0 ? nil : "kubernetes.io/h2c")
        }
        let gateway = try Gateway(site(0), workers: 2)
        let load = try Clients.startTool(
            "h2load",
            [
                "--requests=4000", "--clients=8", "--max-concurrent-streams=8", "--connect-to=127.0.0.1:\(port)",
                "https://shop.example.com:\(port)/",
            ])
        try Wait.until("the first answers") { gateway.output.contains(" HTTP/2 200 ") }
        for number in 1...10 { try gateway.reload(["gateway.yaml": site(number)]) }
        let outcome = try load.finish()
        #expect(
            outcome.output.contains(" 0 failed, 0 errored, 0 timeout"),
            "\(outcome.output) \(gateway.output.suffix(2000))")
        #expect(outcome.output.contains(" 0 3xx, 0 4xx, 0 5xx"))
    }
}
