import Core

/// A ``TimeLimit`` in the block.
public struct TimeLimitConfig: BitwiseCopyable, Sendable {
    /// Zero: switched off; negative: nobody wrote one.
    public var amount: TimeAmount
    public var origin: TextRef

    @inlinable public init(amount: TimeAmount, origin: TextRef) {
        self.amount = amount
        self.origin = origin
    }

    @inlinable public static var none: TimeLimitConfig {
        TimeLimitConfig(amount: TimeAmount(nanoseconds: -1), origin: TextRef())
    }

    @inlinable public var isWritten: Bool { amount >= .zero }
}

extension SnapshotWriter {
    mutating func write(_ limit: TimeLimit?) -> TimeLimitConfig {
        guard let limit else { return .none }
        return TimeLimitConfig(amount: limit.amount, origin: text(limit.origin))
    }
}
