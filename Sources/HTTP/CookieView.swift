import Core

/// Reads the value of a Cookie field in place (RFC 6265, section 4.2.1).
public enum CookieView {
    /// The value of the first cookie of that name, which counts with its case; quotes around a value are not of it.
    public static func firstValue(of name: ByteView, in field: ByteView) -> ByteView? {
        var at = 0
        while at < field.count {
            let end = field.firstIndex(of: ASCII.semicolon, from: at) ?? field.count
            let pair = field[at..<end].trimmed
            at = end + 1
            guard let equals = pair.firstIndex(of: ASCII.equals), pair.upTo(equals).trimmed.equals(name) else {
                continue
            }
            let value = pair.from(equals + 1).trimmed
            let quote = UInt8(ascii: "\"")
            guard value.count >= 2, value[0] == quote, value[value.count - 1] == quote else { return value }
            return value[1..<(value.count - 1)]
        }
        return nil
    }
}
