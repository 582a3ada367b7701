import Core

/// One endpoint of a cluster as a balancer sees it.
public struct Candidate: Equatable, BitwiseCopyable, Sendable {
    /// Its place in the live state.
    public var slot: UInt32
    /// Its share beside the others'; 0 counts as 1.
    public var weight: UInt32
    /// Equal for endpoints of one zone; 0: nobody says where it runs.
    public var zone: UInt32
    /// Of its address, the same in every worker and gateway: what consistent hashing ranks it by.
    public var key: UInt64

    public init(slot: UInt32, weight: UInt32 = 1, zone: UInt32 = 0, key: UInt64) {
        self.slot = slot
        self.weight = max(1, weight)
        self.zone = zone
        self.key = key
    }

    /// What an address is ranked by.
    public static func key(of address: SocketAddress) -> UInt64 {
        var key = HashMix.mix(address.ip.high ^ 0x9E37_79B9_7F4A_7C15)
        key = HashMix.mix(key ^ address.ip.low)
        return HashMix.mix(key ^ UInt64(address.port))
    }
}

/// Spreads the bits of a number over all of it (the last step of SplitMix64).
public enum HashMix {
    @inlinable public static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Of octets, such as a header's value. Not keyed: who sends requests may choose which endpoint it meets, no more.
    @inlinable public static func hash(_ view: ByteView) -> UInt64 { mix(RollingHash.of(view)) }

    /// One key of several parts, whose order counts.
    @inlinable public static func combine(_ hash: UInt64, _ next: UInt64) -> UInt64 {
        mix((hash << 1 | hash >> 63) ^ next)
    }
}

/// The endpoints that a request has been to, so that another attempt prefers others. The last ``limit`` are known.
public struct TriedEndpoints: BitwiseCopyable, Sendable {
    public static let limit = 4
    private var keys: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// - Parameter key: ``Candidate/key``.
    public mutating func add(_ key: UInt64) {
        guard !contains(key) else { return }
        keys = (key, keys.0, keys.1, keys.2)
        count = min(count + 1, Self.limit)
    }

    /// The latest alone.
    public var last: TriedEndpoints {
        var last = self
        last.count = min(1, count)
        return last
    }

    public func contains(_ key: UInt64) -> Bool {
        switch count {
        case 0: false
        case 1: keys.0 == key
        case 2: keys.0 == key || keys.1 == key
        case 3: keys.0 == key || keys.1 == key || keys.2 == key
        default: keys.0 == key || keys.1 == key || keys.2 == key || keys.3 == key
        }
    }
}
