import Config

extension Route.Rule {
    /// One entry of a GRPCRoute's `rules`.
    init(grpc node: WrittenNode, file: UInt32) {
        self.init(empty: node)
        for (number, item) in node[.matches].items.enumerated() {
            matches.append(MatchPlan(grpc: item, file: file))
            badPatterns += Self.badPatterns(of: item[.method], match: number)
        }
        if matches.isEmpty {
            matches = [MatchPlan(path: .prefix("/"), method: GRPCPath.method, position: node.position(in: file))]
        }
        for item in node[.filters].items { filters.append(Route.Filter(item)) }
        for item in node[.backendRefs].items { backendRefs.append(Route.BackendReference(item)) }
    }

    /// Each expression by itself: put together, two bad halves might make something that compiles.
    private static func badPatterns(of method: WrittenNode, match: Int) -> [Route.BadPattern] {
        guard method[.type].string == "RegularExpression" else { return [] }
        var found: [Route.BadPattern] = []
        for key in [FieldKey.service, .method] {
            guard let pattern = method[key].string, let problem = RegularExpressions.problem(pattern) else { continue }
            found.append(Route.BadPattern(match: match, pattern: pattern, problem: problem, node: method[key]))
        }
        return found
    }
}

/// How gRPC puts service and method into a request: `POST /package.Service/Method` (gRPC over HTTP/2, "Requests").
private enum GRPCPath {
    static let method = "POST"
    /// Any one name, of a service or a method.
    static let anyName = "[^/]+"
}

extension MatchPlan {
    /// One entry of a GRPCRoute's `rules[].matches`.
    ///
    /// GRPCRouteRule.matches ranks by the characters of the service, then of the method. The kinds of paths give just that:
    /// a path names both; expressions carry the two lengths; a prefix names a service; what asks for a method alone
    /// stands behind every prefix but `/`, which asks for nothing.
    init(grpc node: WrittenNode, file: UInt32) {
        let method = node[.method]
        let service = method[.service].string ?? ""
        let name = method[.method].string ?? ""
        let isPattern = method[.type].string == "RegularExpression"
        let path: Path
        switch (service.isEmpty, name.isEmpty) {
        case (true, true): path = .prefix("/")
        case (true, false): path = .lateExpression("/\(GRPCPath.anyName)/" + (isPattern ? "(?:\(name))" : name))
        case (false, true):
            path = isPattern ? .regularExpression("/(?:\(service))/\(GRPCPath.anyName)") : .prefix("/\(service)")
        case (false, false):
            path = isPattern ? .regularExpression("/(?:\(service))/(?:\(name))") : .exact("/\(service)/\(name)")
        }
        self.init(path: path, method: GRPCPath.method, position: node.position(in: file))
        if case .prefix = path {
        } else if case .exact = path {
        } else {
            rankLength = service.utf8.count << 11 | min(name.utf8.count, 1 << 11 - 1)
        }
        for item in node[.headers].items { addHeader(item) }
    }
}
