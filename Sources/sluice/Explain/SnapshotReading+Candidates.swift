import Config
import Core
import Routing

/// Matches in words.
extension SnapshotReading {
    func candidate(_ candidate: RouteExplanation.Candidate) -> Explanation.Candidate {
        let match = candidate.match.pointee
        let rule = snapshot[header.rules, Int(match.rule)].pointee
        let verdict: Explanation.Candidate.Verdict
        var predicate: String?
        switch candidate.verdict {
        case .won: verdict = .won
        case .outranked: verdict = .outranked
        case .lost(let failed):
            verdict = .lost
            predicate = RouteExplanation.describe(failed, in: snapshot)
        }
        return .init(
            route: route(rule.route), rule: Int(rule.index), match: Int(match.match), words: words(match),
            hostname: candidate.hostname, listener: listener(candidate.listener).name, verdict: verdict,
            predicate: predicate, place: place(match.position))
    }

    /// A match as a person would say it: `prefix /cart, header x-version: v2`.
    private func words(_ match: MatchConfig) -> String {
        let path = snapshot.text(match.path).string
        var parts: [String] = []
        switch match.pathKind {
        case .exact: parts.append("path \(path)")
        case .prefix: parts.append("prefix \(path.isEmpty ? "/" : path)")
        case .regularExpression, .lateExpression: parts.append("path ~ \(path)")
        }
        if !match.methodText.isEmpty { parts.append("method \(snapshot.text(match.methodText).string)") }
        for i in 0..<Int(match.headers.count) { parts.append("header " + words(snapshot[match.headers, i].pointee)) }
        for i in 0..<Int(match.queryParams.count) {
            parts.append("query " + words(snapshot[match.queryParams, i].pointee))
        }
        for i in 0..<Int(match.cookies.count) { parts.append("cookie " + words(snapshot[match.cookies, i].pointee)) }
        return parts.joined(separator: ", ")
    }

    private func words(_ match: ValueMatchConfig) -> String {
        let sign =
            switch match.kind {
            case .exact: ": "
            case .regularExpression: " ~ "
            }
        return snapshot.text(match.name).string + sign + snapshot.text(match.value).string
    }
}
