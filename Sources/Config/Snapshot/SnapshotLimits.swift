/// How large a plan may be. Each is far beyond what the CRDs allow of one resource; passing one is an error that the
/// control side reports, never a trap.
public struct SnapshotLimits: Sendable {
    /// Offsets in the block are 32 bits wide.
    public static let largestBlock = Int(UInt32.max)
    /// Rules of a route, and matches of a rule, are numbered in 16 bits (the CRD: 16 and 64).
    public static let rulesPerRoute = Int(UInt16.max)
    public static let matchesPerRule = Int(UInt16.max)
    /// Segments of one prefix; the CRD allows paths of 1024 octets, so at most 1023 segments. A worker keeps one hash per
    /// segment in memory of this size.
    public static let prefixSegments = 1024
    /// Labels that a host's wildcard lookup looks at: a name of 253 octets has at most 127 (RFC 1035, section 2.3.4).
    public static let hostLabels = 128

    /// Octets of the whole block.
    public var octets = SnapshotLimits.largestBlock

    public init() {}
}

/// Why a plan cannot become a snapshot.
public enum SnapshotBuildError: Error, Equatable, CustomStringConvertible {
    case blockTooLarge(limit: Int)
    case tooManyRules(route: String, count: Int)
    case tooManyMatches(route: String, rule: Int, count: Int)
    case prefixTooDeep(route: String, rule: Int, segments: Int)
    /// Two clusters that are called in different ways would share connections, and who is believed on them.
    case sameName(cluster: String)

    public var description: String {
        switch self {
        case .blockTooLarge(let limit):
            "the compiled configuration is larger than \(limit) octets; fewer or shorter routes would fit"
        case .tooManyRules(let route, let count):
            "route '\(route)' has \(count) rules; at most \(SnapshotLimits.rulesPerRoute) are possible"
        case .tooManyMatches(let route, let rule, let count):
            "rule \(rule) of route '\(route)' has \(count) matches; at most \(SnapshotLimits.matchesPerRule) are possible"
        case .prefixTooDeep(let route, let rule, let segments):
            """
            a path prefix in rule \(rule) of route '\(route)' has \(segments) segments; at most \
            \(SnapshotLimits.prefixSegments) are possible
            """
        case .sameName(let cluster):
            "two ways of calling '\(cluster)' would share connections; write it in one way"
        }
    }
}
