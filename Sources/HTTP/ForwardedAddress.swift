import Core

/// Whom a request was forwarded for, as the nearest proxy tells it: the last element of `Forwarded` (RFC 7239, section 4),
/// or the last address of `X-Forwarded-For`. What stands before it was told by others.
public enum ForwardedAddress {
    /// The last element's `for`; nil where it has none, or one that is no address (`unknown`, an obfuscated name), or where
    /// the value is malformed.
    public static func last(ofForwarded value: ByteView) -> IPAddress? {
        // Backwards to the last comma that stands in no quotes; an escaped quote has no place in an address.
        var start = value.count
        var isQuoted = false
        while start > 0 {
            let octet = value[start - 1]
            if octet == quote { isQuoted.toggle() }
            if octet == ASCII.comma, !isQuoted { break }
            start -= 1
        }
        guard !isQuoted else { return nil }
        var at = start
        while at < value.count {
            let end = value.firstIndex(of: semicolon, from: at) ?? value.count
            let pair = value[at..<end].trimmed
            at = end + 1
            guard let equals = pair.firstIndex(of: ASCII.equals), pair.upTo(equals).equalsIgnoringCase("for") else {
                continue
            }
            return address(of: pair.from(equals + 1))
        }
        return nil
    }

    public static func last(ofXForwardedFor value: ByteView) -> IPAddress? {
        let start = value.lastIndex(of: ASCII.comma).map { $0 + 1 } ?? 0
        return IPAddress(value.from(start).trimmed)
    }

    /// A node (section 6): an address, IPv6 in brackets and quotes, perhaps with a port.
    private static func address(of node: ByteView) -> IPAddress? {
        var node = node
        if node.count >= 2, node[0] == quote, node[node.count - 1] == quote { node = node[1..<(node.count - 1)] }
        if node.count > 0, node[0] == UInt8(ascii: "[") {
            guard let close = node.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            return IPAddress(node[1..<close])
        }
        return IPAddress(node.upTo(node.firstIndex(of: ASCII.colon) ?? node.count))
    }

    private static let quote = UInt8(ascii: "\"")
    private static let semicolon = UInt8(ascii: ";")
}
