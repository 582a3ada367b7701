import Core
import HTTP
import Testing

/// RFC 7239, sections 4 and 6.
@Suite struct ForwardedAddressTests {
    @Test(arguments: [
        ("for=192.0.2.43", "192.0.2.43"),
        ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("by=203.0.113.43; for=192.0.2.60:80", "192.0.2.60"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        ("for=\"a,b\", for=198.51.100.17", "198.51.100.17"),
    ]) func addresses(value: String, address: String) {
        #expect(value.withView { ForwardedAddress.last(ofForwarded: $0) } == IPAddress(address))
    }

    @Test(arguments: [
        "", "for", "for=", "for=unknown", "for=_hidden", "proto=https", "for=192.0.2.43, proto=https", "for=\"[::1\"",
        "for=\"192.0.2.43", "for=192.0.2.43,", "for=[]",
    ]) func nobody(value: String) { #expect(value.withView { ForwardedAddress.last(ofForwarded: $0) } == nil) }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1, 198.51.100.17", "198.51.100.17"), ("2001:db8::1", "2001:db8::1"),
    ]) func chains(value: String, address: String) {
        #expect(value.withView { ForwardedAddress.last(ofXForwardedFor: $0) } == IPAddress(address))
    }

    @Test(arguments: ["", "unknown", "192.0.2.1,", "192.0.2.1, x"]) func brokenChains(value: String) {
        #expect(value.withView { ForwardedAddress.last(ofXForwardedFor: $0) } == nil)
    }
}
