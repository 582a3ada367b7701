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
        for nibble in 0..<32 {
            if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { buffer.append(byte: 0x2D) }
            let word = nibble < 16 ? high : low
            buffer.append(byte: ASCII.hexDigit(UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble & 15))) & 15))
        }
    }
}
