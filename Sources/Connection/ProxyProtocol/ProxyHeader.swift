import Core

/// What is told first on a connection that came through a proxy: for whom it was made (HAProxy's proxy-protocol.txt,
/// versions 1 and 2). A value of offsets into the octets that were parsed.
public struct ProxyHeader: Equatable, Sendable {
    /// For whom the connection was made.
    public enum Origin: Equatable, Sendable {
        /// The connection's own addresses count: the proxy made it for itself (v2 LOCAL, for instance a health check), or
        /// says that it does not know (v1 UNKNOWN, v2 UNSPEC), or that it was a local socket's (v2 AF_UNIX).
        case connection
        case addresses(source: SocketAddress, destination: SocketAddress)
    }

    public var origin: Origin
    /// Octets of the whole header; what follows is the connection's own.
    public var length: Int
    /// Where the type-length-value fields of v2 lie; empty with v1. Their structure has been checked.
    public var fields: Range<Int>

    /// Octets of a v1 header at most, line end included (section 2.1).
    public static let longestV1 = 107
    /// Octets of a v2 header that are accepted: the format would allow 65,551. Real ones, with certificates' names and
    /// clouds' identifiers, stay below a tenth of this.
    public static let longestV2 = 16 * 1024
    /// How v2 begins (section 2.2).
    static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"
    static let fixedLength = 16

    /// Types of fields (section 2.2.1 and later) that are not passed on: they speak of the octets of one header.
    static let checksumField: UInt8 = 0x03
    static let paddingField: UInt8 = 0x04
}

/// What the first octets of a connection are.
public enum ProxyHeaderOutcome: Equatable, Sendable {
    case complete(ProxyHeader)
    /// So far it can be a header.
    case needMore
    /// No header, from the first octet that differs on: these are the connection's own.
    case absent
    case malformed(ProxyHeaderFault)
}

/// What is wrong with a header. The connection is closed then: whoever speaks first cannot be told anything.
public enum ProxyHeaderFault: String, Sendable {
    case endlessLine = "the line does not end"
    case bareLineFeed = "the line ends without CR"
    case brokenAddresses = "the addresses are broken"
    case unknownVersion = "the version is unknown"
    case unknownCommand = "the command is unknown"
    case unknownFamily = "the family is unknown"
    case tooLong = "the header is longer than its limit"
    case brokenField = "a field is broken"
    case wrongChecksum = "the checksum is wrong"
}

extension ProxyHeader {
    /// Reads a header from the first octets of a connection; to be called with all of them each time more have come.
    ///
    /// Never more than ``longestV2`` octets are needed. Allocates nothing.
    public static func parse(_ octets: ByteView) -> ProxyHeaderOutcome {
        if begins(octets, ByteView(signature)) {
            return octets.count < fixedLength ? .needMore : parseV2(octets)
        }
        if begins(octets, ByteView("PROXY ")) {
            return octets.count < 6 ? .needMore : parseV1(octets)
        }
        return .absent
    }

    /// Whether one is the other's beginning.
    private static func begins(_ octets: ByteView, _ mark: ByteView) -> Bool {
        let common = min(octets.count, mark.count)
        return octets.upTo(common).equals(mark.upTo(common))
    }

    // MARK: version 1

    /// `PROXY TCP4 source destination port port CR LF`, words parted by one space each.
    private static func parseV1(_ octets: ByteView) -> ProxyHeaderOutcome {
        let line = octets.upTo(min(octets.count, longestV1))
        guard let end = line.firstIndex(of: ASCII.lf) else {
            return line.count < longestV1 ? .needMore : .malformed(.endlessLine)
        }
        guard end > 0, line[end - 1] == ASCII.cr else { return .malformed(.bareLineFeed) }
        var rest = line[6..<(end - 1)]
        let family = word(&rest)
        // Whatever follows is to be ignored (section 2.1).
        if family.equals("UNKNOWN") {
            return .complete(ProxyHeader(origin: .connection, length: end + 1, fields: 0..<0))
        }
        let isV4 = family.equals("TCP4")
        guard isV4 || family.equals("TCP6") else { return .malformed(.unknownFamily) }
        guard let source = address(word(&rest), isV4), let destination = address(word(&rest), isV4),
            let sourcePort = port(word(&rest)), let destinationPort = port(word(&rest)), rest.isEmpty,
            // An empty word at the end would be a space too many.
            line[end - 2] != ASCII.space
        else { return .malformed(.brokenAddresses) }
        let origin = Origin.addresses(
            source: SocketAddress(ip: source, port: sourcePort),
            destination: SocketAddress(ip: destination, port: destinationPort))
        return .complete(ProxyHeader(origin: origin, length: end + 1, fields: 0..<0))
    }

