import Config

/// Where a request goes. The pointer lives as long as the snapshot is mapped.
public struct RouteDecision: BitwiseCopyable, Sendable {
    public enum Outcome: UInt8, BitwiseCopyable, Sendable {
        /// No listener of the socket has the host: 404, or 421 on TLS.
        case noListener
        /// The listener has no rule for the request: 404.
        case noRoute
        case rule
    }

    public var outcome: Outcome
    /// Index into ``SnapshotHeader/listeners``; meaningful unless `noListener`.
    public var listener: UInt32
    /// Index into ``SnapshotHeader/rules``; meaningful for `rule`.
    public var rule: UInt32
    /// Octets of the path that a prefix matched, without its trailing slash, so 0 for `/`; for ReplacePrefixMatch. 0 for
    /// other kinds of path.
    public var matchedPrefixLength: UInt32
    /// The match that won; nil unless `rule`.
    nonisolated(unsafe) public var match: UnsafePointer<MatchConfig>?

    /// Before there is one.
    public static let undecided = RouteDecision.none(.noRoute)

    static func none(_ outcome: Outcome, listener: UInt32 = 0) -> RouteDecision {
        RouteDecision(outcome: outcome, listener: listener, rule: 0, matchedPrefixLength: 0, match: nil)
    }
}
