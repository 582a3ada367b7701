import Core

/// JSON writes characters past U+FFFF as two escapes (`\ud83e\udd8a`, RFC 8259, section 7); YAML has `\U0001F98A` for them, and
/// libyaml refuses the pair. It is the one place where JSON is not YAML, so it is put right before libyaml reads.
enum JSONSurrogates {
    /// The file with its pairs joined; nil when it is not JSON or has none. Columns behind a pair count two less.
    static func joined(_ text: ByteView) -> [UInt8]? {
        guard let first = text.indices.first(where: { text[$0] > ASCII.space }),
            text[first] == 0x7B || text[first] == 0x5B
        else { return nil }
        var result: [UInt8]?
        var copied = 0
        var at = first
        // In JSON a backslash stands in strings only, and the octet behind it belongs to it.
        while let backslash = text.firstIndex(of: 0x5C, from: at) {
            at = min(backslash + 2, text.count)
            guard let high = unit(text, backslash), (0xD800..<0xDC00).contains(high),
                let low = unit(text, backslash + 6), (0xDC00..<0xE000).contains(low)
            else { continue }
            let scalar = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
            var joined = result ?? []
            joined += text[copied..<backslash].array
            joined += Array("\\U".utf8)
            for shift in [28, 24, 20, 16, 12, 8, 4, 0] { joined.append(ASCII.hexDigit(UInt8(scalar >> shift & 15))) }
            result = joined
            copied = backslash + 12
            at = copied
        }
        guard var result else { return nil }
        result += text.from(copied).array
        return result
    }

    /// The value of `\uXXXX` at `index`, or nil.
    private static func unit(_ text: ByteView, _ index: Int) -> Int? {
        guard index + 6 <= text.count, text[index] == 0x5C, text[index + 1] == 0x75 else { return nil }
        var value = 0
        for i in (index + 2)..<(index + 6) {
            guard let digit = ASCII.hexValue(text[i]) else { return nil }
            value = value << 4 | Int(digit)
        }
        return value
    }
}
