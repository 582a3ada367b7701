import Core
import Testing

@testable import Proxy

/// What the first octets of a connection tell.
@Suite struct SniffedProtocolTests {
    struct Case: CustomTestStringConvertible {
        var octets: [UInt8]
        var expected: SniffedProtocol
        init(_ text: String, _ expected: SniffedProtocol) {
            octets = Array(text.utf8)
            self.expected = expected
        }
        init(_ octets: [UInt8], _ expected: SniffedProtocol) {
            self.octets = octets
            self.expected = expected
        }
        var testDescription: String { "\(String(decoding: octets.prefix(40), as: UTF8.self)) \(expected)" }
    }

    @Test(arguments: [
        Case("", .unknown), Case("G", .unknown), Case("GET /", .unknown), Case("GET / HTTP/1.1\r", .unknown),
        Case("GET / HTTP/1.1\r\n", .http), Case("GET / HTTP/1.0\n", .http), Case("OPTIONS * HTTP/1.1\r\nHost:", .http),
        Case("M-SEARCH * HTTP/1.1\r\n", .http), Case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .http),
        Case("GET http://a.example/ HTTP/1.1\r\n", .http), Case("PRI * HTTP/2", .unknown),
        Case("GET key\r\n", .octets), Case("PING\r\n", .octets), Case("*1\r\n$4\r\nPING\r\n", .octets),
        Case("EHLO you\r\n", .octets), Case("SSH-2.0-x", .octets), Case("\r\n", .octets),
        Case(" GET / HTTP/1.1\r\n", .octets),
        Case("GET / HTTP/x.1\r\n", .octets), Case([0x00, 0x00, 0x00, 0x08], .octets),
        Case([0x47, 0x45, 0x54, 0x20, 0x01], .octets),
        Case([22], .unknown), Case([22, 3, 1, 0, 100], .unknown), Case([22, 3, 1, 0, 100, 1], .tls),
        Case([22, 3, 3, 0, 100, 2], .octets), Case([22, 2], .octets), Case([22, 3, 9], .octets),
        Case(String(repeating: "A", count: 25), .octets), Case(String(repeating: "A", count: 24), .unknown),
        Case("GET /" + String(repeating: "a", count: SniffedProtocol.longest), .octets),
    ])
    func firstOctets(_ tried: Case) {
        #expect(tried.octets.withView { SniffedProtocol($0) } == tried.expected)
    }

    /// What was told is never taken back when more comes.
    @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n", "PRI * HTTP/2.0\r\n\r\n", "QUIT\r\nGET / HTTP/1.1\r\n"])
    func piecesChangeNothing(_ text: String) {
        let octets = Array(text.utf8)
        var told = SniffedProtocol.unknown
        for count in 0...octets.count {
            let now = octets[..<count].withUnsafeBufferPointer { Array($0) }.withView { SniffedProtocol($0) }
            if told != .unknown { #expect(now == told, "at \(count)") }
            told = now
        }
        #expect(told != .unknown)
    }
}
