import Config
import Core
import HTTP

/// Why a request goes where it goes: the decision with every match that could have been considered, in order of precedence.
public struct RouteExplanation {
    /// One match under one hostname of one listener.
    public struct Candidate {
        public enum Verdict: Equatable, Sendable {
            case won
            /// It would serve the request were it not for the winner.
            case outranked
            /// The first predicate that the request does not meet.
            case lost(FailedPredicate)
        }
        public let listener: UInt32
        /// The hostname it stands under, `*.example.com`; empty: every host.
        public let hostname: String
        public let match: UnsafePointer<MatchConfig>
        public let verdict: Verdict
    }

    public let decision: RouteDecision
    /// In order of precedence, the chosen listener's first: those before the winner lost, those after it lost or were
    /// outranked.
    public let candidates: [Candidate]
    /// Candidates beyond the caller's limit: those that stand before the winner, all when there is none.
    public let omittedBefore: Int
    /// Those that stand after it.
    public let omittedAfter: Int

    /// A failed predicate in the words of a manifest: `header 'x-version'`.
    public static func describe(_ predicate: FailedPredicate, in snapshot: Snapshot) -> String {
        switch predicate {
        case .listenerHostname: "listener hostname"
        case .routeHostname: "route hostname"
        case .path: "path"
        case .method: "method"
        case .header(let name): "header '\(snapshot.text(name).string)'"
        case .queryParam(let name): "query parameter '\(snapshot.text(name).string)'"
        case .cookie(let name): "cookie '\(snapshot.text(name).string)'"
        }
    }
}

extension RouteTable {
    /// The decision that ``decide(socket:head:bytes:host:path:)`` takes, by the same code, with the reasons. Allocates, and
    /// costs as much as the socket has matches: for the control side.
    /// - Parameter limit: candidates to list at most on either side of the winner, which is always among them: those that
    ///   came nearest to serving the request. Without a winner all stand before it.
    public func explain(
        socket: UInt32, head: borrowing RequestHead, bytes: ByteView, host: ByteView, path: ByteView,
        limit: Int = .max
    ) -> RouteExplanation {
        var tracer = RecordingTracer()
        let decision = search(socket: socket, head: head, bytes: bytes, host: host, path: path, tracer: &tracer)

        var before: [RouteExplanation.Candidate] = []
        var winner: RouteExplanation.Candidate?
        var after: [RouteExplanation.Candidate] = []
        let listeners = hostnames(of: snapshot[header.pointee.sockets, Int(socket)].pointee.hosts)
        let chosen = decision.outcome == .noListener ? nil : decision.listener
        let others = listeners.map(\.value).filter { $0 != chosen }
        for listener in (chosen.map { [$0] } ?? []) + others {
            for hostname in hostnames(of: snapshot[header.pointee.listeners, Int(listener)].pointee.hosts) {
                for match in matches(listener: listener, pathIndex: hostname.value) {
                    let verdict: RouteExplanation.Candidate.Verdict
                    if listener != chosen {
                        verdict = .lost(.listenerHostname)
                    } else {
                        verdict = tracer.verdict(on: match, under: hostname.value, decision)
                    }
                    let candidate = RouteExplanation.Candidate(
                        listener: listener, hostname: hostname.name, match: match, verdict: verdict)
                    if verdict == .won {
                        winner = candidate
                    } else if winner == nil {
                        before.append(candidate)
                    } else {
                        after.append(candidate)
                    }
                }
            }
        }
        let (nearBefore, nearAfter) = (nearest(limit, of: before, path), nearest(limit, of: after, path))
        return RouteExplanation(
            decision: decision, candidates: nearBefore + (winner.map { [$0] } ?? []) + nearAfter,
            omittedBefore: before.count - nearBefore.count, omittedAfter: after.count - nearAfter.count)
    }

    /// The same for a request to a member of a group: the decision that
    /// ``decide(memberPathIndex:listener:head:bytes:path:)`` takes.
    public func explain(
        memberPathIndex: UInt32, listener: UInt32, head: borrowing RequestHead, bytes: ByteView, path: ByteView,
        limit: Int = .max
    ) -> RouteExplanation {
        let paths = snapshot[header.pointee.memberPathIndexes, Int(memberPathIndex)]
        var tracer = RecordingTracer()
        tracer.entered(pathIndex: memberPathIndex)
        let decision = search(paths, listener: listener, head: head, bytes: bytes, path: path, tracer: &tracer)
        var sides: (before: [RouteExplanation.Candidate], after: [RouteExplanation.Candidate]) = ([], [])
        var winner: [RouteExplanation.Candidate] = []
        for match in matches(of: paths.pointee) {
            let candidate = RouteExplanation.Candidate(
                listener: listener, hostname: "", match: match,
                verdict: tracer.verdict(on: match, under: memberPathIndex, decision))
            if candidate.verdict == .won {
                winner = [candidate]
            } else if winner.isEmpty {
                sides.before.append(candidate)
            } else {
                sides.after.append(candidate)
            }
        }
        let (before, after) = (nearest(limit, of: sides.before, path), nearest(limit, of: sides.after, path))
        return RouteExplanation(
            decision: decision, candidates: before + winner + after, omittedBefore: sides.before.count - before.count,
            omittedAfter: sides.after.count - after.count)
    }

