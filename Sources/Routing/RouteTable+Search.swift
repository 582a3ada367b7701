import Config
import Core
import HTTP

extension RouteTable {
    /// The one matcher. Generic over who watches, and specialised for each, so that serving pays nothing for `explain`.
    @inline(__always)
    func search<Tracer: MatchTracer>(
        socket: UInt32, head: borrowing RequestHead, bytes: ByteView, host: ByteView, path: ByteView,
        tracer: inout Tracer
    ) -> RouteDecision {
        var hostKey = HostKey(host, suffixes: hostSuffixes)

        // Listener isolation: the listener with the most specific hostname serves the request alone.
        var listeners = HostMatches(snapshot[header.pointee.sockets, Int(socket)].pointee.hosts)
        let listenerIndex = listeners.next(&hostKey, in: snapshot)
        tracer.probed(listeners.probes)
        guard listenerIndex != HostIndex.none else { return .none(.noListener) }
        let listener = snapshot[header.pointee.listeners, Int(listenerIndex)]
        var decision = RouteDecision.none(.noRoute, listener: listenerIndex)

        let pathKey = PathKey(path, longest: Int(header.pointee.longestPrefix), prefixes: pathPrefixes)
        // HTTPRouteSpec.hostnames speaks of precedence only: where no rule under the most specific name matches, the
        // rules under the next one are asked.
        var hosts = HostMatches(listener.pointee.hosts)
        while true {
            let index = hosts.next(&hostKey, in: snapshot)
            guard index != HostIndex.none else { break }
            tracer.entered(pathIndex: index)
            let paths = snapshot[listener.pointee.pathIndexes, Int(index)]
            if scan(paths, head, bytes, path, pathKey, &decision, &tracer) { break }
        }
        tracer.probed(hosts.probes)
        return decision
    }

    /// The same below one path index, whatever the host.
    @inline(__always)
    func search<Tracer: MatchTracer>(
        _ paths: UnsafePointer<PathIndex>, listener: UInt32, head: borrowing RequestHead, bytes: ByteView,
        path: ByteView, tracer: inout Tracer
    ) -> RouteDecision {
        var decision = RouteDecision.none(.noRoute, listener: listener)
        let key = PathKey(path, longest: Int(header.pointee.longestPrefix), prefixes: pathPrefixes)
        _ = scan(paths, head, bytes, path, key, &decision, &tracer)
        return decision
    }

    /// The matches under one hostname: exact path, expressions, prefixes from the longest.
    /// - Returns: true when the search is over.
    @inline(__always)
    private func scan<Tracer: MatchTracer>(
        _ paths: UnsafePointer<PathIndex>, _ head: borrowing RequestHead, _ bytes: ByteView, _ path: ByteView,
        _ key: PathKey, _ decision: inout RouteDecision, _ tracer: inout Tracer
    ) -> Bool {
        var probes = 0
        defer { tracer.probed(probes) }
        if let bucket = snapshot.find(path, hash: key.hash, in: paths.pointee.exact, probes: &probes),
            scan(bucket.pointee.candidates, head, bytes, 0, &decision, &tracer)
        {
            return true
        }
        if !paths.pointee.regularExpressions.isEmpty,
            scan(expressions: paths.pointee.regularExpressions, head, bytes, path, &probes, &decision, &tracer)
        {
            return true
        }
        guard !paths.pointee.prefixes.isEmpty || !paths.pointee.lateExpressions.isEmpty else { return false }
        var depth = min(key.depth, Int(paths.pointee.longestPrefix))
        while depth >= 0 {
            if depth == 0, !paths.pointee.lateExpressions.isEmpty,
                scan(expressions: paths.pointee.lateExpressions, head, bytes, path, &probes, &decision, &tracer)
            {
                return true
            }
            if paths.pointee.prefixDepths & DepthMask.bit(depth) != 0 {
                let prefix = pathPrefixes[depth]
                if let bucket = snapshot.find(
                    path.upTo(Int(prefix.length)), hash: prefix.hash, in: paths.pointee.prefixes, probes: &probes),
                    scan(bucket.pointee.candidates, head, bytes, prefix.length, &decision, &tracer)
                {
                    return true
                }
            }
            depth -= 1
        }
        return false
    }

    /// Expressions in order of rank, and the candidates of each that matches.
    /// - Returns: true when the search is over.
    @inline(__always)
    private func scan<Tracer: MatchTracer>(
        expressions: Table<RegexCandidates>, _ head: borrowing RequestHead, _ bytes: ByteView, _ path: ByteView,
        _ probes: inout Int, _ decision: inout RouteDecision, _ tracer: inout Tracer
    ) -> Bool {
        let runs = snapshot.records(expressions)
        for i in 0..<Int(expressions.count) {
            let run = runs + i
            guard path.hasPrefix(snapshot.text(run.pointee.literalPrefix)) else { continue }
            probes += 1
            if pattern(run.pointee.pattern).matches(path),
                scan(run.pointee.candidates, head, bytes, 0, &decision, &tracer)
            {
                return true
            }
        }
        return false
    }

    /// Candidates whose path matched, in order of rank: the first whose other predicates hold wins.
    @inline(__always)
    private func scan<Tracer: MatchTracer>(
        _ candidates: Table<MatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView, _ prefixLength: UInt32,
        _ decision: inout RouteDecision, _ tracer: inout Tracer
    ) -> Bool {
        let first = snapshot.records(candidates)
        for i in 0..<Int(candidates.count) {
            let candidate = first + i
            let failure = firstFailure(of: candidate, head, bytes)
            tracer.examined(candidate, failed: failure)
            if failure == nil, decision.match == nil {
                decision.outcome = .rule
                decision.rule = candidate.pointee.rule
                decision.match = candidate
                decision.matchedPrefixLength = prefixLength
                if Tracer.stopsAtFirstMatch { return true }
            }
        }
        return false
    }
}
