import Config

/// The weights of a rule's backends at this moment: as written, unless a rollout moves two of them. What the canary and the
/// stable version have together stays what it was; the rollout shares it out between the two.
public struct RuleWeights: @unchecked Sendable {
    public static let whole: UInt64 = 1000

    @usableFromInline let backends: UnsafePointer<BackendConfig>
    public let count: Int
    /// Indices; -1: no rollout.
    @usableFromInline let canary: Int
    @usableFromInline let stable: Int
    /// The canary's, of what the two have together; thousandths.
    @usableFromInline let share: UInt64

    /// As written.
    @inlinable public init(_ backends: UnsafePointer<BackendConfig>, count: Int) {
        self.backends = backends
        self.count = count
        canary = -1
        stable = -1
        share = 0
    }

    /// - Parameter share: the canary's, in thousandths.
    public init(_ backends: UnsafePointer<BackendConfig>, count: Int, rollout: RolloutConfig, share: UInt32) {
        precondition(Int(rollout.canary) < count && Int(rollout.stable) < count, "a rollout of other backends")
        self.backends = backends
        self.count = count
        canary = Int(rollout.canary)
        stable = Int(rollout.stable)
        self.share = min(UInt64(share), Self.whole)
    }

    @inlinable public subscript(_ index: Int) -> UInt64 {
        let written = UInt64(backends[index].weight)
        if canary < 0 { return written }
        if index != canary, index != stable { return written * Self.whole }
        let both = UInt64(backends[canary].weight) + UInt64(backends[stable].weight)
        return both * (index == canary ? share : Self.whole - share)
    }

    @inlinable public var total: UInt64 {
        var sum: UInt64 = 0
        for i in 0..<count { sum += self[i] }
        return sum
    }
}
