import Core

/// Comparison with lower-case literals, of any case, a machine word at a time.
///
/// Only for octets that hold no control octet but HTAB: then the bit 0x20 turns A–Z into letters and nothing else into a
/// letter, a digit or `-`, of which the literals are made.
enum OctetWords {
    /// Whether `value` is `text`.
    @inline(__always) static func same(_ value: ByteView, _ text: StaticString) -> Bool {
        guard value.count == text.utf8CodeUnitCount else { return false }
        return same(value.base.unsafelyUnwrapped, text)
    }

    /// Compares as many octets as `text` has, two at least. Its words are constants in the machine code; the last word
    /// overlaps the one before it, so nothing behind the last octet is read.
    @inline(__always) static func same(_ p: UnsafePointer<UInt8>, _ text: StaticString) -> Bool {
        let a = UnsafeRawPointer(p)
        let b = UnsafeRawPointer(text.utf8Start)
        let count = text.utf8CodeUnitCount
        if count >= 8 {
            if word8(a, 0) != word8(b, 0) { return false }
            if count > 16, word8(a, 8) != word8(b, 8) { return false }
            if count > 24, word8(a, 16) != word8(b, 16) { return false }
            return word8(a, count - 8) == word8(b, count - 8)
        }
        if count >= 4 { return word4(a, 0) == word4(b, 0) && word4(a, count - 4) == word4(b, count - 4) }
        return word2(a, 0) == word2(b, 0) && word2(a, count - 2) == word2(b, count - 2)
    }

    /// Whether these octets begin with `text`, which has 4 or 8, case and all. The caller has checked that they are there.
    @inline(__always) static func begins(_ p: UnsafePointer<UInt8>, with text: StaticString) -> Bool {
        let a = UnsafeRawPointer(p)
        let b = UnsafeRawPointer(text.utf8Start)
        if text.utf8CodeUnitCount == 4 { return a.loadUnaligned(as: UInt32.self) == b.loadUnaligned(as: UInt32.self) }
        precondition(text.utf8CodeUnitCount == 8)
        return a.loadUnaligned(as: UInt64.self) == b.loadUnaligned(as: UInt64.self)
    }

    /// Makes the letters of a field's name lower case where they lie.
    /// - Returns: where its colon is; `end`, when none comes before the line's end.
    @inline(__always) static func lower(_ p: UnsafeMutablePointer<UInt8>, _ at: Int, _ end: Int) -> Int {
        let raw = UnsafeMutableRawPointer(p)
        let ones: UInt64 = 0x0101_0101_0101_0101
        var i = at
        while i &+ 8 <= end {
            let word = raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            // The lowest octet that is set is the first colon or LF; a borrow may set further ones behind it.
            let colon = word ^ (ones &* UInt64(ASCII.colon))
            let lf = word ^ (ones &* UInt64(ASCII.lf))
            let stops = ((colon &- ones) & ~colon | (lf &- ones) & ~lf) & (ones &* 0x80)
            let before = stops == 0 ? ~0 : (stops & (0 &- stops)) &- 1
            let low = word & (ones &* 0x7F)
            let upper = ((low &+ ones &* 0x3F) & ~(low &+ ones &* 0x25)) & ~word & (ones &* 0x80) & before
            if upper != 0 { raw.storeBytes(of: word | upper &>> 2, toByteOffset: i, as: UInt64.self) }
            if stops != 0 {
                i &+= stops.trailingZeroBitCount &>> 3
                return p[i] == ASCII.colon ? i : end
            }
            i &+= 8
        }
        while i < end, p[i] != ASCII.colon, p[i] != ASCII.lf {
            p[i] = ASCII.lower(p[i])
            i &+= 1
        }
        return i < end && p[i] == ASCII.colon ? i : end
    }

    @inline(__always) private static func word8(_ p: UnsafeRawPointer, _ at: Int) -> UInt64 {
        p.loadUnaligned(fromByteOffset: at, as: UInt64.self) | 0x2020_2020_2020_2020
    }
    @inline(__always) private static func word4(_ p: UnsafeRawPointer, _ at: Int) -> UInt32 {
        p.loadUnaligned(fromByteOffset: at, as: UInt32.self) | 0x2020_2020
    }
    @inline(__always) private static func word2(_ p: UnsafeRawPointer, _ at: Int) -> UInt16 {
        p.loadUnaligned(fromByteOffset: at, as: UInt16.self) | 0x2020
    }
}
