import Core
import HTTP

extension SnapshotWriter {
    mutating func filters(_ plan: FilterPlan, _ clusterCount: Int) -> FilterConfig {
        var config = FilterConfig(
            requestHeaders: Table(), responseHeaders: Table(), redirect: Table(), rewrite: Table(), mirrors: Table(),
            cors: Table())
        // Nearly every rule and backend has none, and an empty table costs nothing.
        if !plan.requestHeaders.isEmpty { config.requestHeaders = edits(plan.requestHeaders) }
        if !plan.responseHeaders.isEmpty { config.responseHeaders = edits(plan.responseHeaders) }
        if let redirect = plan.redirect { config.redirect = write(redirect) }
        if let rewrite = plan.rewrite { config.rewrite = write(rewrite) }
        if !plan.mirrors.isEmpty { config.mirrors = write(plan.mirrors, clusterCount) }
        if let cors = plan.cors { config.cors = write(cors) }
        return config
    }

    private mutating func edits(_ plans: [HeaderEditPlan]) -> Table<HeaderEditConfig> {
        let table = block.allocate(HeaderEditConfig.self, count: plans.count)
        guard block.failure == nil else { return table }
        for (i, plan) in plans.enumerated() {
            block[table, i] = HeaderEditConfig(
                action: plan.action, fieldName: fieldName(plan.name), name: text(plan.name), value: text(plan.value))
        }
        return table
    }

    private mutating func write(_ plan: RedirectPlan) -> Table<RedirectConfig> {
        let config = RedirectConfig(
            scheme: text(plan.scheme ?? ""), hostname: text(plan.hostname ?? ""), path: modifier(plan.path),
            port: plan.port ?? 0, statusCode: plan.statusCode)
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plan: RewritePlan) -> Table<RewriteConfig> {
        let config = RewriteConfig(hostname: text(plan.hostname ?? ""), path: modifier(plan.path))
        return block.append(contentsOf: [config])
    }

    private mutating func modifier(_ plan: PathModifierPlan?) -> PathModifierConfig {
        switch plan {
        case nil: PathModifierConfig(kind: .none, value: TextRef())
        case .replaceFullPath(let path): PathModifierConfig(kind: .replaceFullPath, value: text(path))
        case .replacePrefixMatch(let path): PathModifierConfig(kind: .replacePrefixMatch, value: text(path))
        }
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

    func fieldName(_ name: String) -> FieldName { .other }
}
