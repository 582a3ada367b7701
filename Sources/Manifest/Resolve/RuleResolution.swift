import Config
import Core

/// One rule of a route with its references resolved.
struct RuleResolution {
    /// Something that is wrong, and where.
    struct Problem {
        var reason: ConditionReason
        var message: String
        var node: WrittenNode
    }
    var plan: RulePlan
    /// Why the rule cannot be served at all: its requests are answered 500.
    var invalid: Problem?
    /// Parts of the route's annotations that cannot be; the rule is served without them.
    var refusedParts: [ReleaseAnnotations.Problem] = []
    /// References that lead nowhere: their share of the requests is answered 500.
    var unresolved: [Problem] = []
    /// One of ``unresolved`` breaks the whole rule: its requests are answered 500, though it is well in itself.
    var isBroken = false
    /// Backends without endpoints: their share is answered 503.
    var unavailable: [Problem] = []
}

/// What is needed to resolve rules, the same for all routes of a set.
struct RuleResolver {
    let index: ResourceIndex
    let grants: GrantTable
    var clusters: ClusterTable
    var routeFilters: HTTPRouteFilterTable

    init(index: ResourceIndex, grants: GrantTable, clusters: ClusterTable) {
        self.index = index
        self.grants = grants
        self.clusters = clusters
        routeFilters = HTTPRouteFilterTable(index, grants)
    }

    /// What requests of a rule are answered with whose policies cannot do what they say, of gRPC too.
    private static let policyRefusal: UInt16 = 500

    /// Who refers to backends, and what for.
    private struct User {
        var resource: LoadedResource
        var kind: RouteKind
        var setting: BackendSetting
        /// Services that need no grant, of the group whose members' calls come; nil: it is no group's.
        var reach: Set<ResourceName>?
    }

    /// - Parameters:
    ///   - traffic: what policies say of the rule where it is served.
    ///   - reach: Services to which the rule may refer without a ReferenceGrant: whoever it serves can call them anyway.
    mutating func resolve(
        _ rule: Route.Rule, of resource: LoadedResource, _ kind: RouteKind, _ common: BackendSetting,
        _ traffic: RuleTraffic, reach: Set<ResourceName>? = nil, findings: inout FindingLog
    ) -> RuleResolution {
        var setting = common
        setting.take(traffic)
        let user = User(resource: resource, kind: kind, setting: setting, reach: reach)
        var result = RuleResolution(
            plan: RulePlan(
                name: rule.name, matches: rule.matches, requestTimeout: rule.requestTimeout,
                backendRequestTimeout: rule.backendRequestTimeout, retry: rule.retry,
                position: rule.node.position(in: resource.file)))
        result.plan.timeoutsPosition = rule.node[.timeouts].position(in: resource.file)
        result.checkPatterns(rule)
        result.plan.policies = traffic.applied
        if let settings = traffic.settings { result.plan.traffic = settings.route }
        result.plan.filters = filters(rule.filters, of: user, into: &result, findings: &findings)
        result.plan.backends.reserveCapacity(rule.backendRefs.count)
        for backend in rule.backendRefs {
            result.plan.backends.append(resolve(backend, of: user, into: &result, findings: &findings))
        }
        result.checkDynamicResolver(clusters.clusters, setting.use, rule.node)
        if let invalid = result.invalid {
            result.refuse("invalid rule", setting.noBackendStatus, invalid.node.position(in: resource.file))
        } else if traffic.refusal != nil {
            // The route's own conditions tell nothing of it; the policy's do.
            result.refuse("refused by a policy", Self.policyRefusal, result.plan.position)
        } else if result.isBroken {
            result.refuse("unresolved rule", setting.noBackendStatus, result.plan.position)
        }
        return result
    }

