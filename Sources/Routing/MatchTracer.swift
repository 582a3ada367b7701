import Config

/// The first predicate of a candidate that a request did not meet, in the order in which they are asked.
public enum FailedPredicate: Equatable, BitwiseCopyable, Sendable {
    case listenerHostname
    case routeHostname
    case path
    case method
    /// The name of the header, in the snapshot.
    case header(TextRef)
    case queryParam(TextRef)
    case cookie(TextRef)

    public static func == (a: Self, b: Self) -> Bool {
        switch (a, b) {
        case (.listenerHostname, .listenerHostname), (.routeHostname, .routeHostname), (.path, .path),
            (.method, .method):
            true
        case (.header(let a), .header(let b)), (.queryParam(let a), .queryParam(let b)),
            (.cookie(let a), .cookie(let b)):
            a.offset == b.offset
        case (.listenerHostname, _), (.routeHostname, _), (.path, _), (.method, _), (.header, _), (.queryParam, _),
            (.cookie, _):
            false
        }
    }
}

/// Watches the one matcher at work. Serving passes ``NoTrace``, which compiles to nothing; `explain` writes everything
/// down; so both are the same code.
protocol MatchTracer {
    /// False: go on after the first match, so that every candidate is seen. The decision is the first match either way.
    static var stopsAtFirstMatch: Bool { get }
    /// The matches under one of the listener's hostnames are tried next.
    mutating func entered(pathIndex: UInt32)
    /// A candidate whose path matched was asked for the rest.
    mutating func examined(_ candidate: UnsafePointer<MatchConfig>, failed: FailedPredicate?)
    /// Buckets of lookup tables, or expressions, were looked at.
    mutating func probed(_ count: Int)
}

struct NoTrace: MatchTracer {
    static var stopsAtFirstMatch: Bool { true }
    @inline(__always) mutating func entered(pathIndex: UInt32) {}
    @inline(__always) mutating func examined(_ candidate: UnsafePointer<MatchConfig>, failed: FailedPredicate?) {}
    @inline(__always) mutating func probed(_ count: Int) {}
}

/// How much work a decision was, in steps rather than in time.
public struct MatchEffort: Equatable, Sendable {
    /// Buckets of lookup tables, and expressions, looked at.
    public var probes = 0
    /// Candidates whose path matched.
    public var candidates = 0
    public var hosts = 0
}

struct EffortTracer: MatchTracer {
    static var stopsAtFirstMatch: Bool { true }
    var effort = MatchEffort()
    mutating func entered(pathIndex: UInt32) { effort.hosts += 1 }
    mutating func examined(_ candidate: UnsafePointer<MatchConfig>, failed: FailedPredicate?) { effort.candidates += 1 }
    mutating func probed(_ count: Int) { effort.probes += count }
}
