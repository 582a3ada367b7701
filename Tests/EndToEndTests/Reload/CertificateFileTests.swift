import Core
import Glibc
import IO
import Support
import Testing

@Suite("Certificate files", .serialized)
struct CertificateFileTests {
    private let folder: TemporaryFolder
    private let gateway: Gateway

    init() throws {
        folder = try TemporaryFolder()
        try Self.write(try TestCertificates.issue(names: ["first.example.com"]), to: folder)
        let port = try Ports.free()
        gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: sluice
              addresses: [{value: 127.0.0.1}]
              listeners:
              - {name: https, port: \(port), protocol: HTTPS, tls: {certificateRefs: [{name: site}]}}
            ---
            apiVersion: v1
            kind: Secret
            metadata:
              name: site
              annotations:
                sluice.dev/cert-file: \(folder.path)/site.pem
                sluice.dev/key-file: \(folder.path)/site.key
            type: kubernetes.io/tls
            """, options: ["--watch"])
    }

    private static func write(_ pair: TestCertificates.Pair, to folder: TemporaryFolder) throws {
        // The key first: whoever looks between the two sees a pair that does not fit, and keeps the old one.
        try folder.write("site.key", pair.key)
        try folder.write("site.pem", pair.chain)
    }

    private func waitForStatus(_ text: String) throws {
        try Wait.until("\(text) in the status; the gateway printed:\n\(gateway.output)") {
            try gateway.admin("/api/status").text.contains(text)
        }
    }

    @Test func areFollowedWithoutTouchingAManifest() throws {
        try waitForStatus("first.example.com")
        try Self.write(try TestCertificates.issue(names: ["second.example.com"]), to: folder)
        try waitForStatus("second.example.com")
        #expect(try !gateway.admin("/api/status").text.contains("keptBecause"))
        let metrics = try gateway.admin("/metrics").text
        #expect(metrics.contains("\nsluice_certificate_expiry_timestamp_seconds{secret=\"default/site\"} "))
    }

    @Test func areReadAgainOnASignal() throws {
        try Self.write(try TestCertificates.issue(names: ["signalled.example.com"]), to: folder)
        gateway.program.signal(SIGHUP)
        try waitForStatus("signalled.example.com")
    }

    @Test func thatCannotBeUsedLeaveTheOldPairAlsoAfterACrash() throws {
        try waitForStatus("first.example.com")
        try folder.write("site.pem", "nothing of use")
        try waitForStatus("keptBecause")
        #expect(try gateway.admin("/api/status").text.contains("first.example.com"))
        #expect(try gateway.admin("/api/resources").text.contains("the pair before it is still used"))
        #expect(gateway.output.contains("there is no PEM certificate in it"))

        let controller = try #require(gateway.controller)
        kill(controller, SIGKILL)
        try Wait.until("another controller") { gateway.controller.map { $0 != controller } ?? false }
        try waitForStatus("keptBecause")
        #expect(try gateway.admin("/api/status").text.contains("first.example.com"))
    }
}
