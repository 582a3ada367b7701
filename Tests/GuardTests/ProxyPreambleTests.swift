import Core
import Testing

@testable import Guard

@Suite struct ProxyPreambleTests {
    private let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    @Test func ofIPv4() {
        let octets = ProxyPreamble.make(
            source: SocketAddress(ip: IPAddress(v4: 1, 2, 3, 4), port: 0x0102),
            destination: SocketAddress(ip: IPAddress(v4: 5, 6, 7, 8), port: 443))
        #expect(octets == signature + [0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 1, 187])
    }

    /// One of IPv6 makes both so: a mapped address is one (proxy-protocol.txt, 2.2).
    @Test func ofBothKinds() throws {
        let octets = ProxyPreamble.make(
            source: SocketAddress(ip: IPAddress(v4: 1, 2, 3, 4), port: 1),
            destination: SocketAddress(ip: try #require(IPAddress("fd00::1")), port: 2))
        #expect(octets.count == 16 + 36)
        #expect(Array(octets[12..<16]) == [0x21, 0x21, 0, 36])
        #expect(Array(octets[16..<32]) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4])
        #expect(octets[32] == 0xFD && octets[47] == 1)
        #expect(Array(octets[48...]) == [0, 1, 0, 2])
    }
}
