import Config

/// Gateway API's rules written down plainly, over the plan and without any table: every match of every attached route is
/// asked, and the best of those that hold is taken.
struct ReferenceMatcher {
    let plan: GatewayPlan
    let socket: Int

    struct Candidate {
        var listener: Int
        var hostname: String
        var route: Int
        var rule: Int
        var match: Int
        /// Nil when it holds; else as `RouteExplanation.describe` words it.
        var failure: String?
        /// Greater wins, from the first to the last.
        var precedence: [Int]
    }

    func winner(_ request: TestRequest) -> String {
        guard listener(for: request) != nil else { return "no listener" }
        let holding = candidates(request).filter { $0.failure == nil }
        guard let best = holding.max(by: { $0.precedence.lexicographicallyPrecedes($1.precedence) }) else {
            return "no route"
        }
        return "\(plan.routes[best.route].name) \(best.rule).\(best.match)"
    }

    func listener(for request: TestRequest) -> Int? {
        let listeners = plan.sockets[socket].listeners
        let matching = listeners.indices.filter { Self.matches(listeners[$0].hostname, host(request)) }
        return matching.max {
            Self.specificity(listeners[$0].hostname).lexicographicallyPrecedes(Self.specificity(listeners[$1].hostname))
        }
    }

    func candidates(_ request: TestRequest) -> [Candidate] {
        var all: [Candidate] = []
        let chosen = listener(for: request)
        for (l, listener) in plan.sockets[socket].listeners.enumerated() {
            for attachment in listener.attachments {
                for hostname in Set(attachment.hostnames) {
                    for (r, rule) in plan.routes[attachment.route].rules.enumerated() {
                        for (m, match) in rule.matches.enumerated() {
                            let failure =
                                l != chosen
                                ? "listener hostname"
                                : !Self.matches(hostname, host(request))
                                    ? "route hostname" : self.failure(match, request)
                            all.append(
                                Candidate(
                                    listener: l, hostname: hostname, route: attachment.route, rule: r, match: m,
                                    failure: failure,
                                    precedence: Self.specificity(hostname) + Self.rank(match) + [
                                        -attachment.route, -r, -m,
                                    ]))
                        }
                    }
                }
            }
        }
        return all
    }

    private func host(_ request: TestRequest) -> String {
        let host = request.host.lowercased()
        return host.hasSuffix(".") ? String(host.dropLast()) : host
    }

    static func matches(_ hostname: String, _ host: String) -> Bool {
        if hostname.isEmpty { return true }
        guard hostname.hasPrefix("*") else { return hostname == host }
        let suffix = hostname.dropFirst()
        return host.hasSuffix(suffix) && host.count > suffix.count
    }

    /// "Characters in a matching non-wildcard hostname", then "characters in a matching hostname".
    static func specificity(_ hostname: String) -> [Int] {
        [hostname.hasPrefix("*") ? 0 : hostname.count, hostname.count]
    }

    static func rank(_ match: MatchPlan) -> [Int] {
        let path: [Int] =
            switch match.path {
            case .exact(let path): [4, path.count]
            case .regularExpression(let expression): [3, match.rankLength ?? expression.count]
            case .prefix("/"): [0, 0]
            case .prefix(let prefix): [2, prefix.hasSuffix("/") ? prefix.count - 1 : prefix.count]
            case .lateExpression(let expression): [1, match.rankLength ?? expression.count]
            }
        return path + [match.method == nil ? 0 : 1, match.headers.count, match.queryParams.count]
    }

    private func failure(_ match: MatchPlan, _ request: TestRequest) -> String? {
        guard Self.matches(match.path, request.path) else { return "path" }
        if let method = match.method, method != request.method { return "method" }
        for header in match.headers {
            let lines = request.headers.filter { $0.name.lowercased() == header.name }.map(\.value)
            if lines.isEmpty || !Self.holds(header, lines.joined(separator: ",")) { return "header '\(header.name)'" }
        }
        for parameter in match.queryParams {
            let pairs = (request.query ?? "").split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
            let first = pairs.first { $0[0] == parameter.name }
            guard let first, Self.holds(parameter, first.count > 1 ? String(first[1]) : "") else {
                return "query parameter '\(parameter.name)'"
            }
        }
        return nil
    }

    static func matches(_ wanted: MatchPlan.Path, _ path: String) -> Bool {
        switch wanted {
        case .exact(let exact): return path == exact
        case .regularExpression(let expression), .lateExpression(let expression):
            return wholeMatch(expression, path)
        case .prefix(let prefix):
            let wantedSegments = prefix.split(separator: "/")
            return path.split(separator: "/").starts(with: wantedSegments)
        }
    }

    static func holds(_ wanted: ValueMatchPlan, _ value: String) -> Bool {
        wanted.kind == .exact ? value == wanted.value : wholeMatch(wanted.value, value)
    }

    private static func wholeMatch(_ expression: String, _ value: String) -> Bool {
        guard let regex = try? Regex(expression) else { preconditionFailure("the test's expression is valid") }
        return (try? regex.wholeMatch(in: value)) != nil
    }
}
