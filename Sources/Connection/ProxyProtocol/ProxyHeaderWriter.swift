import Core

/// Writes the header that an endpoint is told first (HAProxy's proxy-protocol.txt).
public enum ProxyHeaderWriter {
    /// Version 1, at most ``ProxyHeader/longestV1`` octets. It has no fields.
    public static func writeV1(source: SocketAddress, destination: SocketAddress, to buffer: inout ByteBuffer) {
        let isV4 = source.ip.isV4 && destination.ip.isV4
        buffer.append(isV4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        for ip in [source.ip, destination.ip] {
            // One family for both: IPv4 beside IPv6 in its mapped form (RFC 4291, section 2.5.5.2).
            if ip.isV4, !isV4 { buffer.append("::ffff:") }
            ip.write(to: &buffer)
            buffer.append(byte: ASCII.space)
        }
        buffer.append(decimal: UInt64(source.port))
        buffer.append(byte: ASCII.space)
        buffer.append(decimal: UInt64(destination.port))
        buffer.append("\r\n")
    }

    /// Version 2.
    /// - Parameter fields: those of the header that the connection came with (``ProxyHeader/fields``), to be passed on; a
    ///   checksum and padding among them are left out. At most ``ProxyHeader/longestV2`` octets.
    public static func writeV2(
        source: SocketAddress, destination: SocketAddress, fields: ByteView = .empty, to buffer: inout ByteBuffer
    ) {
        precondition(fields.count <= ProxyHeader.longestV2, "more fields than any header had")
        let isV4 = source.ip.isV4 && destination.ip.isV4
        buffer.append(ProxyHeader.signature)
        buffer.append(byte: 0x21)  // Version 2, PROXY.
        buffer.append(byte: isV4 ? 0x11 : 0x21)  // TCP over IPv4, over IPv6.
        var length = isV4 ? 12 : 36
        forEachPassed(fields) { length += $0.count }
        append(UInt16(length), to: &buffer)
        for ip in [source.ip, destination.ip] {
            for index in (isV4 ? 12 : 0)..<16 { buffer.append(byte: ip.octet(index)) }
        }
        append(source.port, to: &buffer)
        append(destination.port, to: &buffer)
        forEachPassed(fields) { buffer.append($0) }
    }

    /// A connection of our own, that no client stands behind: version 1 calls it unknown, version 2 local.
    public static func writeOwnV1(to buffer: inout ByteBuffer) { buffer.append("PROXY UNKNOWN\r\n") }

    public static func writeOwnV2(to buffer: inout ByteBuffer) {
        buffer.append(ProxyHeader.signature)
        buffer.append(byte: 0x20)  // Version 2, LOCAL.
        buffer.append(byte: 0)  // No family, and no addresses.
        append(0, to: &buffer)
    }

    private static func forEachPassed(_ fields: ByteView, _ body: (ByteView) -> Void) {
        var at = 0
        while at < fields.count {
            precondition(fields.count - at >= 3, "fields that were not checked")
            let end = at + 3 + (Int(fields[at + 1]) << 8 | Int(fields[at + 2]))
            if fields[at] != ProxyHeader.checksumField, fields[at] != ProxyHeader.paddingField {
                body(fields[at..<end])
            }
            at = end
        }
    }

    private static func append(_ number: UInt16, to buffer: inout ByteBuffer) {
        buffer.append(byte: UInt8(number >> 8))
        buffer.append(byte: UInt8(truncatingIfNeeded: number))
    }
}