    private mutating func resolve(
        _ backend: Route.BackendReference, of user: User, into result: inout RuleResolution,
        findings: inout FindingLog
    ) -> BackendPlan {
        let reference = backend.reference
        let position = reference.node.position(in: user.resource.file)
        func refused() -> BackendPlan {
            let target = reference.target(from: user.resource.name.namespace)
            return BackendPlan(
                target: .answer(user.setting.noBackendStatus), weight: backend.weight,
                name: reference.port.map { "\(target):\($0)" } ?? "\(target)", position: position)
        }
        if let problem = Self.firstBackendFilterProblem(backend) ?? firstExtensionProblem(backend, user, &findings) {
            result.unresolved.append(problem)
            return refused()
        }
        switch outcome(of: reference, user, &findings) {
        case .invalid(let reason, let message):
            result.unresolved.append(.init(reason: reason, message: message, node: reference.node))
            return refused()
        case .cluster(let cluster, let hasEndpoints):
            let name = clusters.backendNames[cluster]
            if !hasEndpoints { result.noEndpoints(name, reference.node) }
            let filters = filters(backend.filters, of: user, into: &result, findings: &findings)
            return BackendPlan(
                target: .cluster(cluster), weight: backend.weight, filters: filters, name: name, position: position)
        }
    }

    private mutating func outcome(
        of reference: ObjectReference, _ user: User, _ findings: inout FindingLog
    ) -> ClusterTable.Outcome {
        let home = user.resource.name.namespace
        return clusters.resolve(
            reference, user.setting, from: user.kind.name, in: home, index: index, grants: grants,
            members: user.reach, findings: &findings)
    }

    private mutating func filters(
        _ filters: [Route.Filter], of user: User, into result: inout RuleResolution,
        findings: inout FindingLog
    ) -> FilterPlan {
        var plan = FilterPlan()
        for filter in filters {
            switch filter.action {
            case .requestHeaders(let edits):
                plan.requestHeaders += Self.applied(edits, of: user.resource, findings: &findings)
            case .responseHeaders(let edits):
                plan.responseHeaders += Self.applied(edits, of: user.resource, findings: &findings)
            case .redirect(let redirect): plan.redirect = redirect
            case .rewrite(let rewrite): plan.take(rewrite, filter.node, of: &result)
            case .cors(let cors): plan.cors = cors
            case .mirror(let reference, let numerator, let denominator):
                switch outcome(of: reference, user, &findings) {
                case .cluster(let cluster, let hasEndpoints):
                    if !hasEndpoints { result.noEndpoints(clusters.backendNames[cluster], reference.node) }
                    plan.mirrors.append(
                        MirrorPlan(cluster: cluster, numerator: numerator, denominator: denominator))
                case .invalid(let reason, let message):
                    // The mirror is left out; the request itself is served (HTTPRequestMirrorFilter.backendRef).
                    result.unresolved.append(.init(reason: reason, message: message, node: reference.node))
                }
            case .extended(let reference):
                let name = ResourceName(namespace: user.resource.name.namespace, name: reference.name)
                switch routeFilters.plan(name, findings: &findings) {
                case .success(let more): plan.take(more, filter.node, user.kind, of: &result)
                case .failure(let refusal) where refusal.isMissing:
                    result.unresolved.append(
                        .init(reason: .unsupportedValue, message: refusal.message, node: filter.node))
                    result.isBroken = true
                case .failure(let refusal): result.note(.unsupportedValue, refusal.message, filter.node)
                }
            case .unsupported(let what):
                // A filter that is skipped could have been the one that keeps strangers out: the rule is not served.
                result.note(.unsupportedValue, "\(what) is not supported", filter.node)
            }
        }
        if plan.redirect != nil, !plan.mirrors.isEmpty {
            result.note(
                .incompatibleFilters, "a redirect asks no backend, so it cannot stand beside RequestMirror",
                filters.first?.node ?? user.resource.node)
        }
        if plan.directResponse != nil, let other = plan.rivalOfDirectResponse {
            result.note(
                .incompatibleFilters, "a direct response asks no backend, so it cannot stand beside \(other)",
                filters.first?.node ?? user.resource.node)
        }
        return plan
    }

