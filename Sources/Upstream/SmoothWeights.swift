import Config

/// Smooth weighted round robin, as nginx has it: each entry earns its weight a turn, the richest is chosen and pays the sum
/// of all. Over time the shares are exact, and the picks of one entry are spread as evenly as they can be: no entry is ever
/// a whole turn away from its share. Entries of weight 0 are never chosen.
public enum SmoothWeights {
    /// - Parameters:
    ///   - weights: those of a rule's backends at this moment. They may be others than at the last choice.
    ///   - current: the state of each, zero at first.
    /// - Returns: the chosen index; nil when every weight is 0.
    @inlinable public static func pick(_ weights: RuleWeights, _ current: UnsafeMutablePointer<Int64>) -> Int? {
        var best: Int?
        var total: Int64 = 0
        for i in 0..<weights.count {
            let weight = Int64(clamping: weights[i])
            if weight == 0 { continue }
            total += weight
            current[i] += weight
            if let known = best, current[known] >= current[i] { continue }
            best = i
        }
        if let best { current[best] -= total }
        return best
    }
}
