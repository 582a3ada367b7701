import Core
import Support
import Testing

@testable import TLS

/// What the other tests' certificates are made of.
@Suite struct TestAuthority {
    @Test func certificatesAreWhatWasAskedFor() throws {
        let pair = try TestCertificates.issue(names: ["shop.example.com", "IP:127.0.0.1"])
        let read = try Certificates.read(pair.chain, key: pair.key)
        #expect(read.names == ["shop.example.com"])
        #expect(!read.isExpired(atSecond: 1_795_269_600))
        let expired = try TestCertificates.issue(names: ["old.example.com"], kind: .rsa, expired: true)
        #expect(try Certificates.read(expired.chain, key: expired.key).isExpired(atSecond: 1_795_269_600))
    }

    @Test func anIntermediateIsInTheChain() throws {
        let root = try TestCertificates.authority(name: "root")
        let below = try root.intermediate(name: "below")
        let pair = try below.issue(names: ["a.example.com"])
        #expect(try Certificates.read(pair.chain, key: pair.key).chainLength == 2)
    }

    @Test func listsAndResponsesAreMade() throws {
        let authority = try TestCertificates.authority()
        let pair = try authority.issue(names: ["listed.example.com"])
        #expect(try authority.revocationList(of: [pair]).contains("BEGIN X509 CRL"))
        #expect(try authority.ocspResponse(for: pair).count > 100)
    }
}
