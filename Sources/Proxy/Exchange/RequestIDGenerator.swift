import Core

/// Request ids: random UUIDs, version 4 (RFC 9562, section 5.4). Made from a seed, for telling requests apart; not secret.
public struct RequestIDGenerator {
    private var random: SeededRandom

    public init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// Octets of an id.
    public static let octets = 36

    /// Appends one in its textual form.
    public mutating func write(to buffer: inout ByteBuffer) {
        let high = random.next() & ~0xF000 | 0x4000
        let low = random.next() & ~(3 << 62) | 2 << 62
        buffer.makeRoom(Self.octets)
        let out = buffer.writePointer
        let first = Self.hexDigits(UInt32(truncatingIfNeeded: high >> 32))
        let second = Self.hexDigits(UInt32(truncatingIfNeeded: high))
        let third = Self.hexDigits(UInt32(truncatingIfNeeded: low >> 32))
        let fourth = Self.hexDigits(UInt32(truncatingIfNeeded: low))
        let raw = UnsafeMutableRawPointer(out)
        raw.storeBytes(of: first, as: UInt64.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: second), toByteOffset: 9, as: UInt32.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: second >> 32), toByteOffset: 14, as: UInt32.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: third), toByteOffset: 19, as: UInt32.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: third >> 32), toByteOffset: 24, as: UInt32.self)
        raw.storeBytes(of: fourth, toByteOffset: 28, as: UInt64.self)
        let hyphen: UInt8 = 0x2D
        out[8] = hyphen
        out[13] = hyphen
        out[18] = hyphen
        out[23] = hyphen
        buffer.didWrite(Self.octets)
    }

    /// The eight hexadecimal digits of a word, the first in the lowest octet: spread to one nibble an octet, then all eight
    /// made letters or digits at once.
    private static func hexDigits(_ word: UInt32) -> UInt64 {
        var nibbles = UInt64(word.byteSwapped)
        nibbles = (nibbles | nibbles << 16) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles | nibbles << 8) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles >> 4 | nibbles << 8) & 0x0F0F_0F0F_0F0F_0F0F
        // 6 carries a nibble of ten or more into the next bit; 0x27 is the distance from '9' + 1 to 'a'.
        let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return nibbles + 0x3030_3030_3030_3030 + letters * 0x27
    }
}
