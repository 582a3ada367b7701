import Config

extension FilterPlan {
    /// What an HTTPRouteFilter adds to the other filters of a rule or a backendRef.
    mutating func take(
        _ filter: HTTPRouteFilterPlan, _ node: WrittenNode, _ kind: RouteKind, of rule: inout RuleResolution
    ) {
        if !filter.cookieMatches.isEmpty {
            if rule.hasCookieMatches {
                rule.note(
                    .unsupportedValue, "only one HTTPRouteFilter of a rule can have matches; put them in one", node)
            }
            rule.ask(filter.cookieMatches)
        }
        if let response = filter.directResponse {
            if kind == .grpc, let status = response.statusCode, status < 300 {
                rule.note(
                    .unsupportedValue,
                    "a call of gRPC cannot be answered \(status) by the gateway; write a status of 300 or more", node)
            }
            directResponse = directResponse ?? response
        }
        if let more = filter.rewrite { take(more, node, of: &rule) }
        credentialInjection = credentialInjection ?? filter.credentialInjection
    }

    /// A rule has one rewrite of the path and one of the host, whichever filter writes them.
    mutating func take(_ more: RewritePlan, _ node: WrittenNode, of rule: inout RuleResolution) {
        guard var merged = rewrite else {
            rewrite = more
            return
        }
        if more.path != nil {
            if merged.path != nil { rule.note(.unsupportedValue, "another filter of the rule rewrites the path", node) }
            merged.path = more.path
        }
        if more.hostname != nil || more.hostSource != nil {
            if merged.hostname != nil || merged.hostSource != nil {
                rule.note(.unsupportedValue, "another filter of the rule rewrites the host", node)
            }
            merged.hostname = more.hostname
            merged.hostSource = more.hostSource
        }
        merged.appendXForwardedHost = merged.appendXForwardedHost && more.appendXForwardedHost
        rewrite = merged
    }

    /// What cannot stand beside a direct response; nil: nothing does.
    var rivalOfDirectResponse: String? {
        if redirect != nil { return "RequestRedirect" }
        return mirrors.isEmpty ? nil : "RequestMirror"
    }
}

extension RuleResolution {
    var hasCookieMatches: Bool { plan.matches.contains { !$0.cookies.isEmpty } }

    /// Every match of the rule holds only with one of these sets of cookies (HTTPRouteFilter.matches).
    fileprivate mutating func ask(_ cookies: [[ValueMatchPlan]]) {
        plan.matches = plan.matches.flatMap { match in
            cookies.map { set in
                var match = match
                match.cookies = set
                return match
            }
        }
    }
}
