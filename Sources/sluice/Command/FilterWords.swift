import Config
import Core

/// Filters in words, a line each.
enum FilterWords {
    static func lines(_ filters: FilterPlan, _ plan: GatewayPlan) -> [String] {
        var lines = filters.requestHeaders.map { "request header: " + words($0) }
        lines += filters.responseHeaders.map { "response header: " + words($0) }
        if let redirect = filters.redirect { lines.append(words(redirect)) }
        if let rewrite = filters.rewrite {
            if let hostname = rewrite.hostname { lines.append("rewrite: host becomes \(hostname)") }
            if let path = rewrite.path { lines.append("rewrite: " + words(path)) }
        }
        for mirror in filters.mirrors {
            lines.append(
                "mirror: \(mirror.numerator) of \(mirror.denominator) to \(plan.clusters[mirror.cluster].name)")
        }
        if let cors = filters.cors { lines.append("CORS: origins \(cors.allowOrigins.joined(separator: ", "))") }
        return lines
    }

    private static func words(_ edit: HeaderEditPlan) -> String {
        switch edit.action {
        case .set: "set \(edit.name): \(edit.value)"
        case .add: "add \(edit.name): \(edit.value)"
        case .remove: "remove \(edit.name)"
        }
    }

    private static func words(_ path: PathModifierPlan) -> String {
        switch path {
        case .replaceFullPath(let value): "the path becomes \(value)"
        case .replacePrefixMatch(let value): "the matched prefix becomes \(value)"
        }
    }

    private static func words(_ redirect: RedirectPlan) -> String {
        var parts = ["redirect: \(redirect.statusCode)"]
        if let scheme = redirect.scheme { parts.append("scheme \(scheme)") }
        if let hostname = redirect.hostname { parts.append("host \(hostname)") }
        if let port = redirect.port { parts.append("port \(port)") }
        if let path = redirect.path { parts.append(words(path)) }
        return parts.joined(separator: ", ")
    }
}

extension TimeAmount {
    /// `250ms`, `1.5s`, `10s`.
    var words: String {
        let milliseconds = self.milliseconds
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        if milliseconds % 1000 == 0 { return "\(milliseconds / 1000)s" }
        return "\(Double(milliseconds) / 1000)s"
    }
}
