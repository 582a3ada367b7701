import Core
import IO
import Support
import Testing

@Suite("Clients' certificates")
struct ClientCertificateTests {
    private let backend: EchoBackend
    private let port: UInt16
    private let trust: TrustFolder

    init() throws {
        backend = try EchoBackend()
        port = try Ports.free()
        trust = try TrustFolder()
    }

    private func site(mode: String, more: String = "") throws -> String {
        let authority = try TestCertificates.authority(name: "Partners").certificate
        let validation = "{mode: \(mode), caCertificateRefs: [{group: '', kind: ConfigMap, name: partners}]}"
        return SecureSite.gateway(
            [.init(port: port)], tls: "{frontend: {default: {validation: \(validation)}}}")
            + SecureSite.secret("site", try TestCertificates.issue(names: ["shop.example.com"]))
            + SecureSite.authorities("partners", authority) + Site.route(to: "shop")
            + Site.service("shop", port: backend.port) + more
    }

    private func partner() throws -> TestCertificates.Pair {
        try TestCertificates.authority(name: "Partners").issue(
            names: ["partner.example.com", "URI:spiffe://partners/one"], subject: "/O=Partners/CN=one")
    }

    @Test(arguments: [
        ("AllowValidOnly", [false, true, false]), ("AllowInsecureFallback", [true, true, true]),
    ]) func modes(mode: String, letIn: [Bool]) throws {
        let gateway = try Gateway(try site(mode: mode))
        let stranger = try TestCertificates.authority(name: "Strangers").issue(names: ["x.example.com"])
        for version in ["--http1.1", "--http2"] {
            let none = try Curl("shop.example.com", port, trust: trust, [version])
            #expect((none.status == 200) == letIn[0], "without: \(none.text)")
            let valid = try Curl("shop.example.com", port, trust: trust, [version] + trust.curlWords(partner()))
            #expect((valid.status == 200) == letIn[1], "valid: \(valid.text)")
            let wrong = try Curl("shop.example.com", port, trust: trust, [version] + trust.curlWords(stranger))
            #expect((wrong.status == 200) == letIn[2], "another authority's: \(wrong.text)")
        }
        withExtendedLifetime(gateway) {}
    }

    /// What the backend is told is the gateway's word, whatever the client claims; of a certificate that does not verify
    /// it is told nothing.
    @Test func areToldToTheBackend() throws {
        let gateway = try Gateway(
            try site(
                mode: "AllowInsecureFallback",
                more: """
                    ---
                    apiVersion: gateway.envoyproxy.io/v1alpha1
                    kind: ClientTrafficPolicy
                    metadata: {name: tell}
                    spec:
                      targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: front}]
                      headers: {xForwardedClientCert: {mode: SanitizeSet, certDetailsToAdd: [Subject, URI, DNS]}}

                    """))
        let claim = ["--header", "X-Forwarded-Client-Cert: Hash=claimed"]
        let told = try Curl("shop.example.com", port, trust: trust, claim + trust.curlWords(partner()))
        #expect(told.status == 200)
        #expect(told.text.contains(#"URI=spiffe://partners/one;DNS=partner.example.com"#), "\(told.text)")
        #expect(told.text.contains("Subject=") && told.text.contains("CN=one") && !told.text.contains("claimed"))
        let stranger = try TestCertificates.authority(name: "Strangers").issue(names: ["x.example.com"])
        for words in [claim, claim + (try trust.curlWords(stranger))] {
            let answer = try Curl("shop.example.com", port, trust: trust, words)
            #expect(answer.status == 200 && !answer.text.contains("X-Forwarded-Client-Cert"), "\(answer.text)")
        }
        withExtendedLifetime(gateway) {}
    }
}