    /// Takes what stands before the next space.
    private static func word(_ rest: inout ByteView) -> ByteView {
        let end = rest.firstIndex(of: ASCII.space) ?? rest.count
        let word = rest.upTo(end)
        rest = rest.from(min(end + 1, rest.count))
        return word
    }

    private static func address(_ text: ByteView, _ isV4: Bool) -> IPAddress? {
        guard (text.firstIndex(of: ASCII.colon) == nil) == isV4 else { return nil }
        return IPAddress(text)
    }

    private static func port(_ text: ByteView) -> UInt16? {
        guard text.count <= 5, text.count == 1 || text.isEmpty || text[0] != 0x30, let value = text.decimal else {
            return nil
        }
        return UInt16(exactly: value)
    }

    // MARK: version 2

    private static func parseV2(_ octets: ByteView) -> ProxyHeaderOutcome {
        let command = octets[12]
        guard command >> 4 == 2 else { return .malformed(.unknownVersion) }
        guard command & 15 <= 1 else { return .malformed(.unknownCommand) }
        let length = fixedLength + number16(octets, 14)
        guard length <= longestV2 else { return .malformed(.tooLong) }
        guard octets.count >= length else { return .needMore }
        let header = octets.upTo(length)
        if command & 15 == 0 {
            // LOCAL: the block is skipped, whatever it says of addresses.
            return .complete(ProxyHeader(origin: .connection, length: length, fields: 0..<0))
        }
        let family = header[13] >> 4
        guard family <= 3, header[13] & 15 <= 2 else { return .malformed(.unknownFamily) }
        let addressLength = [0, 12, 36, 216][Int(family)]
        guard length - fixedLength >= addressLength else {
            return .malformed(.brokenAddresses)
        }
        let fields = (fixedLength + addressLength)..<length
        if let problem = check(header, fields) { return .malformed(problem) }
        let origin: Origin =
            switch family {
            case 1:
                .addresses(
                    source: SocketAddress(ip: addressV4(header, 16), port: UInt16(number16(header, 24))),
                    destination: SocketAddress(ip: addressV4(header, 20), port: UInt16(number16(header, 26))))
            case 2:
                .addresses(
                    source: SocketAddress(ip: addressV6(header, 16), port: UInt16(number16(header, 48))),
                    destination: SocketAddress(ip: addressV6(header, 32), port: UInt16(number16(header, 50))))
            default: .connection
            }
        return .complete(ProxyHeader(origin: origin, length: length, fields: fields))
    }

    /// Whether each field ends within the header, and whether the checksum, if there is one, is right.
    private static func check(_ header: ByteView, _ fields: Range<Int>) -> ProxyHeaderFault? {
        var at = fields.lowerBound
        while at < fields.upperBound {
            guard fields.upperBound - at >= 3 else { return .brokenField }
            let value = at + 3
            let length = number16(header, at + 1)
            guard fields.upperBound - value >= length else { return .brokenField }
            if header[at] == checksumField {
                guard length == 4 else { return .brokenField }
                // Computed with zeros where the checksum itself stands.
                var sum = CRC32C()
                sum.add(header.upTo(value))
                for _ in 0..<4 { sum.add(0) }
                sum.add(header.from(value + 4))
                let told = number16(header, value) << 16 | number16(header, value + 2)
                guard told == Int(sum.value) else { return .wrongChecksum }
            }
            at = value + length
        }
        return nil
    }

    private static func number16(_ octets: ByteView, _ at: Int) -> Int { Int(octets[at]) << 8 | Int(octets[at + 1]) }

    private static func addressV4(_ octets: ByteView, _ at: Int) -> IPAddress {
        IPAddress(v4: octets[at], octets[at + 1], octets[at + 2], octets[at + 3])
    }

    private static func addressV6(_ octets: ByteView, _ at: Int) -> IPAddress {
        IPAddress(high: UInt64(bigEndian: word(octets, at)), low: UInt64(bigEndian: word(octets, at + 8)))
    }

    /// As it lies in memory.
    private static func word(_ octets: ByteView, _ at: Int) -> UInt64 { UInt64(littleEndian: octets.word(at: at)) }
}
