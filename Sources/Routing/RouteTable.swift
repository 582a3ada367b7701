import Config
import Core
import HTTP

/// The routes of one snapshot as a worker runs them.
///
/// Making one costs the same whatever the number of routes: nothing is copied out of the snapshot, expressions are compiled
/// when a request first meets them. A decision allocates nothing; its cost grows with the path's length, the depths at
/// which prefixes exist, and the candidates whose path matches, not with the routes. Used by one thread.
public final class RouteTable {
    public let snapshot: Snapshot
    let header: UnsafePointer<SnapshotHeader>
    let cache: PatternCache
    /// By pattern number; nil until first used. Holds a reference.
    private let patterns: UnsafeMutablePointer<Unmanaged<PCRE2Pattern>?>
    /// The same expressions where they are searched for; by pattern number, nil until first used.
    private let searches: UnsafeMutablePointer<Unmanaged<PCRE2Pattern>?>
    private let patternCount: Int
    // Memory for the keys of the request at hand.
    let hostSuffixes: UnsafeMutablePointer<HostKey.Suffix>
    let pathPrefixes: UnsafeMutablePointer<PathKey.Prefix>
    /// For the rare field that came in several lines, and for the decoded parameter that meets an expression; it keeps its
    /// memory.
    var scratch = ByteBuffer()

    /// - Parameters:
    ///   - snapshot: stays mapped as long as the table and its decisions are used; the caller's duty.
    ///   - cache: the worker's, shared by its successive tables.
    public init(snapshot: Snapshot, cache: PatternCache) {
        self.snapshot = snapshot
        self.cache = cache
        header = snapshot.header
        patternCount = Int(snapshot.header.pointee.patterns.count)
        patterns = .allocate(capacity: max(1, patternCount))
        patterns.initialize(repeating: nil, count: patternCount)
        searches = .allocate(capacity: max(1, patternCount))
        searches.initialize(repeating: nil, count: patternCount)
        hostSuffixes = .allocate(capacity: SnapshotLimits.hostLabels)
        pathPrefixes = .allocate(capacity: Int(snapshot.header.pointee.longestPrefix) + 1)
    }

    deinit {
        for i in 0..<patternCount {
            patterns[i]?.release()
            searches[i]?.release()
        }
        patterns.deallocate()
        searches.deallocate()
        hostSuffixes.deallocate()
        pathPrefixes.deallocate()
    }

    /// Which rule serves this request (Gateway API: listener isolation, HTTPRouteSpec.hostnames, HTTPRouteRule.matches).
    /// - Parameters:
    ///   - socket: index into ``SnapshotHeader/sockets``.
    ///   - head: the request; `bytes` the octets it was parsed from.
    ///   - host: without port, of any case; empty when there is none. A trailing dot is ignored.
    ///   - path: normalised, without query; empty for `*` and for CONNECT, which only the prefix `/` matches.
    public func decide(
        socket: UInt32, head: borrowing RequestHead, bytes: ByteView, host: ByteView, path: ByteView
    ) -> RouteDecision {
        var tracer = NoTrace()
        return search(socket: socket, head: head, bytes: bytes, host: host, path: path, tracer: &tracer)
    }

    /// Which rule serves a request to a port of a group's member (``MemberPortConfig/pathIndex``). Hosts play no part:
    /// HTTPRouteSpec.hostnames does not count for routes of Services.
    /// - Parameters:
    ///   - memberPathIndex: index into ``SnapshotHeader/memberPathIndexes``.
    ///   - listener: that which took the request, for the decision.
    public func decide(
        memberPathIndex: UInt32, listener: UInt32, head: borrowing RequestHead, bytes: ByteView, path: ByteView
    ) -> RouteDecision {
        var tracer = NoTrace()
        return search(
            snapshot[header.pointee.memberPathIndexes, Int(memberPathIndex)], listener: listener, head: head,
            bytes: bytes, path: path, tracer: &tracer)
    }

    /// What the same decision costs, for tests and for `explain`.
    public func effort(
        socket: UInt32, head: borrowing RequestHead, bytes: ByteView, host: ByteView, path: ByteView
    ) -> MatchEffort {
        var tracer = EffortTracer()
        _ = search(socket: socket, head: head, bytes: bytes, host: host, path: path, tracer: &tracer)
        return tracer.effort
    }

    public func pattern(_ number: UInt32) -> PCRE2Pattern { pattern(number, .whole, patterns) }

    /// The same expression, to be searched for.
    public func search(_ number: UInt32) -> PCRE2Pattern { pattern(number, .anywhere, searches) }

    private func pattern(
        _ number: UInt32, _ scope: PCRE2Pattern.Scope, _ known: UnsafeMutablePointer<Unmanaged<PCRE2Pattern>?>
    ) -> PCRE2Pattern {
        precondition(Int(number) < patternCount, "no such pattern")
        if let pattern = known[Int(number)] { return pattern.takeUnretainedValue() }
        let compiled = cache.pattern(snapshot.text(snapshot[header.pointee.patterns, Int(number)].pointee), scope)
        known[Int(number)] = Unmanaged.passRetained(compiled)
        return compiled
    }
}
