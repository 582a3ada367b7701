import Core
import Glibc

/// Which backend a key belongs to, by weight and without memory: weighted rendezvous hashing. Each backend draws from the
/// key and its own name a waiting time with its weight as rate, and the first to come serves the key.
///
/// A backend's time depends on nothing but the key, its name and its weight. So:
/// - shares are the weights, over many keys;
/// - a key leaves its backend only when another one's weight has grown more, in proportion, than its own has: raising a
///   canary from 5 to 20 to 50 moves keys towards it and no key away from it;
/// - of the others nobody moves among each other, and the order in which backends are listed means nothing.
///
/// Intervals on a line, the usual way, hold only the second, and only for one canary whose place never changes.
public enum KeyedSplit {
    /// - Parameters:
    ///   - key: a hash of what is the same in all requests of one client.
    ///   - identity, weight: of the backend with this index. Identities differ, or the earlier backend wins.
    /// - Returns: the index; nil when every weight is 0.
    @inlinable public static func pick(
        key: UInt64, count: Int, identity: (Int) -> UInt64, weight: (Int) -> UInt64
    ) -> Int? {
        var best: Int?
        var bestTime = Double.infinity
        for i in 0..<count {
            let weight = weight(i)
            if weight == 0 { continue }
            let time = waitingTime(key, identity(i)) / Double(weight)
            if time < bestTime || best == nil {
                best = i
                bestTime = time
            }
        }
        return best
    }

    /// Of rate 1: exponentially distributed over the keys, and independent from one identity to the next.
    @usableFromInline static func waitingTime(_ key: UInt64, _ identity: UInt64) -> Double {
        var random = SeededRandom(seed: key ^ SeededRandom.mixed(identity))
        // In (0, 1], in steps of 2⁻⁵³: the logarithm is finite, and never above 0.
        let unit = Double((random.next() >> 11) + 1) * 0x1p-53
        return -log(unit)
    }
}

extension SeededRandom {
    /// The first number of the sequence of this seed.
    fileprivate static func mixed(_ seed: UInt64) -> UInt64 {
        var random = SeededRandom(seed: seed)
        return random.next()
    }
}
