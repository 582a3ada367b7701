import Core
import IO
import Support
import Synchronization
import Testing

/// BackendTLSPolicy: to the endpoint that was meant, or to none; never in clear text.
@Suite("TLS to backends")
struct BackendTLSTests {
    private func site(
        port: UInt16, backend: UInt16, authority: String, hostname: String, names: [String] = [], tls: String? = nil,
        more: String = ""
    ) -> String {
        SecureSite.gateway([.init(name: "http", port: port, isSecure: false)], tls: tls) + Site.route(to: "shop")
            + Site.service("shop", port: backend) + SecureSite.authorities("trusted", authority)
            + SecureSite.backendTLS("shop", authorities: "trusted", hostname: hostname, names: names) + more
    }

    @Test(
        arguments: [
            // Hostname in the policy, its subjectAltNames, whether its authority is the backend's, and what comes of it.
            ("backend.example.com", [], true, 200), ("backend.example.com", [], false, 503),
            ("other.example.com", [], true, 503), ("other.example.com", ["backend.example.com"], true, 200),
            ("backend.example.com", ["other.example.com"], true, 503),
        ] as [(String, [String], Bool, Int)])
    func onlyToWhomWasMeant(hostname: String, names: [String], isTrusted: Bool, status: Int) throws {
        let pair = try TestCertificates.issue(names: ["backend.example.com"])
        let backend = try EchoBackend(tls: pair)
        let port = try Ports.free()
        let authority = try isTrusted ? TestCertificates.authority() : TestCertificates.authority(name: "Strangers")
        let gateway = try Gateway(
            site(
                port: port, backend: backend.port, authority: authority.certificate, hostname: hostname, names: names))
        let answer = try Client(port: port).request(host: "shop.example.com")
        #expect(answer.status == status, "\(answer.text) \(gateway.output)")
        if status == 200 {
            // The policy's name is for the handshake; Host is the client's.
            #expect(answer.text.contains(#""serverName":"\#(hostname)""#), "\(answer.text)")
            #expect(answer.text.contains(#""host":"shop.example.com""#))
        }
    }

    @Test func neverInClearText() throws {
        let firsts = Mutex<[UInt8]>([])
        let backend = try Backend("clear") { _, connection, _ in
            let octet = try connection.read(1)
            firsts.withLock { $0 += octet }
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let port = try Ports.free()
        let authority = try TestCertificates.authority().certificate
        let gateway = try Gateway(
            site(port: port, backend: backend.port, authority: authority, hostname: "backend.example.com"))
        for _ in 0..<3 { #expect(try Client(port: port).request().status == 503) }
        try Wait.until("the handshakes' first octets") { firsts.withLock { $0.count } >= 3 }
        // 22: a record of the handshake (RFC 8446, section 5.1).
        #expect(firsts.withLock { Set($0) } == [22])
        withExtendedLifetime(gateway) {}
    }

    @Test func ourCertificateIsShown() throws {
        let backend = try EchoBackend(tls: try TestCertificates.issue(names: ["backend.example.com"]))
        let port = try Ports.free()
        let own = try TestCertificates.issue(names: ["gateway.example.com"], subject: "/CN=our gateway")
        let gateway = try Gateway(
            site(
                port: port, backend: backend.port, authority: try TestCertificates.authority().certificate,
                hostname: "backend.example.com", tls: "{backend: {clientCertificateRef: {name: own}}}",
                more: SecureSite.secret("own", own)))
        let answer = try Client(port: port).request()
        #expect(answer.status == 200 && answer.text.contains(#""peerSubject":"CN=our gateway""#), "\(answer.text)")
        withExtendedLifetime(gateway) {}
    }
}
