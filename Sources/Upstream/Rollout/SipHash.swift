import Core

/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of 64 bits that nobody can predict or collide without the key.
/// With a secret key it authenticates short texts; with a public one it spreads what clients send evenly. Pure, and
/// allocates nothing.
public struct SipHash: BitwiseCopyable, Sendable {
    /// 128 bits.
    public struct Key: Equatable, BitwiseCopyable, Sendable {
        public var low: UInt64
        public var high: UInt64

        @inlinable public init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }
    }

    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    /// Octets that do not fill a word yet, the first one lowest.
    private var tail: UInt64 = 0
    private var count = 0

    public init(_ key: Key) {
        v0 = key.low ^ 0x736F_6D65_7073_6575
        v1 = key.high ^ 0x646F_7261_6E64_6F6D
        v2 = key.low ^ 0x6C79_6765_6E65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    public mutating func add(_ byte: UInt8) {
        tail |= UInt64(byte) << (UInt64(count & 7) * 8)
        count += 1
        if count & 7 == 0 {
            compress(tail)
            tail = 0
        }
    }

    public mutating func add(_ view: ByteView) {
        for i in view.indices { add(view[i]) }
    }

    /// Eight octets, the lowest first.
    public mutating func add(word number: UInt64) {
        guard count & 7 == 0 else {
            for shift in 0..<8 { add(UInt8(truncatingIfNeeded: number >> (UInt64(shift) * 8))) }
            return
        }
        compress(number)
        count += 8
    }

    /// The hash of what was added so far.
    public var value: UInt64 {
        var end = self
        end.compress(tail | UInt64(truncatingIfNeeded: count) << 56)
        end.v2 ^= 0xFF
        for _ in 0..<4 { end.round() }
        return end.v0 ^ end.v1 ^ end.v2 ^ end.v3
    }

    public static func of(_ view: ByteView, key: Key) -> UInt64 {
        var hash = SipHash(key)
        hash.add(view)
        return hash.value
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func round() {
        v0 = v0 &+ v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 = v2 &+ v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 = v0 &+ v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 = v2 &+ v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
}
