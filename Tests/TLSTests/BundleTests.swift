import Core
import Support
import Testing

@testable import TLS

@Suite struct Bundles {
    @Test func authoritiesAreDescribed() throws {
        let authority = try TestCertificates.authority(name: "bundled")
        let leaf = try authority.issue(names: ["leaf.example"]).leaf
        let bundle = try (authority.certificate + leaf).withView { try CertificateBundle(authorities: $0) }
        #expect(bundle.entries.map(\.subject) == ["CN=bundled", "CN=leaf.example"])
        #expect(bundle.entries.map(\.isAuthority) == [true, false])
        #expect(bundle.entries.allSatisfy { $0.notAfter == 2_524_521_600 })
    }

    @Test func revocationListsAreDescribed() throws {
        let list = try TestCertificates.authority(name: "bundled").revocationList()
        let bundle = try list.withView { try CertificateBundle(revocationLists: $0) }
        #expect(bundle.entries.map(\.subject) == ["CN=bundled"])
        #expect(throws: CertificateError.noRevocationList) {
            try "".withView { try CertificateBundle(revocationLists: $0) }
        }
        let cut = Certificates.cut(list)
        #expect(throws: CertificateError.malformedRevocationList(0)) {
            try cut.withView { try CertificateBundle(revocationLists: $0) }
        }
    }

    @Test func keyTypesAreTold() throws {
        let rsa = try TestCertificates.issue(names: ["rsa.example"], kind: .rsa)
        let ecdsa = try TestCertificates.issue(names: ["ecdsa.example"])
        #expect(try Certificates.read(rsa.chain, key: rsa.key).keyType == .rsa(bits: 2048))
        #expect(try Certificates.read(ecdsa.chain, key: ecdsa.key).keyType == .ecdsa(bits: 256))
        #expect(try Certificates.read(ecdsa.chain, key: nil).subject == "CN=ecdsa.example")
    }
}