    /// Of an HTTPRouteFilter a backendRef can have what concerns only the request that goes there.
    private mutating func firstExtensionProblem(
        _ backend: Route.BackendReference, _ user: User, _ findings: inout FindingLog
    ) -> RuleResolution.Problem? {
        for filter in backend.filters {
            guard case .extended(let reference) = filter.action else { continue }
            let name = ResourceName(namespace: user.resource.name.namespace, name: reference.name)
            let message: String
            switch routeFilters.plan(name, findings: &findings) {
            case .failure(let refusal): message = refusal.message
            case .success(let plan):
                guard let what = plan.onlyForRules else { continue }
                message = "\(what) of an HTTPRouteFilter is not supported on a backendRef; set it on the rule"
            }
            return .init(reason: .unsupportedRefValue, message: message, node: filter.node)
        }
        return nil
    }

    /// The edits without those that no message may undergo; the rule works nevertheless.
    private static func applied(
        _ edits: [Route.Filter.HeaderEdit], of resource: LoadedResource, findings: inout FindingLog
    ) -> [HeaderEditPlan] {
        var applied: [HeaderEditPlan] = []
        applied.reserveCapacity(edits.count)
        for edit in edits {
            if let refusal = edit.plan.refusal {
                findings.warning(
                    resource, edit.node, "this edit of '\(edit.plan.name)' is not applied: \(refusal)")
            } else {
                applied.append(edit.plan)
            }
        }
        return applied
    }

    /// A backend is chosen when the path and the answer's source are settled already, so neither can be changed for it.
    private static func firstBackendFilterProblem(_ backend: Route.BackendReference) -> RuleResolution.Problem? {
        for filter in backend.filters {
            let what: String
            switch filter.action {
            case .redirect: what = "RequestRedirect"
            case .rewrite(let rewrite) where rewrite.path != nil: what = "URLRewrite of the path"
            case .unsupported(let name): what = name
            case .requestHeaders, .responseHeaders, .rewrite, .mirror, .cors, .extended: continue
            }
            return .init(
                reason: .unsupportedRefValue, message: "\(what) is not supported on a backendRef; set it on the rule",
                node: filter.node)
        }
        return nil
    }
}

extension RuleResolution {
    /// The rule cannot be served; the first reason counts.
    mutating func note(_ reason: ConditionReason, _ message: String, _ node: WrittenNode) {
        invalid = invalid ?? Problem(reason: reason, message: message, node: node)
    }

    fileprivate mutating func noEndpoints(_ cluster: String, _ node: WrittenNode) {
        unavailable.append(
            Problem(reason: .endpointsNotFound, message: "'\(cluster)' has no ready endpoint", node: node))
    }

    /// A match with a bad pattern can match nothing, and is left out of the plan.
    fileprivate mutating func checkPatterns(_ rule: Route.Rule) {
        for bad in rule.badPatterns {
            plan.matches.removeAll { $0 == rule.matches[bad.match] }
            invalid = invalid ?? Self.problem(bad.pattern, bad.problem, bad.node)
        }
        for (number, match) in rule.matches.enumerated() {
            guard let (pattern, problem, field) = Self.badPattern(match) else { continue }
            plan.matches.removeAll { $0 == match }
            invalid = invalid ?? Self.problem(pattern, problem, rule.node[.matches][number][field])
        }
    }

    private static func problem(_ pattern: String, _ problem: String, _ node: WrittenNode) -> Problem {
        Problem(
            reason: .unsupportedValue, message: "'\(pattern)' is no regular expression: \(problem)", node: node)
    }

    private static func badPattern(_ match: MatchPlan) -> (pattern: String, problem: String, field: FieldKey)? {
        if case .regularExpression(let pattern) = match.path, let problem = RegularExpressions.problem(pattern) {
            return (pattern, problem, .path)
        }
        for header in match.headers where header.kind == .regularExpression {
            if let problem = RegularExpressions.problem(header.value) { return (header.value, problem, .headers) }
        }
        for query in match.queryParams where query.kind == .regularExpression {
            if let problem = RegularExpressions.problem(query.value) { return (query.value, problem, .queryParams) }
        }
        return nil
    }

    /// The rule keeps its matches, so that no other route gets its requests, and answers them 500.
    fileprivate mutating func refuse(_ name: String, _ status: UInt16, _ position: SourcePosition) {
        plan.filters = FilterPlan()
        plan.retry = nil
        plan.traffic = RouteTrafficPlan()
        plan.backends = [BackendPlan(target: .answer(status), weight: 1, name: name, position: position)]
    }
}
