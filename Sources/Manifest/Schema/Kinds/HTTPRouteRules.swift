import Core

/// What HTTPRoute asks of its fields beyond the shape.
enum HTTPRouteRules {
    /// Matches in all rules of a route together.
    static let matchLimit = 128

    static let totalMatches: Rule = { rules, report in
        let total = rules.items.reduce(0) { $0 + $1["matches"].count }
        if total > matchLimit {
            report.refuse(
                rules, "the total number of matches across all rules must be at most \(matchLimit); it is \(total)")
        }
    }

    static let pathValue: Rule = { path, report in
        guard !path["type"].equals("RegularExpression") else { return }
        let value = path["value"]
        let text = value.text
        let type = path["type"].text.string
        if !text.hasPrefix(ByteView("/")) {
            report.refuse(value, "value must be an absolute path and start with '/' when type is \(type)")
        }
        for part: StaticString in ["//", "/./", "/../", "%2f", "%2F", "#"] where text.contains(part) {
            report.refuse(value, "value must not contain '\(part)' when type is \(type)")
        }
        for end: StaticString in ["/..", "/."] where text.hasSuffix(ByteView(end)) {
            report.refuse(value, "value must not end with '\(end)' when type is \(type)")
        }
        if !TextFormat.isURLPath(text) {
            report.refuse(
                value, "value must only contain valid characters: it is not \(TextFormat.urlPath.description)")
        }
    }

    static let redirectAlone: Rule = { rule, report in
        guard rule["backendRefs"].count > 0 else { return }
        for filter in rule["filters"].items where filter["requestRedirect"].exists {
            report.refuse(filter, "the RequestRedirect filter must not be used together with backendRefs")
        }
    }

    /// `replacePrefixMatch` needs to know the prefix: the rule has exactly one match, by path prefix.
    static let prefixReplacement: Rule = { rule, report in
        let matches = rule["matches"]
        if matches.count == 1, matches[0]["path"]["type"].equals("PathPrefix") { return }
        for field: StaticString in ["requestRedirect", "urlRewrite"] {
            if let filter = replacement(rule["filters"], field) {
                report.refuse(filter[field]["path"], needsOnePrefix(field, ""))
            }
            let backends = rule["backendRefs"].items.filter { replacement($0["filters"], field) != nil }
            if backends.count == 1, let filter = replacement(backends[0]["filters"], field) {
                report.refuse(filter[field]["path"], needsOnePrefix(field, "within backendRefs, "))
            }
        }
    }

    /// The one filter that replaces the prefix by way of `field`. Several are none here, as in the schema's own rule;
    /// another rule refuses them.
    private static func replacement(_ filters: Node, _ field: StaticString) -> Node? {
        var found: Node?
        for filter in filters.items where filter[field]["path"]["replacePrefixMatch"].exists {
            guard found == nil else { return nil }
            found = filter
        }
        return found
    }

    private static func needsOnePrefix(_ field: StaticString, _ place: String) -> String {
        let filter = field.description == "urlRewrite" ? "URLRewrite" : "RequestRedirect"
        return "\(place)when using the \(filter) filter with path.replacePrefixMatch, exactly one PathPrefix match "
            + "must be specified in the rule"
    }

    static let timeouts: Rule = { timeouts, report in
        guard let request = timeouts["request"].duration, let backend = timeouts["backendRequest"].duration,
            request > .zero, backend > request
        else { return }
        report.refuse(
            timeouts["backendRequest"], "backendRequest timeout cannot be longer than the request timeout")
    }
}
