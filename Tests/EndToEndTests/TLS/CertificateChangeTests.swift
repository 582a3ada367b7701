import Core
import IO
import Support
import Testing

@Suite("A change of certificates")
struct CertificateChangeTests {
    @Test func newHandshakesGetTheNewPairAndOpenConnectionsGoOn() throws {
        let backend = try EchoBackend()
        let port = try Ports.free()
        let trust = try TrustFolder()
        let names = ["shop.example.com"]
        func site(_ pair: TestCertificates.Pair) -> String {
            SecureSite.simple(port: port, pair: pair, backend: backend.port)
        }
        let (first, second) = (
            try TestCertificates.issue(names: names, subject: "/CN=first"),
            try TestCertificates.issue(names: names, subject: "/CN=second")
        )
        let gateway = try Gateway(site(first))
        let done = try TemporaryFolder()
        // A WebSocket each over HTTP/1.1 and HTTP/2 that goes on over the change.
        let open = try ["1", "2"].map { version in
            try Clients.start(
                "websocket_client",
                [
                    "--http", version, "--target", "127.0.0.1:\(port)", "--host", "shop.example.com", "--tls", trust.ca,
                    "--pause", "0.01", "--until", done.path + "/done",
                ])
        }
        for client in open { try client.wait(for: "message") }
        #expect(try OpenSSLClient(names[0], port).commonName == "first")

        try gateway.reload(["gateway.yaml": site(second)])
        #expect(try OpenSSLClient(names[0], port).commonName == "second")

        // A pair that does not fit is told, and the one before stays.
        var broken = first
        broken.key = second.key
        try gateway.reload(["gateway.yaml": site(broken)])
        let client = try OpenSSLClient(names[0], port)
        #expect(client.commonName == "second" && client.isAnswered)
        #expect(try gateway.admin("/api/resources").text.contains("the pair before it is still used"))

        let heard = open.map { $0.values("message").count }
        for (client, count) in zip(open, heard) { try client.wait(for: "message", count: count + 3) }
        try done.write("done", "")
        for client in open {
            let outcome = try client.finish()
            #expect(outcome.value("close") == "1000 done", "\(outcome.output)")
        }
    }
}
