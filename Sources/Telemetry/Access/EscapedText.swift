import Core

// Hostile octets become harmless text here, and nowhere else. Both forms write at most `limit` octets and then `…`, so
// that a line has a length that is known before it is written.

/// The mark at the end of a value that was cut.
private let cutMark: StaticString = "\u{2026}"

extension ByteBuffer {
    /// The value between double quotes, with `\"`, `\\`, `\t`-like escapes and `\xHH` for everything that is not printable
    /// ASCII: no value can end the quotes, begin a new line or move a terminal's cursor.
    public mutating func append(quoted value: ByteView, limit: Int) {
        append(byte: 0x22)
        var written = 0
        var i = 0
        while i < value.count {
            let plain = appendPlainRun(value, from: i, atMost: limit - written)
            i += plain
            written += plain
            guard i < value.count else { break }
            let byte = value[i]
            let cost = Self.isPlain(byte) ? 1 : byte == 0x22 || byte == 0x5C ? 2 : 4
            if written + cost > limit {
                append(cutMark)
                break
            }
            written += cost
            i += 1
            if cost == 2 {
                append(byte: 0x5C)
                append(byte: byte)
            } else {
                append("\\x")
                append(byte: ASCII.hexDigit(byte >> 4))
                append(byte: ASCII.hexDigit(byte & 15))
            }
        }
        append(byte: 0x22)
    }

    /// Printable ASCII that neither form escapes.
    private static func isPlain(_ byte: UInt8) -> Bool { byte &- 0x20 < 0x5F && byte != 0x22 && byte != 0x5C }

    /// Appends the octets from `start` that stay as they are, nearly always the whole value, in one piece.
    /// - Returns: how many.
    private mutating func appendPlainRun(_ value: ByteView, from start: Int, atMost limit: Int) -> Int {
        let end = min(value.count, start + limit)
        var i = start
        while i + 8 <= end, Self.arePlain(value.word(at: i)) { i += 8 }
        // What is left is in the last word, which begins before it.
        if i > start, i < end, i + 8 > end, Self.arePlain(value.word(at: end - 8)) { i = end }
        while i < end, Self.isPlain(value[i]) { i += 1 }
        append(value[start..<i])
        return i - start
    }

    /// Whether all eight octets of a word are plain: each test sets the high bit of some octet when one fails it.
    private static func arePlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        func hasZero(_ x: UInt64) -> UInt64 { (x &- ones) & ~x }
        let control = (word &- ones &* 0x20) & ~word
        let escaped = hasZero(word ^ ones &* 0x22) | hasZero(word ^ ones &* 0x5C) | hasZero(word ^ ones &* 0x7F)
        return (control | escaped | word) & (ones &* 0x80) == 0
    }

    /// A JSON string (RFC 8259, section 7). Octets that are not UTF-8 become U+FFFD, one for each maximal part of a
    /// sequence (Unicode 15, section 3.9, "U+FFFD substitution"). Also escaped: DEL, U+0085, U+2028 and U+2029, which
    /// some readers take for line ends.
    public mutating func append(json value: ByteView, limit: Int) {
        append(byte: 0x22)
        var written = 0
        var i = 0
        while i < value.count {
            let plain = appendPlainRun(value, from: i, atMost: limit - written)
            i += plain
            written += plain
            guard i < value.count else { break }
            let byte = value[i]
            let length = byte < 0x80 ? 1 : UTF8Sequence.length(value, at: i)
            let cost = Self.jsonCost(value, at: i, length: length)
            if written + cost > limit {
                append(cutMark)
                break
            }
            written += cost
            appendJSONScalar(value, at: i, length: length)
            i += max(1, abs(length))
        }
        append(byte: 0x22)
    }

    private static func jsonCost(_ value: ByteView, at i: Int, length: Int) -> Int {
        if length == 1 {
            switch value[i] {
            case 0x22, 0x5C, 0x0A, 0x0D, 0x09: return 2
            case 0..<0x20, 0x7F: return 6
            default: return 1
            }
        }
        return length <= 0 ? 3 : UTF8Sequence.isLineEnd(value, at: i, length: length) ? 6 : length
    }

    private mutating func appendJSONScalar(_ value: ByteView, at i: Int, length: Int) {
        guard length > 0 else { return append("\u{FFFD}") }
        let byte = value[i]
        if length > 1 {
            if UTF8Sequence.isLineEnd(value, at: i, length: length) {
                append(length == 2 ? "\\u0085" : value[i + 2] == 0xA8 ? "\\u2028" : "\\u2029")
            } else {
                append(value[i..<(i + length)])
            }
            return
        }
        switch byte {
        case 0x22: append("\\\"")
        case 0x5C: append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case 0..<0x20, 0x7F:
            append("\\u00")
            append(byte: ASCII.hexDigit(byte >> 4))
            append(byte: ASCII.hexDigit(byte & 15))
        default: append(byte: byte)
        }
    }
}

/// Well-formed UTF-8 (Unicode 15, table 3-7).
enum UTF8Sequence {
    /// Octets of the well-formed sequence that begins at `i`; when there is none, minus the length of the maximal part
    /// of one (at least 1).
    static func length(_ value: ByteView, at i: Int) -> Int {
        let first = value[i]
        let need: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: need = 2
        case 0xE0...0xEF:
            need = 3
            if first == 0xE0 { low = 0xA0 }
            if first == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            need = 4
            if first == 0xF0 { low = 0x90 }
            if first == 0xF4 { high = 0x8F }
        default: return -1
        }
        for k in 1..<need {
            guard i + k < value.count, value[i + k] >= low, value[i + k] <= high else { return -k }
            low = 0x80
            high = 0xBF
        }
        return need
    }

    static func isLineEnd(_ value: ByteView, at i: Int, length: Int) -> Bool {
        if length == 2 { return value[i] == 0xC2 && value[i + 1] == 0x85 }
        return length == 3 && value[i] == 0xE2 && value[i + 1] == 0x80 && value[i + 2] & 0xFE == 0xA8
    }
}