    /// The candidates that met the most before they lost, in the order in which they stand. Of those that lost by their
    /// path: the ones that share the most octets with it from its beginning.
    private func nearest(
        _ limit: Int, of candidates: [RouteExplanation.Candidate], _ path: ByteView
    ) -> [RouteExplanation.Candidate] {
        guard candidates.count > limit else { return candidates }
        let ranked = candidates.indices
            .map { (index: $0, met: met(candidates[$0].verdict), shared: shared(candidates[$0].match.pointee, path)) }
            .sorted { a, b in
                if a.met != b.met { return a.met > b.met }
                return a.shared != b.shared ? a.shared > b.shared : a.index < b.index
            }
        return ranked.prefix(limit).map(\.index).sorted().map { candidates[$0] }
    }

    /// How many kinds of predicate a request met, in the order in which they are asked.
    private func met(_ verdict: RouteExplanation.Candidate.Verdict) -> Int {
        switch verdict {
        case .won, .outranked: 7
        case .lost(.cookie): 6
        case .lost(.queryParam): 5
        case .lost(.header): 4
        case .lost(.method): 3
        case .lost(.path): 2
        case .lost(.routeHostname): 1
        case .lost(.listenerHostname): 0
        }
    }

    /// Octets that the match's path has in common with the request's; 0 for an expression.
    private func shared(_ match: MatchConfig, _ path: ByteView) -> Int {
        guard match.pathKind == .exact || match.pathKind == .prefix else { return 0 }
        let wanted = snapshot.text(match.path)
        var count = 0
        while count < min(wanted.count, path.count), wanted[count] == path[count] { count += 1 }
        return count
    }

    /// The names of an index, the most specific first: names by length, then wildcards by length, then every host.
    private func hostnames(of index: HostIndex) -> [(name: String, value: UInt32)] {
        var names: [(name: String, value: UInt32)] = []
        for i in 0..<Int(index.buckets.count) {
            let bucket = snapshot[index.buckets, i].pointee
            guard !bucket.name.isEmpty else { continue }
            let name = snapshot.text(bucket.name).string
            names.append((name.hasPrefix(".") ? "*" + name : name, bucket.value))
        }
        names.sort { a, b in
            let (wildA, wildB) = (a.name.hasPrefix("*"), b.name.hasPrefix("*"))
            if wildA != wildB { return wildB }
            let (lengthA, lengthB) = (a.name.utf8.count, b.name.utf8.count)
            return lengthA != lengthB ? lengthA > lengthB : a.name < b.name
        }
        if index.anyHost != HostIndex.none { names.append(("", index.anyHost)) }
        return names
    }

    /// All matches under one hostname, in order of precedence.
    private func matches(listener: UInt32, pathIndex: UInt32) -> [UnsafePointer<MatchConfig>] {
        matches(
            of: snapshot[snapshot[header.pointee.listeners, Int(listener)].pointee.pathIndexes, Int(pathIndex)].pointee)
    }

    private func matches(of paths: PathIndex) -> [UnsafePointer<MatchConfig>] {
        var found: [UnsafePointer<MatchConfig>] = []
        func add(_ candidates: Table<MatchConfig>) {
            for i in 0..<Int(candidates.count) { found.append(snapshot[candidates, i]) }
        }
        for i in 0..<Int(paths.exact.count) { add(snapshot[paths.exact, i].pointee.candidates) }
        for i in 0..<Int(paths.regularExpressions.count) {
            add(snapshot[paths.regularExpressions, i].pointee.candidates)
        }
        for i in 0..<Int(paths.lateExpressions.count) {
            add(snapshot[paths.lateExpressions, i].pointee.candidates)
        }
        for i in 0..<Int(paths.prefixes.count) { add(snapshot[paths.prefixes, i].pointee.candidates) }
        return found.map { ($0, MatchRank($0.pointee)) }
            .sorted { a, b in
                if a.1 != b.1 { return a.1 > b.1 }
                // Rules are numbered in the order of routes.
                return (a.0.pointee.rule, a.0.pointee.match) < (b.0.pointee.rule, b.0.pointee.match)
            }
            .map(\.0)
    }
}

/// Writes down which hostnames and candidates the matcher looked at.
private struct RecordingTracer: MatchTracer {
    static var stopsAtFirstMatch: Bool { false }

    private struct Place: Hashable {
        var pathIndex: UInt32
        var match: UnsafePointer<MatchConfig>
    }
    private var pathIndexes: [UInt32] = []
    private var examined: [Place: FailedPredicate?] = [:]
    private var firstMatch: Place?

    mutating func entered(pathIndex: UInt32) { pathIndexes.append(pathIndex) }

    mutating func examined(_ candidate: UnsafePointer<MatchConfig>, failed: FailedPredicate?) {
        guard let pathIndex = pathIndexes.last else { preconditionFailure("a candidate without its hostname") }
        let place = Place(pathIndex: pathIndex, match: candidate)
        examined.updateValue(failed, forKey: place)
        if failed == nil, firstMatch == nil { firstMatch = place }
    }

    mutating func probed(_ count: Int) {}

    func verdict(
        on match: UnsafePointer<MatchConfig>, under pathIndex: UInt32, _ decision: RouteDecision
    ) -> RouteExplanation.Candidate.Verdict {
        guard pathIndexes.contains(pathIndex) else { return .lost(.routeHostname) }
        let place = Place(pathIndex: pathIndex, match: match)
        // The lookup tables never led here: the path is another.
        guard let outcome = examined[place] else { return .lost(.path) }
        if let failed = outcome { return .lost(failed) }
        return place == firstMatch && match == decision.match ? .won : .outranked
    }
}
