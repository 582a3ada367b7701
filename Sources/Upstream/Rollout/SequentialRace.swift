import Glibc

/// A sequential test of whether a canary has more bad events a request than the stable version beside it. It may be looked
/// at after every event, as often as one likes, and stopped at any moment: the chance that it ever accuses a canary that is
/// not worse stays below the error bound it is held against (a likelihood ratio is a test martingale; Ville's inequality).
///
/// Bad events of both sides are taken as a race: if the canary serves the share `w` of the requests and its bad events are
/// `r` times as frequent, the next bad event is the canary's with probability `r w / (r w + 1 - w)`. How frequent they are
/// does not enter. So a fault that both sides have (a database that is down) speaks for neither; nothing is known
/// beforehand of the usual rate; and one bad event in little traffic proves little.
///
/// The alternatives "r times as frequent" are mixed in equal parts, because nobody knows by how much a bad canary is bad
/// (Robbins' mixture of sequential probability ratio tests).
public struct SequentialRace: Equatable, BitwiseCopyable, Sendable {
    /// Two, four, ten and thirty times as many.
    private static let alternatives = SIMD4<Double>(2, 4, 10, 30)

    /// The logarithm of each alternative's likelihood ratio against "not worse".
    public private(set) var evidence = SIMD4<Double>(repeating: 0)

    public init() {}

    /// As it was kept.
    public init(evidence: SIMD4<Double>) { self.evidence = evidence }

    /// What one look at the counters brought.
    /// - Parameters:
    ///   - canary, stable: requests that ended.
    ///   - canaryBad, stableBad: of those, the bad ones.
    public mutating func add(canary: UInt64, canaryBad: UInt64, stable: UInt64, stableBad: UInt64) {
        // With one side only there is no race.
        guard canary > 0, stable > 0, canaryBad + stableBad > 0 else { return }
        let share = Double(canary) / Double(canary + stable)
        for i in 0..<4 {
            let ratio = Self.alternatives[i]
            let wins = ratio * share / (ratio * share + 1 - share)
            // wins / share, and its complement's.
            evidence[i] +=
                Double(canaryBad) * log(wins / share) + Double(stableBad) * log((1 - wins) / (1 - share))
        }
    }

    /// The logarithm of the odds that the data give to "worse" against "not worse".
    public var logOdds: Double {
        let greatest = evidence.max()
        var sum = 0.0
        for i in 0..<4 { sum += exp(evidence[i] - greatest) }
        return greatest + log(sum / 4)
    }

    /// Worse, but for an error of at most `bound` (0 to 1) over all looks.
    public func isWorse(errorBound bound: Double) -> Bool { logOdds >= -log(bound) }
}
