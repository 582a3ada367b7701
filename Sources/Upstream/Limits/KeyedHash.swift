import Core

/// SipHash-1-3 (Aumasson, Bernstein 2012): under a secret key nobody can choose values that fall together.
public struct KeyedHash: BitwiseCopyable, Sendable {
    private let k0: UInt64
    private let k1: UInt64

    public init(_ k0: UInt64, _ k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// Of a number and some octets behind it.
    public func callAsFunction(_ number: UInt64, _ octets: ByteView) -> UInt64 {
        var state = State(k0, k1)
        state.add(number)
        var at = 0
        while at + 8 <= octets.count {
            state.add(octets.word(at: at))
            at += 8
        }
        var tail = UInt64(truncatingIfNeeded: octets.count + 8) << 56
        var shift: UInt64 = 0
        while at < octets.count {
            tail |= UInt64(octets[at]) << shift
            shift += 8
            at += 1
        }
        state.add(tail)
        return state.finish()
    }

    private struct State {
        var a: UInt64
        var b: UInt64
        var c: UInt64
        var d: UInt64

        init(_ k0: UInt64, _ k1: UInt64) {
            a = k0 ^ 0x736F_6D65_7073_6575
            b = k1 ^ 0x646F_7261_6E64_6F6D
            c = k0 ^ 0x6C79_6765_6E65_7261
            d = k1 ^ 0x7465_6462_7974_6573
        }

        mutating func add(_ word: UInt64) {
            d ^= word
            round()
            a ^= word
        }

        mutating func finish() -> UInt64 {
            c ^= 0xFF
            round()
            round()
            round()
            return a ^ b ^ c ^ d
        }

        private mutating func round() {
            a &+= b
            b = b << 13 | b >> 51
            b ^= a
            a = a << 32 | a >> 32
            c &+= d
            d = d << 16 | d >> 48
            d ^= c
            a &+= d
            d = d << 21 | d >> 43
            d ^= a
            c &+= b
            b = b << 17 | b >> 47
            b ^= c
            c = c << 32 | c >> 32
        }
    }
}
