import Core
import Testing

@testable import Connection

@Suite("PROXY protocol, versions 1 and 2") struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    private static func v2(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
        signature + [command, family, UInt8(body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
    }

    private static let addressesV4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 0x04, 0x01, 0xBB]
    private static func address(_ text: String) throws -> SocketAddress { try #require(SocketAddress(text)) }

    private func parse(_ octets: [UInt8]) -> ProxyHeaderOutcome { octets.withView { ProxyHeader.parse($0) } }

    // MARK: what is read

    @Test(arguments: [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324", "198.51.100.2:443"),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
            "255.255.255.255:65535"
        ),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 0\r\n", "[2001:db8::1]:1", "[2001:db8::2]:0"),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
        ),
    ])
    func linesOfVersion1(line: String, source: String, destination: String) throws {
        let expected = ProxyHeader(
            origin: .addresses(source: try Self.address(source), destination: try Self.address(destination)),
            length: line.utf8.count, fields: 0..<0)
        #expect(parse(Array((line + "GET / HTTP/1.1\r\n").utf8)) == .complete(expected))
        for length in 0..<line.utf8.count {
            #expect(parse(Array(line.utf8.prefix(length))) == .needMore, "\(length) octets")
        }
    }

    @Test(arguments: [
        "PROXY UNKNOWN\r\n", "PROXY UNKNOWN whatever stands here\r\n",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    ])
    func unknownIsTheConnectionsOwn(line: String) {
        let octets = Array(line.utf8)
        #expect(parse(octets) == .complete(ProxyHeader(origin: .connection, length: octets.count, fields: 0..<0)))
    }

    @Test(arguments: [
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n", "PROXY \r\n", "PROXY TCP4\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r \n",
        "PROXY UNKNOWN" + String(repeating: " x", count: 60) + "\r\n",
    ])
    func brokenLinesOfVersion1(line: String) {
        guard case .malformed = parse(Array(line.utf8)) else {
            Issue.record("taken: \(parse(Array(line.utf8)))")
            return
        }
    }

    @Test(arguments: ["", "P", "PROXY", "PROXY ", "\r\n\r\n", "\r", "PROXY TCP4 1.2.3.4 1"]) func beginnings(
        text: String
    ) {
        #expect(parse(Array(text.utf8)) == .needMore)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PR ", "PROPFIND / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\r\nGET /", "\u{16}\u{3}\u{1}",
        "proxy ",
    ])
    func whatIsNoHeader(text: String) { #expect(parse(Array(text.utf8)) == .absent) }

    @Test func addressesOfVersion2() throws {
        let v4 = Self.v2(0x21, 0x11, Self.addressesV4)
        #expect(
            parse(v4 + [1, 2, 3])
                == .complete(
                    ProxyHeader(
                        origin: .addresses(
                            source: try Self.address("192.0.2.1:56324"),
                            destination: try Self.address("198.51.100.2:443")), length: 28, fields: 28..<28)))
        let one: [UInt8] = [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        let two: [UInt8] = Array(one.dropLast()) + [2]
        let v6 = Self.v2(0x21, 0x22, one + two + [0, 80, 1, 187])
        #expect(
            parse(v6)
                == .complete(
                    ProxyHeader(
                        origin: .addresses(
                            source: try Self.address("[2001:db8::1]:80"),
                            destination: try Self.address("[2001:db8::2]:443")), length: 52, fields: 52..<52)))
        for length in 0..<v6.count { #expect(parse(Array(v6.prefix(length))) == .needMore) }
    }

    @Test func localAndUnspecifiedAndUnixAreTheConnectionsOwn() {
        for octets in [
            Self.v2(0x20, 0, []), Self.v2(0x20, 0x11, Self.addressesV4), Self.v2(0x20, 0xFF, [1, 2, 3]),
            Self.v2(0x21, 0x00, []), Self.v2(0x21, 0x31, [UInt8](repeating: 47, count: 216)),
        ] {
            guard case .complete(let header) = parse(octets) else {
                Issue.record("\(parse(octets))")
                continue
            }
            #expect(header.origin == .connection && header.length == octets.count)
        }
    }

    @Test func brokenHeadersOfVersion2() {
        let field: [UInt8] = [0x02, 0, 4, 97, 98, 99]
        for octets in [
            Self.v2(0x31, 0x11, Self.addressesV4), Self.v2(0x11, 0x11, Self.addressesV4),
            Self.v2(0x22, 0x11, Self.addressesV4), Self.v2(0x21, 0x41, Self.addressesV4),
            Self.v2(0x21, 0x13, Self.addressesV4), Self.v2(0x21, 0x11, Array(Self.addressesV4.dropLast())),
            Self.v2(0x21, 0x21, Self.addressesV4), Self.v2(0x21, 0x31, Self.addressesV4),
            Self.v2(0x21, 0x11, Self.addressesV4 + field), Self.v2(0x21, 0x11, Self.addressesV4 + [4, 0]),
            Self.v2(0x21, 0x11, Self.addressesV4 + [3, 0, 3, 1, 2, 3]),
            Self.signature + [0x21, 0x11, 0xFF, 0xFF],
        ] {
            guard case .malformed = parse(octets) else {
                Issue.record("taken: \(octets): \(parse(octets))")
                continue
            }
        }
    }

    @Test func theChecksumIsHeldAgainstTheHeader() {
        var sum = CRC32C()
        "123456789".withView { sum.add($0) }
        // RFC 3720's appendix has other vectors; this is the customary one for the polynomial.
        #expect(sum.value == 0xE306_9283)
        var octets = Self.v2(0x21, 0x11, Self.addressesV4 + [2, 0, 1, 97] + [3, 0, 4, 0, 0, 0, 0] + [4, 0, 0])
        var over = CRC32C()
        octets.withView { over.add($0) }
        let place = octets.count - 7
        for i in 0..<4 { octets[place + i] = UInt8(truncatingIfNeeded: over.value >> UInt32(24 - 8 * i)) }
        guard case .complete(let header) = parse(octets) else {
            Issue.record("\(parse(octets))")
            return
        }
        #expect(header.fields == 28..<octets.count)
        // Of another type, the field is no checksum.
        for i in 16..<octets.count where i != place - 3 {
            var wrong = octets
            wrong[i] ^= 1
            #expect(parse(wrong) != .complete(header), "octet \(i)")
        }
    }

    // MARK: what is written

    @Test(arguments: [
        ("192.0.2.1:56324", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
        ("[2001:db8::1]:1", "[::1]:2", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
        ("192.0.2.1:1", "[2001:db8::2]:2", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"),
    ])
    func whatIsWrittenIsRead(source: String, destination: String, line: String) throws {
        let (from, to) = (try Self.address(source), try Self.address(destination))
        var v1 = ByteBuffer()
        ProxyHeaderWriter.writeV1(source: from, destination: to, to: &v1)
        #expect(v1.view.string == line)
        var v2 = ByteBuffer()
        let fields: [UInt8] = [2, 0, 1, 97, 3, 0, 4, 1, 2, 3, 4, 4, 0, 2, 0, 0, 0xEA, 0, 0]
        fields.withView { ProxyHeaderWriter.writeV2(source: from, destination: to, fields: $0, to: &v2) }
        for octets in [v1.view.array, v2.view.array] {
            guard case .complete(let header) = parse(octets) else {
                Issue.record("\(parse(octets))")
                continue
            }
            #expect(header.origin == .addresses(source: from, destination: to) && header.length == octets.count)
            if !header.fields.isEmpty {
                #expect(
                    Array(octets[header.fields]) == [2, 0, 1, 97, 0xEA, 0, 0],
                    "the checksum and the padding are not passed on")
            }
        }
    }

    /// Whatever comes: an answer, bounds kept, and the same answer when octets of the connection follow.
    @Test(arguments: 0..<20) func mutatedHeaders(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let whole = [
            Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".utf8), Array("PROXY UNKNOWN\r\n".utf8),
            Self.v2(0x21, 0x11, Self.addressesV4 + [2, 0, 3, 97, 98, 99, 0x20, 0, 5, 1, 0, 0, 0, 0]),
            Self.v2(0x21, 0x21, [UInt8](repeating: 9, count: 36)), Self.v2(0x20, 0, []),
        ]
        for _ in 0..<2_000 {
            var octets = whole[Int(random.next() % UInt64(whole.count))]
            for _ in 0..<(random.next() % 4) {
                let at = Int(random.next() % UInt64(octets.count))
                switch random.next() % 3 {
                case 0: octets[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: octets.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
                default: if octets.count > 1 { octets.remove(at: at) }
                }
            }
            let outcome = parse(octets)
            if case .complete(let header) = outcome {
                #expect(header.length <= octets.count && header.fields.upperBound <= header.length, "seed \(seed)")
                #expect(parse(octets + [1, 2, 3]) == outcome, "seed \(seed)")
                if case .addresses(let source, let destination) = header.origin {
                    var buffer = ByteBuffer()
                    Array(octets[header.fields]).withView {
                        ProxyHeaderWriter.writeV2(source: source, destination: destination, fields: $0, to: &buffer)
                    }
                    guard case .complete(let again) = ProxyHeader.parse(buffer.view) else {
                        Issue.record("what was written is not read, seed \(seed)")
                        return
                    }
                    #expect(again.origin == header.origin, "seed \(seed)")
                }
            }
        }
    }
}
