import Core
import Testing

@Suite("Ranges of addresses") struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3/8", "10.9.9.9", true),
        ("192.168.1.0/24", "192.168.1.255", true), ("192.168.1.0/24", "192.168.2.0", false),
        ("1.2.3.4/32", "1.2.3.4", true), ("1.2.3.4/32", "1.2.3.5", false), ("1.2.3.4", "1.2.3.4", true),
        ("1.2.3.4", "1.2.3.5", false), ("0.0.0.0/0", "255.0.0.1", true), ("0.0.0.0/0", "::1", false),
        ("::/0", "2001:db8::1", true), ("::/0", "1.2.3.4", false), ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false), ("2001:db8:11a3:9d7::/64", "2001:db8:11a3:9d7:1::", true),
        ("2001:db8:11a3:9d7::/64", "2001:db8:11a3:9d8::", false), ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1/128", "::1", true), ("::1", "::2", false),
        ("::ffff:10.0.0.0/104", "10.1.1.1", true),
    ]) func contains(_ range: String, _ address: String, _ expected: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(AddressRange(range)?.contains(address) == expected)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0/8",
        "fd00::/129",
        "fd00::/1000", "x/8", "10.0.0.0/ 8", "10.0.0.0/+8",
    ]) func isNone(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test func ofANetwork() throws {
        let v4 = try #require(IPAddress("10.1.2.3"))
        #expect(AddressRange(around: v4, v4Bits: 24, v6Bits: 64) == AddressRange("10.1.2.0/24"))
        let v6 = try #require(IPAddress("2001:db8::1:2:3:4"))
        #expect(AddressRange(around: v6, v4Bits: 24, v6Bits: 64) == AddressRange("2001:db8::/64"))
        #expect(AddressRange(around: v6, v4Bits: 24, v6Bits: 500) == AddressRange("2001:db8::1:2:3:4"))
    }
}
