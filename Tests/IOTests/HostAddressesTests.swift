import Core
import Glibc
import Testing

@testable import IO

@Suite struct HostAddressesTests {
    private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// What is told without binding is what binding tells.
    @Test(
        arguments: [
            "127.0.0.1", "127.200.3.4", "0.0.0.0", "::", "::1", "192.0.2.1", "255.0.0.1", "2001:db8::1", "fe80::1234",
            "::ffff:127.0.0.1", "::ffff:192.0.2.1",
        ])
    func agreesWithTheKernel(text: String) throws {
        let address = SocketAddress(ip: try ip(text), port: 0)
        var refusal: Errno?
        do throws(Errno) { _ = try Socket.listen(address).raw } catch { refusal = error }
        #expect(try HostAddresses().refusal(of: address.ip) == refusal)
    }

    @Test(
        arguments: [
            ("10.0.0.5", nil), ("10.0.0.6", EADDRNOTAVAIL), ("127.9.9.9", nil), ("0.0.0.0", nil), ("::", nil),
            ("2001:db8::5", nil), ("2001:db8::6", EADDRNOTAVAIL), ("::1", EADDRNOTAVAIL), ("fe80::5", EINVAL),
            ("febf::5", EINVAL), ("fec0::5", EADDRNOTAVAIL),
        ] as [(String, CInt?)])
    func interfacesDecide(text: String, code: CInt?) throws {
        let own: Set = [try ip("10.0.0.5"), try ip("2001:db8::5"), try ip("fe80::5")]
        #expect(HostAddresses(own: own).refusal(of: try ip(text)) == code.map { Errno($0) })
    }

    @Test func addressesThatWillComeMayBeAllowed() throws {
        let moving = HostAddresses(own: [], anyV4: true)
        #expect(moving.refusal(of: try ip("192.0.2.1")) == nil)
        #expect(moving.refusal(of: try ip("2001:db8::1")) == Errno(EADDRNOTAVAIL))
        #expect(HostAddresses(own: [], anyV6: true).refusal(of: try ip("2001:db8::1")) == nil)
    }

    @Test func aHostWithoutTheNewerProtocol() throws {
        let host = HostAddresses(own: [], anyV6: true, hasV6: false)
        #expect(host.refusal(of: try ip("::1")) == Errno(EAFNOSUPPORT))
        #expect(host.refusal(of: .any) == nil)
        #expect(host.refusal(of: try ip("0.0.0.0")) == nil)
    }
}
