import Config
import Core
import Glibc

/// Requests and successes of a window of time, in shared words of a part of the window each.
///
///     bits 0–23 successes · 24–47 requests · 48–63 number of the part, modulo 2¹⁶
///
/// Counts stop at 2²⁴ − 1 a part: sixteen million requests in a thirty-second of the window.
public struct SuccessWindow {
    static let words = 32
    private static let most: UInt64 = 0xFF_FFFF

    private let place: UnsafeMutableRawPointer

    init(_ place: UnsafeMutableRawPointer) { self.place = place }

    private func part(_ window: TimeAmount, _ now: Instant) -> UInt64 {
        UInt64(max(0, now.nanoseconds)) / max(1, UInt64(window.nanoseconds) / UInt64(Self.words))
    }

    private static func isWithin(_ word: UInt64, _ part: UInt64) -> Bool {
        word != 0 && (part &- word >> 48) & 0xFFFF < UInt64(words)
    }

    public func record(isSuccess: Bool, window: TimeAmount, now: Instant) {
        let part = part(window, now)
        let word = SharedWord(place + Int(part % UInt64(Self.words)) * 8)
        var known = word.value
        while true {
            var next = known
            // A worker whose clock lags by a part counts in what is there.
            if next >> 48 != part & 0xFFFF || next == 0 { next = (part & 0xFFFF) << 48 }
            if next >> 24 & Self.most == Self.most { return }
            next += 1 << 24
            if isSuccess { next += 1 }
            let result = word.replace(known, by: next)
            if result.isDone { return }
            known = result.was
        }
    }

    public func counts(window: TimeAmount, now: Instant) -> (requests: UInt64, successes: UInt64) {
        let part = part(window, now)
        var requests: UInt64 = 0
        var successes: UInt64 = 0
        for index in 0..<Self.words {
            let word = SharedWord(place + index * 8).value
            guard Self.isWithin(word, part) else { continue }
            requests += word >> 24 & Self.most
            successes += word & Self.most
        }
        return (requests, successes)
    }
}

extension AdmissionControlPlan {
    /// How many of 10,000 requests are refused, after what became of the last ones (Envoy, admission control filter):
    ///
    ///     ((requests − successes ⁄ minSuccessRate) ⁄ (requests + 1)) ^ (1 ⁄ rejectionAggression)
    public func rejections(requests: UInt64, successes: UInt64) -> UInt32 {
        let seconds = Double(max(1, samplingWindow.nanoseconds / 1_000_000_000))
        if Double(requests) / seconds < Double(minRequestRate) { return 0 }
        let needed = Double(successes) * 100 / Double(max(1, minSuccessRate))
        var probability = (Double(requests) - needed) / (Double(requests) + 1)
        if probability <= 0 { return 0 }
        if rejectionAggression > 1 { probability = pow(probability, 1 / Double(rejectionAggression)) }
        return UInt32(min(probability, Double(maxRejectionPercent) / 100) * 10_000)
    }
}
