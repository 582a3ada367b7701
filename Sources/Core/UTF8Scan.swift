/// UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing past U+10FFFF.
public enum UTF8Scan {
    /// Octets of the sequence that begins at `at`, or 0 when none does.
    public static func sequenceLength(_ text: ByteView, _ at: Int) -> Int {
        let lead = text[at]
        func follows(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + offset < text.count && range.contains(text[at + offset])
        }
        switch lead {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: return follows(1) ? 2 : 0
        case 0xE0: return follows(1, 0xA0...0xBF) && follows(2) ? 3 : 0
        case 0xED: return follows(1, 0x80...0x9F) && follows(2) ? 3 : 0
        case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : 0
        case 0xF0: return follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : 0
        case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF4: return follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : 0
        default: return 0
        }
    }

    public enum Content: Equatable, Sendable {
        case ascii
        case utf8
        /// The first octet that belongs to no sequence.
        case invalid(at: Int)
    }

    /// What `text` consists of. Reads eight octets at a time while they are ASCII.
    public static func content(of text: ByteView) -> Content {
        var at = 0
        var isASCII = true
        while at < text.count {
            if at + 8 <= text.count {
                let word = UnsafeRawPointer(text.base.unsafelyUnwrapped + at).loadUnaligned(as: UInt64.self)
                if word & 0x8080_8080_8080_8080 == 0 {
                    at += 8
                    continue
                }
            }
            let length = sequenceLength(text, at)
            guard length > 0 else { return .invalid(at: at) }
            if length > 1 { isASCII = false }
            at += length
        }
        return isASCII ? .ascii : .utf8
    }

    /// Unicode scalars in valid UTF-8: what the bounds of a schema call characters.
    public static func characters(in text: ByteView) -> Int {
        var count = 0
        for index in text.indices where text[index] & 0xC0 != 0x80 { count += 1 }
        return count
    }
}
