import Core

/// A timeout as a policy may set it: not at all, switched off by a zero, or to a length of time.
public struct TimeoutPlan: Equatable, BitwiseCopyable, Sendable {
    /// Below zero: not set; zero: off.
    private var amount = TimeAmount(nanoseconds: -1)
    /// Where it was written, for whoever is told that it fired.
    public private(set) var position = SourcePosition()

    /// Not set.
    public init() {}

    public init(_ amount: TimeAmount, _ position: SourcePosition = SourcePosition()) {
        precondition(amount >= .zero, "a timeout before its beginning")
        self.amount = amount
        self.position = position
    }

    @inlinable public var isSet: Bool { value >= .zero }
    public var value: TimeAmount { amount }

    /// The policy's, or else what holds without one; a timeout that is switched off lasts for ever.
    public func over(_ standard: TimeAmount) -> TimeAmount {
        amount < .zero ? standard : amount == .zero ? .forever : amount
    }
}
