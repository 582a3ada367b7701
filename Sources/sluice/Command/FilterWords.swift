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
            switch rewrite.hostSource {
            case nil: break
            case .header(let name): lines.append("rewrite: host becomes what the field \(name) says")
            case .backend: lines.append("rewrite: host becomes the endpoint's name")
            case .pathRegex(let pattern, let substitution):
                lines.append("rewrite: host becomes '\(substitution)' of a path that matches '\(pattern)'")
            }
            if let path = rewrite.path { lines.append("rewrite: " + words(path)) }
        }
        for mirror in filters.mirrors {
            lines.append(
                "mirror: \(mirror.numerator) of \(mirror.denominator) to \(plan.clusters[mirror.cluster].name)")
        }
        if let cors = filters.cors { lines.append("CORS: origins \(cors.allowOrigins.joined(separator: ", "))") }
        if let response = filters.directResponse {
            lines.append("direct response: \(response.statusCode ?? 200), \(words(response.body))")
        }
        // The value is a secret.
        if let credential = filters.credentialInjection {
            lines.append(
                "credential: \(credential.header)\(credential.overwrite ? ", also where the client sent one" : "")")
        }
        return lines
    }

    private static func words(_ body: [CustomResponsePlan.BodyPart]) -> String {
        if body.isEmpty { return "no body" }
        var octets = 0
        var isFixed = true
        for part in body {
            if case .text(let text) = part { octets += text.utf8.count } else { isFixed = false }
        }
        return isFixed ? "a body of \(octets) octets" : "a body made of the request"
    }

    /// What a policy does to the messages of a rule.
    static func lines(_ traffic: RouteTrafficPlan) -> [String] {
        var lines: [String] = []
        if let fault = traffic.faultInjection {
            if fault.delay > .zero {
                lines.append("fault: \(percent(fault.delayed)) of the requests wait \(fault.delay.words)")
            }
            if fault.aborted.millionths > 0 {
                let answer = fault.httpStatus > 0 ? "\(fault.httpStatus)" : "grpc-status \(fault.grpcStatus)"
                lines.append("fault: \(percent(fault.aborted)) of the requests are answered \(answer)")
            }
        }
        if let buffer = traffic.requestBuffer { lines.append("request buffer: \(buffer.limit) octets") }
        for override in traffic.responseOverride { lines.append(words(override)) }
        if !traffic.compression.isEmpty {
            let codings = traffic.compression.map { "\($0.coding.token) from \($0.minContentLength) octets on" }
            lines.append("compression: \(codings.joined(separator: ", "))")
        }
        if let upgrade = traffic.httpUpgrade {
            lines.append("upgrade: \(upgrade.types.isEmpty ? "none" : upgrade.types.joined(separator: ", "))")
        }
        return lines
    }

    private static func percent(_ share: FaultInjectionPlan.Share) -> String {
        share.millionths % 10_000 == 0
            ? "\(share.millionths / 10_000) %" : "\(Double(share.millionths) / 10_000) %"
    }

    private static func words(_ override: ResponseOverridePlan) -> String {
        let codes = override.statusCodes.map { $0.first == $0.last ? "\($0.first)" : "\($0.first) to \($0.last)" }
        var match = codes.isEmpty ? "any status" : codes.joined(separator: ", ")
        for header in override.responseHeaders { match += ", header \(header.name)" }
        switch override.source {
        case .all: break
        case .local: match += ", made by the gateway"
        case .backend: match += ", of the backend"
        }
        switch override.action {
        case .response(let response):
            return "override: \(match) becomes \(response.statusCode.map { "\($0)" } ?? "the same status"), "
                + words(response.body)
        case .redirect(let redirect): return "override: \(match) becomes a " + words(redirect)
        }
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
        case .replaceRegexMatch(let pattern, let substitution): "what matches '\(pattern)' becomes '\(substitution)'"
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
