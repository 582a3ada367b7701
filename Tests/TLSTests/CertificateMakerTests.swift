import Core
import Support
import Testing

@testable import TLS

/// What `sluice cert` issues, and which certificates count as a workload's (the X.509-SVID specification).
@Suite struct CertificateMakerTests {
    private static let now: Int64 = 1_800_000_000
    private let id = SPIFFEID("spiffe://mesh.example/ns/shop/sa/cart")!

    private func facts(_ pem: String) throws -> Certificate {
        try pem.withView { view in Result { () throws(CertificateError) in try Certificate(chain: view, key: nil) } }
            .get()
    }

    private func workload(_ ca: CertificateMaker.Pair, bundle: String? = nil, lifetime: Int64 = 3600) throws
        -> CertificateMaker.Pair
    {
        try CertificateMaker.workload(
            id, dnsNames: ["cart.shop"], bundle: bundle ?? ca.certificate, authorityKey: ca.key, now: Self.now,
            lifetime: lifetime)
    }

    @Test func whatIsIssued() throws {
        let ca = try CertificateMaker.authority(trustDomain: "mesh.example", now: Self.now, lifetime: 86400)
        let authority = try facts(ca.certificate)
        #expect(authority.isAuthority)
        #expect(authority.authorityDomain == "mesh.example")
        #expect(authority.identity == nil)
        let pair = try workload(ca)
        let leaf = try facts(pair.certificate)
        #expect(leaf.identity == id)
        #expect(!leaf.isAuthority)
        #expect(leaf.alternativeNames == ["cart.shop"])
        #expect(leaf.keyType == .ecdsa(bits: 256))
        #expect(leaf.notBefore == Self.now - CertificateMaker.clockSkew)
        #expect(leaf.notAfter == Self.now + 3600)
        let other = try workload(ca)
        #expect(other.key != pair.key && other.certificate != pair.certificate)
    }

    @Test func endsWithItsAuthority() throws {
        let ca = try CertificateMaker.authority(trustDomain: "mesh.example", now: Self.now, lifetime: 600)
        #expect(try facts(try workload(ca, lifetime: 86400).certificate).notAfter == Self.now + 600)
    }

    @Test func signsByTheCertificateOfItsKeyInABundle() throws {
        let old = try CertificateMaker.authority(trustDomain: "mesh.example", now: Self.now, lifetime: 86400)
        let new = try CertificateMaker.authority(trustDomain: "mesh.example", now: Self.now, lifetime: 86400)
        #expect(throws: Never.self) { try workload(new, bundle: old.certificate + new.certificate) }
        #expect(throws: CertificateMaker.Failure.self) { try workload(new, bundle: old.certificate) }
    }

    @Test func whoseAuthorityHasEndedSignsNothing() throws {
        let ca = try CertificateMaker.authority(trustDomain: "mesh.example", now: Self.now - 1000, lifetime: 500)
        #expect(throws: CertificateMaker.Failure.self) { try workload(ca) }
    }

    @Test(arguments: [
        ["URI:spiffe://a/ns/b/sa/c", "URI:spiffe://a/ns/b/sa/d"], ["shop.example"],
        ["URI:https://a/ns/b/sa/c"], ["URI:spiffe://a"], ["URI:spiffe://a/ns/b/sa/c", "URI:https://x/"],
    ]) func noWorkloads(names: [String]) throws {
        #expect(try facts(TestCertificates.issue(names: names, subject: "/CN=workload").leaf).identity == nil)
    }

    @Test func aDNSNameBesidesTheIdIsAllowed() throws {
        let pair = try TestCertificates.issue(
            names: ["URI:spiffe://a/ns/b/sa/c", "c.b.example"], subject: "/CN=c")
        #expect(try facts(pair.leaf).identity?.description == "spiffe://a/ns/b/sa/c")
    }
}
