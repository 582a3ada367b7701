import Core
import Glibc
import IO
import Support
import Testing

@Suite("HTTPS")
struct HTTPSTests {
    @Test(arguments: [("--http1.1", "1.1"), ("--http2", "2")])
    func bothVersionsAreChosenByALPN(option: String, version: String) throws {
        let backend = try Backend("here") { request in
            .response(body: "\(request["x-forwarded-proto"] ?? "") \(request["host"] ?? "")")
        }
        let port = try Ports.free()
        let trust = try TrustFolder()
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(SecureSite.simple(port: port, pair: pair, backend: backend.port))
        let answer = try Curl("shop.example.com", port, trust: trust, [option])
        #expect(answer.status == 200 && answer.version == version, "\(answer.text)")
        #expect(answer.text.contains("https shop.example.com:\(port)"))
        let metrics = try gateway.admin("/metrics").text
        #expect(metrics.contains("\nsluice_tls_handshakes_total 1\n"), "\(metrics)")
    }

    /// A client that offers no protocol is one of HTTP/1.1 (RFC 7301 leaves it to the application).
    @Test func withoutALPNItIsHTTP1() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(SecureSite.simple(port: port, pair: pair, backend: backend.port))
        let client = try OpenSSLClient("shop.example.com", port)
        #expect(client.isAnswered && client.output.contains("No ALPN negotiated"), "\(client.output)")
        withExtendedLifetime(gateway) {}
    }

    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
    func versionsOfTLS(option: String, name: String) throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(SecureSite.simple(port: port, pair: pair, backend: backend.port))
        let client = try OpenSSLClient("shop.example.com", port, [option])
        #expect(client.isAnswered && client.output.contains("New, \(name), Cipher is"), "\(client.output)")
        let old = try OpenSSLClient("shop.example.com", port, ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
        #expect(!old.isAnswered && !old.isNew)
        withExtendedLifetime(gateway) {}
    }

    /// Every kind of record, both ways, several times the buffers: TLS 1.3 after its handshake is ours, 1.2 is OpenSSL's.
    @Test(arguments: [
        ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        ["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"], ["--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"],
    ]) func largeBodiesByAnyCipher(words: [String]) throws {
        let octets = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        let backend = try Backend("large") { request in
            request.method == "GET" ? .octets(body: octets) : .response(body: request.body == octets ? "whole" : "not")
        }
        // To the backend over TLS too: a second gateway answers there.
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let (port, middle) = (try Ports.free(), try Ports.free())
        let bridge = try Gateway(SecureSite.simple(port: middle, pair: pair, backend: backend.port))
        let gateway = try Gateway(
            SecureSite.simple(port: port, pair: pair, backend: middle)
                + SecureSite.authorities("trusted", try TestCertificates.authority().certificate)
                + SecureSite.backendTLS("shop", authorities: "trusted", hostname: "shop.example.com"))
        let trust = try TrustFolder()
        let folder = try TemporaryFolder()
        let file = folder.path + "/down"
        for version in ["--http1.1", "--http2"] {
            let down = try Curl(
                "shop.example.com", port, trust: trust, words + [version, "--no-include", "--output", file])
            #expect(down.status == 200 && Files.octets(file) == octets, "\(version): \(down.text)")
            let up = try Curl(
                "shop.example.com", port, trust: trust,
                words + [version, "--header", "Expect:", "--data-binary", "@" + file])
            #expect(up.status == 200 && up.text.contains("whole"), "\(version): \(up.text)")
        }
        withExtendedLifetime((gateway, bridge)) {}
    }

    /// One gateway, four listeners on one port: a name each, a wildcard, and two certificates for one name.
    @Suite struct Names {
        private let gateway: Gateway
        private let backend: Backend
        private let port: UInt16
        private let trust: TrustFolder

        init() throws {
            backend = try Backend("here")
            port = try Ports.free()
            trust = try TrustFolder()
            let names = ["both.example.com"]
            var text = SecureSite.gateway([
                .init(name: "one", port: port, hostname: "one.example.com", secrets: ["one"]),
                .init(name: "wild", port: port, hostname: "*.example.org", secrets: ["wild"]),
                .init(name: "both", port: port, hostname: "both.example.com", secrets: ["ecdsa", "rsa"]),
                .init(name: "several", port: port, hostname: "*.example.net", secrets: ["net-a", "net-b"]),
            ])
            text += SecureSite.secret("one", try TestCertificates.issue(names: ["one.example.com"], subject: "/CN=one"))
            text += SecureSite.secret("wild", try TestCertificates.issue(names: ["*.example.org"], subject: "/CN=wild"))
            text += SecureSite.secret("ecdsa", try TestCertificates.issue(names: names, subject: "/CN=ecdsa"))
            text += SecureSite.secret("rsa", try TestCertificates.issue(names: names, kind: .rsa, subject: "/CN=rsa"))
            text += SecureSite.secret(
                "net-a", try TestCertificates.issue(names: ["a.example.net"], subject: "/CN=net-a"))
            text += SecureSite.secret(
                "net-b", try TestCertificates.issue(names: ["b.example.net"], subject: "/CN=net-b"))
            gateway = try Gateway(text + Site.route(to: "shop") + Site.service("shop", port: backend.port))
        }

        @Test func chooseTheCertificate() throws {
            for (host, words, name) in [
                ("one.example.com", [], "one"), ("any.example.org", [], "wild"),
                ("both.example.com", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ecdsa"),
                ("both.example.com", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "rsa"),
                ("both.example.com", ["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], "rsa"),
                ("both.example.com", ["-tls1_3", "-sigalgs", "ECDSA+SHA256"], "ecdsa"),
                ("a.example.net", [], "net-a"), ("b.example.net", [], "net-b"),
            ] as [(String, [String], String)] {
                let client = try OpenSSLClient(host, port, words)
                #expect(client.commonName == name && client.isAnswered, "\(host) \(words): \(client.output)")
            }
        }

        @Test func thatNobodyServesAreRefused() throws {
            for host in ["two.example.com", nil] {
                let client = try OpenSSLClient(host, port)
                #expect(client.output.contains("unrecognized name"), "\(client.output)")
                #expect(client.commonName == nil && !client.isAnswered)
            }
            #expect(try gateway.admin("/metrics").text.contains("\nsluice_tls_handshake_failures_total 2\n"))
        }

        /// The request's Host belongs to another listener than the certificate that was shown (RFC 9110, 15.5.20).
        @Test(arguments: ["--http1.1", "--http2"])
        func ofAnotherListenerAreMisdirected(option: String) throws {
            let words = [option, "--header", "Host: x.example.org"]
            let answer = try Curl("one.example.com", port, trust: trust, words)
            #expect(answer.status == 421, "\(answer.text)")
            #expect(try Curl("one.example.com", port, trust: trust, [option]).status == 200)
            #expect(backend.requests.count == 1)
        }
    }
}
