import Config
import Core

extension ResponseOverridePlan {
    /// BackendTrafficPolicy `responseOverride`.
    static func all(_ list: PolicyNode, _ reading: inout PolicyReading) -> [ResponseOverridePlan] {
        list.items.map { ResponseOverridePlan($0, &reading) }
    }

    private init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let source: Source =
            switch node[.source].string {
            case "Local": .local
            case "Backend": .backend
            default: .all
            }
        var codes: [StatusRange] = []
        for item in node[.match][.statusCodes].items {
            let range = item[.range]
            if item[.type].string == "Range" {
                codes.append(
                    StatusRange(
                        UInt16(clamping: range[.start].integer ?? 0), UInt16(clamping: range[.end].integer ?? 0)))
            } else {
                let code = UInt16(clamping: item[.value].integer ?? 0)
                codes.append(StatusRange(code, code))
            }
        }
        var headers: [HeaderMatch] = []
        for item in node[.match][.responseHeaders].items {
            let match = HeaderMatch(item)
            if match.kind == .regularExpression, let problem = RegularExpressions.problem(match.value) {
                reading.refuse(item[.value][.value], "'\(match.value)' is no regular expression: \(problem)")
            } else {
                headers.append(match)
            }
        }
        let action: Action =
            node[.redirect].exists
            ? .redirect(RedirectPlan(override: node[.redirect]))
            : .response(CustomResponsePlan(node[.response], &reading))
        self.init(
            source: source, statusCodes: codes, responseHeaders: headers, action: action,
            position: reading.position(node))
    }
}

extension ResponseOverridePlan.HeaderMatch {
    fileprivate init(_ node: PolicyNode) {
        let value = node[.value]
        let kind: Kind =
            switch value[.type].string {
            case "Prefix": .prefix
            case "Suffix": .suffix
            case "RegularExpression": .regularExpression
            default: .exact
            }
        self.init(name: (node[.name].string ?? "").lowercased(), kind: kind, value: value[.value].string ?? "")
    }
}

extension RedirectPlan {
    /// `responseOverride[].redirect`; only whole paths can be written there.
    fileprivate init(override node: PolicyNode) {
        self.init(
            scheme: node[.scheme].string, hostname: node[.hostname].string,
            path: node[.path].exists ? .replaceFullPath(node[.path][.replaceFullPath].string ?? "/") : nil,
            port: node[.port].integer.flatMap { UInt16(exactly: $0) },
            statusCode: UInt16(clamping: node[.statusCode].integer ?? 302))
    }
}
