import Core

/// Whether a worker's time is short: a turn of its loop has taken longer than ``longestTurn``, or has left work over. It stays
/// short for ``holdsFor`` after the last such turn, so that it does not flap.
public struct Shortage: BitwiseCopyable, Sendable {
    /// A turn that takes longer makes others wait noticeably.
    public static let longestTurn = TimeAmount.milliseconds(2)
    public static let holdsFor = TimeAmount.milliseconds(100)

    private var until = Instant(nanoseconds: 0)
    /// Work is done in the order of flows.
    public private(set) var isOn = false

    public init() {}

    /// A turn has ended.
    /// - Parameters:
    ///   - began: when.
    ///   - ended: when.
    ///   - leftOver: something waits for the next turn.
    public mutating func turnEnded(began: Instant, ended: Instant, leftOver: Bool) {
        if leftOver || ended - began > Self.longestTurn {
            until = ended + Self.holdsFor
            isOn = true
        } else if isOn, ended >= until {
            isOn = false
        }
    }

    /// Something besides time is short.
    public mutating func begin(now: Instant) {
        until = now + Self.holdsFor
        isOn = true
    }
}
