import Core

/// A second attempt while the first is slow: `sluice.dev/hedge` on a BackendTrafficPolicy.
public struct HedgePlan: Equatable, Sendable {
    /// Without a response's head for so long, another endpoint is asked too.
    public var delay: TimeAmount

    public init(delay: TimeAmount) { self.delay = delay }
}
