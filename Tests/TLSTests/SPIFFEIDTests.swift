import Testing

@testable import TLS

/// The SPIFFE-ID specification, section 2.
@Suite struct SPIFFEIDTests {
    @Test(arguments: [
        ("spiffe://cluster.local/ns/shop/sa/cart", "cluster.local", "shop", "cart"),
        ("spiffe://a/ns/b/sa/c", "a", "b", "c"),
        ("spiffe://td-1_x.example/ns/Shop/sa/c.a_r-t", "td-1_x.example", "Shop", "c.a_r-t"),
    ]) func workloads(text: String, domain: String, namespace: String, account: String) throws {
        let id = try #require(SPIFFEID(text))
        #expect(id.trustDomain == domain)
        #expect(id.workload == SPIFFEID.Workload(namespace: namespace, serviceAccount: account))
        #expect(id.description == text)
    }

    @Test(arguments: [
        "spiffe://cluster.local", "spiffe://cluster.local/billing", "spiffe://cluster.local/ns/shop/sa",
        "spiffe://cluster.local/ns/shop/sa/cart/extra", "spiffe://cluster.local/sa/cart/ns/shop",
    ]) func otherPaths(text: String) throws {
        let id = try #require(SPIFFEID(text))
        #expect(id.workload == nil)
        #expect(id.trustDomain == "cluster.local")
    }

    @Test(arguments: [
        "", "spiffe:", "spiffe://", "spiffe:///ns/a/sa/b", "http://cluster.local/ns/a/sa/b",
        "SPIFFE://cluster.local/ns/a/sa/b", "spiffe://Cluster.local/ns/a/sa/b", "spiffe://cluster.local:80/ns/a/sa/b",
        "spiffe://user@cluster.local/ns/a/sa/b", "spiffe://cluster.local/", "spiffe://cluster.local/ns/a/sa/b/",
        "spiffe://cluster.local//ns/a/sa/b", "spiffe://cluster.local/ns/../sa/b", "spiffe://cluster.local/ns/./sa/b",
        "spiffe://cluster.local/ns/a/sa/b?x=1", "spiffe://cluster.local/ns/a/sa/b#c",
        "spiffe://cluster.local/ns/a%2Fb/sa/c", "spiffe://cluster.local/ns/a b/sa/c",
        "spiffe://cl\u{00FC}ster/ns/a/sa/b",
        "spiffe://cluster.local/ns/a\u{0}/sa/b", " spiffe://cluster.local/ns/a/sa/b",
    ]) func refused(text: String) { #expect(SPIFFEID(text) == nil) }

    @Test func limits() {
        let domain = String(repeating: "d", count: SPIFFEID.trustDomainLimit)
        #expect(SPIFFEID("spiffe://\(domain)/x") != nil)
        #expect(SPIFFEID("spiffe://\(domain)d/x") == nil)
        let room = SPIFFEID.limit - "spiffe://a/".utf8.count
        #expect(SPIFFEID("spiffe://a/" + String(repeating: "x", count: room)) != nil)
        #expect(SPIFFEID("spiffe://a/" + String(repeating: "x", count: room + 1)) == nil)
    }

    @Test func partsThatWouldBeSeveral() {
        #expect(SPIFFEID(trustDomain: "a", namespace: "b/sa/x", serviceAccount: "c") == nil)
        #expect(SPIFFEID(trustDomain: "a", namespace: "", serviceAccount: "c") == nil)
        #expect(SPIFFEID(trustDomain: "a", namespace: "b", serviceAccount: "c")?.path == "/ns/b/sa/c")
    }
}
