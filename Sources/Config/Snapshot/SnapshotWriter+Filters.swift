import Core
import HTTP

extension SnapshotWriter {
    mutating func filters(_ plan: FilterPlan, _ clusterCount: Int) -> FilterConfig {
        var config = FilterConfig(
            requestHeaders: Table(), responseHeaders: Table(), redirect: Table(), rewrite: Table(), mirrors: Table(),
            cors: Table(), directResponse: Table(), credentialInjection: Table())
        // Nearly every rule and backend has none, and an empty table costs nothing.
        if !plan.requestHeaders.isEmpty { config.requestHeaders = edits(plan.requestHeaders) }
        if !plan.responseHeaders.isEmpty { config.responseHeaders = edits(plan.responseHeaders) }
        if let redirect = plan.redirect { config.redirect = write(redirect) }
        if let rewrite = plan.rewrite { config.rewrite = write(rewrite) }
        if !plan.mirrors.isEmpty { config.mirrors = write(plan.mirrors, clusterCount) }
        if let cors = plan.cors { config.cors = write(cors) }
        if let response = plan.directResponse {
            let written = write(response)
            config.directResponse = block.append(contentsOf: [written])
        }
        if let credential = plan.credentialInjection { config.credentialInjection = write(credential) }
        return config
    }

    /// What ``HeaderEditPlan/refusal`` refuses is left out, whoever made the plan.
    mutating func edits(_ plans: [HeaderEditPlan]) -> Table<HeaderEditConfig> {
        let plans = plans.filter { $0.refusal == nil }
        let table = block.allocate(HeaderEditConfig.self, count: plans.count)
        guard block.failure == nil else { return table }
        for (i, plan) in plans.enumerated() {
            block[table, i] = HeaderEditConfig(
                action: plan.action, fieldName: fieldName(plan.name), name: text(plan.name), value: text(plan.value))
        }
        return table
    }

    mutating func write(_ plan: RedirectPlan) -> Table<RedirectConfig> {
        let config = RedirectConfig(
            scheme: text(plan.scheme ?? ""), hostname: text(plan.hostname ?? ""), path: modifier(plan.path),
            port: plan.port ?? 0, statusCode: plan.statusCode)
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plan: RewritePlan) -> Table<RewriteConfig> {
        var config = RewriteConfig(
            hostSource: .hostname, hostname: text(plan.hostname ?? ""), hostPattern: 0, path: modifier(plan.path),
            appendXForwardedHost: plan.appendXForwardedHost)
        switch plan.hostSource {
        case nil: break
        case .header(let name): (config.hostSource, config.hostname) = (.header, text(name))
        case .backend: config.hostSource = .backend
        case .pathRegex(let expression, let substitution):
            config.hostSource = .pathRegex
            config.hostname = text(substitution)
            config.hostPattern = pattern(expression)
        }
        return block.append(contentsOf: [config])
    }

    private mutating func modifier(_ plan: PathModifierPlan?) -> PathModifierConfig {
        switch plan {
        case nil: PathModifierConfig(kind: .none, value: TextRef())
        case .replaceFullPath(let path): PathModifierConfig(kind: .replaceFullPath, value: text(Self.escaped(path)))
        case .replacePrefixMatch(let path):
            PathModifierConfig(kind: .replacePrefixMatch, value: text(Self.escaped(path)))
        case .replaceRegexMatch(let expression, let substitution):
            PathModifierConfig(
                kind: .replaceRegexMatch, value: text(Self.escaped(substitution, isSubstitution: true)),
                pattern: pattern(expression))
        }
    }

    /// The CRD lets any text be a replacement; what cannot stand in a path (RFC 3986, section 3.3) is percent-encoded, so that
    /// no manifest can break a request line or begin a query.
    /// - Parameter isSubstitution: `\` has a meaning in it, and a query may begin in it.
    private static func escaped(_ path: String, isSubstitution: Bool = false) -> String {
        func isIllegal(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x3F, 0x5C: !isSubstitution
            case 0...0x20, 0x7F, 0x22, 0x23, 0x3C, 0x3E, 0x5E, 0x60, 0x7B, 0x7C, 0x7D: true
            default: false
            }
        }
        guard path.utf8.contains(where: isIllegal) else { return path }
        var octets: [UInt8] = []
        for byte in path.utf8 {
            if isIllegal(byte) {
                octets += [
                    ASCII.percent, ASCII.upper(ASCII.hexDigit(byte >> 4)), ASCII.upper(ASCII.hexDigit(byte & 15)),
                ]
            } else {
                octets.append(byte)
            }
        }
        return String(decoding: octets, as: UTF8.self)
    }

    private mutating func write(_ plans: [MirrorPlan], _ clusterCount: Int) -> Table<MirrorConfig> {
        block.append(
            contentsOf: plans.map {
                precondition(
                    $0.cluster >= 0 && $0.cluster < clusterCount, "a mirror names a cluster that is not planned")
                return MirrorConfig(
                    cluster: UInt32($0.cluster), numerator: $0.numerator, denominator: $0.denominator)
            })
    }

    private mutating func write(_ plan: CORSPlan) -> Table<CORSConfig> {
        let config = CORSConfig(
            allowOrigins: texts(plan.allowOrigins), allowMethods: texts(plan.allowMethods),
            allowHeaders: texts(plan.allowHeaders), exposeHeaders: texts(plan.exposeHeaders), maxAge: plan.maxAge,
            allowCredentials: plan.allowCredentials)
        return block.append(contentsOf: [config])
    }

    /// As the parser of heads tells it.
    func fieldName(_ name: String) -> FieldName { name.withView { FieldName($0) } }
}
