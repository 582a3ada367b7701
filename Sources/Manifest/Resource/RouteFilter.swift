import Config

extension Route.Filter {
    /// One entry of `filters`, of a rule or of a backendRef.
    init(_ node: WrittenNode) {
        self.node = node
        let type = node[.type].string ?? ""
        switch type {
        case "RequestHeaderModifier":
            action = .requestHeaders(Self.headerEdits(node[.requestHeaderModifier]))
        case "ResponseHeaderModifier":
            action = .responseHeaders(Self.headerEdits(node[.responseHeaderModifier]))
        case "RequestRedirect": action = .redirect(RedirectPlan(node[.requestRedirect]))
        case "URLRewrite":
            let rewrite = node[.urlRewrite]
            action = .rewrite(
                RewritePlan(hostname: rewrite[.hostname].string, path: Self.pathModifier(rewrite[.path])))
        case "RequestMirror": action = Self.mirror(node[.requestMirror])
        case "CORS": action = .cors(CORSPlan(node[.cors]))
        case "ExtensionRef":
            let reference = ObjectReference(node[.extensionRef], defaultKind: "")
            if reference.group == APIGroup.envoyGateway, reference.kind == "HTTPRouteFilter" {
                action = .extended(reference)
                break
            }
            action = .unsupported("an ExtensionRef to \(reference.kind) '\(reference.name)' of '\(reference.group)'")
        default: action = .unsupported("a filter of type '\(type)'")
        }
    }

    fileprivate static func pathModifier(_ node: WrittenNode) -> PathModifierPlan? {
        guard node.exists else { return nil }
        return node[.type].string == "ReplaceFullPath"
            ? .replaceFullPath(node[.replaceFullPath].string ?? "")
            : .replacePrefixMatch(node[.replacePrefixMatch].string ?? "")
    }

    private static func headerEdits(_ node: WrittenNode) -> [HeaderEdit] {
        var edits: [HeaderEdit] = []
        func add(_ action: HeaderEditPlan.Action, _ items: WrittenNode) {
            for item in items.items {
                let name = item[.name]
                let plan = HeaderEditPlan(action, name: name.string ?? "", value: item[.value].string ?? "")
                edits.append(HeaderEdit(plan: plan, node: name))
            }
        }
        add(.set, node[.set])
        add(.add, node[.add])
        for item in node[.remove].items {
            edits.append(HeaderEdit(plan: HeaderEditPlan(.remove, name: item.string ?? ""), node: item))
        }
        return edits
    }

    private static func mirror(_ node: WrittenNode) -> Action {
        let backend = node[.backendRef]
        var share: (numerator: Int64, denominator: Int64) = (100, 100)
        if let percent = node[.percent].integer { share = (percent, 100) }
        let fraction = node[.fraction]
        if fraction.exists {
            share = (fraction[.numerator].integer ?? 0, fraction[.denominator].integer ?? 100)
        }
        return .mirror(
            ObjectReference(backend), numerator: UInt32(clamping: share.numerator),
            denominator: max(1, UInt32(clamping: share.denominator)))
    }
}

extension RedirectPlan {
    fileprivate init(_ node: WrittenNode) {
        self.init(
            scheme: node[.scheme].string, hostname: node[.hostname].string,
            path: Route.Filter.pathModifier(node[.path]),
            port: node[.port].integer.flatMap { UInt16(exactly: $0) },
            statusCode: UInt16(clamping: node[.statusCode].integer ?? 302))
    }
}

extension CORSPlan {
    /// How long a preflight may be cached when `maxAge` is not set, in seconds (HTTPCORSFilter.maxAge).
    private static let defaultMaxAge: Int64 = 5

    fileprivate init(_ node: WrittenNode) {
        func list(_ key: FieldKey) -> [String] {
            var out: [String] = []
            for item in node[key].items { if let text = item.string { out.append(text) } }
            return out
        }
        self.init(
            allowOrigins: list(.allowOrigins), allowCredentials: node[.allowCredentials].boolean ?? false,
            allowMethods: list(.allowMethods), allowHeaders: list(.allowHeaders),
            exposeHeaders: list(.exposeHeaders), maxAge: UInt32(clamping: node[.maxAge].integer ?? Self.defaultMaxAge)
        )
    }
}
