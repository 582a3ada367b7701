import Config

/// Smooth weighted round robin, as nginx has it: each entry earns its weight a turn, the richest is chosen and pays the sum
/// of all. Over time the shares are exact, and the picks of one entry are spread as evenly as they can be: no entry is ever
/// a whole turn away from its share. Entries of weight 0 are never chosen.
public enum SmoothWeights {
    /// - Parameters:
    ///   - backends: a rule's, with `current` the state of each, zero at first.
    ///   - totalWeight: the sum of their weights.
    /// - Returns: the chosen index; nil when every weight is 0.
    @inlinable public static func pick(
        _ backends: UnsafePointer<BackendConfig>, _ current: UnsafeMutablePointer<Int64>, count: Int,
        totalWeight: UInt64
    ) -> Int? {
        guard totalWeight > 0 else { return nil }
        var best: Int?
        for i in 0..<count where backends[i].weight > 0 {
            current[i] += Int64(backends[i].weight)
            if let known = best, current[known] >= current[i] { continue }
            best = i
        }
        if let best { current[best] -= Int64(totalWeight) }
        return best
    }
}
