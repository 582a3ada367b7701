import Core

/// A token bucket of octets in one shared word: the moment up to which what has passed is paid for. It holds one second's
/// worth, as Envoy's does; what passed too much at once puts the moment into the future, and is waited for.
public struct BandwidthBucket {
    /// Octets a second past which a limit is none: products with nanoseconds stay within 63 bits.
    public static let fastest: UInt64 = 8_000_000_000
    static let burst = TimeAmount.seconds(1)
    /// At least so much passes at once, or what 20 ms give where that is less: not every octet has a timer of its own.
    static let leastOctets: UInt64 = 16 * 1024
    private static let second: UInt64 = 1_000_000_000

    private let word: SharedWord

    public init(_ place: UnsafeMutableRawPointer) { word = SharedWord(place) }

    public enum Allowance: Equatable, Sendable {
        case octets(Int)
        case wait(until: Instant)
    }

    private func start(_ paid: UInt64, _ now: Instant) -> UInt64 {
        max(paid, UInt64(max(0, now.nanoseconds - Self.burst.nanoseconds)))
    }

    /// What may pass at this moment.
    /// - Parameter rate: octets a second, from 1 to ``fastest``.
    public func allowance(rate: UInt64, now: Instant) -> Allowance {
        precondition(rate > 0 && rate <= Self.fastest, "no such rate")
        let start = start(word.value, now)
        let saved = UInt64(max(0, now.nanoseconds - Int64(clamping: start)))
        let octets = saved * rate / Self.second
        let least = max(1, min(Self.leastOctets, rate / 50))
        if octets >= least { return .octets(Int(octets)) }
        // Rounded up: a timer that fires a nanosecond early would be set again.
        let wait = (least * Self.second + rate - 1) / rate
        return .wait(until: Instant(nanoseconds: Int64(clamping: start &+ wait)))
    }

    /// Pays for octets that have passed.
    public func charge(_ octets: Int, rate: UInt64, now: Instant) {
        // In parts of a second's worth, so that no product overflows whatever was moved.
        var left = UInt64(max(0, octets))
        var price: UInt64 = left / rate * Self.second
        left %= rate
        price += left * Self.second / rate
        var known = word.value
        while true {
            let result = word.replace(known, by: start(known, now) &+ price)
            if result.isDone { return }
            known = result.was
        }
    }
}
