/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, the same sequence for the same seed. Not for secrets.
public struct SeededRandom: RandomNumberGenerator, BitwiseCopyable, Sendable {
    @usableFromInline var state: UInt64

    @inlinable public init(seed: UInt64) { state = seed }

    @inlinable public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// FNV-1a, 64 bits: what the lookup tables of a snapshot are keyed by. One octet at a time, so that the hashes of all
/// prefixes of a path come out of one pass. Its weakness against chosen keys is harmless here: the tables' keys come
/// from manifests, and a peer's key that collides costs one comparison.
public struct RollingHash: BitwiseCopyable, Sendable {
    public var value: UInt64 = 0xCBF2_9CE4_8422_2325

    @inlinable public init() {}
    @inlinable public mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    @inlinable public static func of(_ view: ByteView) -> UInt64 {
        var hash = RollingHash()
        for i in view.indices { hash.add(view[i]) }
        return hash.value
    }
}
