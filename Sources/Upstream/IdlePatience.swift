import Core

/// How long an endpoint keeps connections on which nothing happens, learnt from those that it has closed.
///
/// A request that meets the end of its connection on the way cannot be told from one that was taken and not answered, so it is
/// repeated only if its method allows that (RFC 9110, section 9.2.2). For all others, connections are left alone when they
/// come near the age at which the endpoint closes them.
public struct IdlePatience: BitwiseCopyable, Sendable {
    /// The shortest time after which a connection was found closed; nil: none was.
    private var shortest: TimeAmount?
    /// A timer is hardly ever late by less.
    private static let leastMargin = TimeAmount.milliseconds(20)

    public init() {}

    /// The endpoint has closed a connection that had been idle for so long.
    public mutating func ended(after age: TimeAmount) {
        if let shortest, shortest <= age { return }
        shortest = age
    }

    /// Whether a connection that has been idle for so long may be closed as a request is on its way to it.
    ///
    /// One that is alive well after the time was learnt shows that it was learnt from something else, as the end of the
    /// endpoint's process; then it is forgotten.
    public mutating func isRunningOut(at age: TimeAmount) -> Bool {
        guard let shortest else { return false }
        let margin = max(TimeAmount(nanoseconds: shortest.nanoseconds / 10), Self.leastMargin)
        if age < shortest - margin { return false }
        guard age > shortest + margin + margin else { return true }
        self.shortest = nil
        return false
    }
}
