import Core
import HTTP

/// One match with what the path indexes need to place it.
struct CompiledMatch {
    var config: MatchConfig
    /// What it is entered under: the exact path, the prefix without its trailing slash, or the expression.
    var key: TextRef
    var hash: UInt64
    var rank: MatchRank
    /// Segments of a prefix.
    var depth: Int
    var pattern: UInt32
}

extension SnapshotWriter {
    mutating func write(clusters: [ClusterPlan], _ slots: SnapshotSlots) {
        header.clusters = block.allocate(ClusterConfig.self, count: clusters.count)
        header.endpoints = block.allocate(EndpointConfig.self, count: clusters.reduce(0) { $0 + $1.endpoints.count })
        guard block.failure == nil else { return }
        var endpoint = 0
        var named: [UInt64: Int] = [:]
        named.reserveCapacity(clusters.count)
        for (index, cluster) in clusters.enumerated() {
            var identity = IdentityHash()
            identity.add(cluster.name)
            // Connections are kept under the identity: whoever has the same calls the same.
            let first = named[identity.value, default: index]
            guard cluster.isCalled(as: clusters[first]) else {
                return block.fail(.sameName(cluster: cluster.name))
            }
            named[identity.value] = first
            block[header.clusters, index] = ClusterConfig(
                name: text(cluster.name), identity: identity.value, backendProtocol: cluster.backendProtocol,
                proxyProtocol: cluster.proxyProtocol, tls: cluster.tls.map { write($0) } ?? Table(),
                tunnel: cluster.tunnel.map { write($0) } ?? Table(), authority: text(cluster.authority),
                traffic: cluster.traffic.isEmpty ? Table() : write(cluster.traffic),
                slot: slots.cluster(identity.value), isFallback: cluster.isFallback,
                dynamicResolver: cluster.dynamicResolver.map { block.append(contentsOf: [$0]) } ?? Table(),
                fallback: FallbackConfig(cluster.fallback),
                endpoints: slice(of: header.endpoints, from: endpoint, count: cluster.endpoints.count))
            var backend = IdentityHash()
            backend.add(cluster.backend)
            for plan in cluster.endpoints {
                var identity = identity
                identity.add(plan)
                var own = backend
                own.add(plan)
                block[header.endpoints, endpoint] = EndpointConfig(
                    address: plan.address, unixPath: text(plan.unixPath), hostname: text(plan.hostname),
                    identity: identity.value, slot: slots.endpoint(own.value), weight: plan.weight,
                    zone: text(plan.zone))
                endpoint += 1
            }
        }
    }

    mutating func write(routes: [RoutePlan], clusters: [ClusterPlan], _ slots: SnapshotSlots) {
        header.routes = block.allocate(RouteConfig.self, count: routes.count)
        isBelowHTTP = routes.map(\.isBelowHTTP)
        var ruleCount = 0
        var backendCount = 0
        for i in routes.indices {
            ruleCount += routes[i].rules.count
            for j in routes[i].rules.indices { backendCount += routes[i].rules[j].backends.count }
        }
        header.rules = block.allocate(RuleConfig.self, count: ruleCount)
        header.backends = block.allocate(BackendConfig.self, count: backendCount)
        var rule = 0
        var backend = 0
        var qualified = ByteBuffer()
        for index in routes.indices {
            guard block.failure == nil else { return }
            let route = routes[index]
            qualified.clear()
            qualified.append(string: route.namespace)
            qualified.append(byte: ASCII.slash)
            qualified.append(string: route.name)
            var identity = IdentityHash()
            identity.add(route.kind)
            identity.add(route.namespace)
            identity.add(route.name)
            block[header.routes, index] = RouteConfig(
                kind: text(route.kind), namespace: text(route.namespace), name: text(route.name),
                qualifiedName: text(qualified.view), slot: slots.route(identity.value), position: route.position)
            guard route.rules.count <= SnapshotLimits.rulesPerRoute else {
                return block.fail(.tooManyRules(route: "\(route.namespace)/\(route.name)", count: route.rules.count))
            }
            for ruleIndex in route.rules.indices {
                let backends = slice(
                    of: header.backends, from: backend, count: route.rules[ruleIndex].backends.count)
                write(route.rules[ruleIndex], at: rule, ruleIndex, of: route, index, backends, clusters, slots)
                rule += 1
                backend += Int(backends.count)
            }
            firstMatch.append(matches.count)
            firstRule.append(rule)
        }
    }

    private mutating func write(
        _ plan: RulePlan, at place: Int, _ index: Int, of route: RoutePlan, _ routeIndex: Int,
        _ backends: Table<BackendConfig>, _ clusters: [ClusterPlan], _ slots: SnapshotSlots
    ) {
        var identity = IdentityHash()
        identity.add(route.namespace)
        identity.add(route.name)
        if plan.name.isEmpty { identity.add(index) } else { identity.add(plan.name) }
        var own = IdentityHash()
        own.add(route.kind)
        own.add(route.namespace)
        own.add(route.name)
        if plan.name.isEmpty { own.add(index) } else { own.add(plan.name) }
        var totalWeight: UInt64 = 0
        var hasFallback = false
        for (i, backend) in plan.backends.enumerated() {
            identity.add(backend.name)
            identity.add(backend.weight)
            totalWeight += UInt64(backend.weight)
            var ownBackend = own
            ownBackend.add(backend.name)
            var config = BackendConfig(
                cluster: BackendConfig.invalid, status: 0, weight: backend.weight,
                isFallback: false, filters: filters(backend.filters, clusters.count), name: text(backend.name),
                identity: ownBackend.value,
                slot: plan.traffic.rollout == nil ? 0 : slots.backendRef(ownBackend.value), position: backend.position)
            switch backend.target {
            case .cluster(let cluster):
                precondition(clusters.indices.contains(cluster), "a backend names a cluster that is not planned")
                config.cluster = UInt32(cluster)
                config.isFallback = clusters[cluster].isFallback
                hasFallback = hasFallback || config.isFallback
            case .answer(let status): config.status = status
            }
            block[backends, i] = config
        }
        let times = times(of: plan, index, route)
        let retry = (plan.retry ?? plan.traffic.retry?.retry).map {
            RetryConfig(
                attempts: UInt32(clamping: $0.attempts), triggers: $0.triggers,
                codes: block.append(contentsOf: $0.codes), backOff: $0.backOff)
        }
        var release = Table<ReleaseConfig>()
        if plan.traffic.decidesBackends, block.failure == nil {
            release = write(
                releaseOf: plan.traffic, identity: own.value, backends: plan.backends.map(\.name),
                slots: plan.backends.indices.map { block[backends, $0].slot })
        }
        block[header.rules, place] = RuleConfig(
            route: UInt32(routeIndex), routeSlot: block[header.routes, routeIndex].slot, name: text(plan.name),
            index: UInt16(index), identity: identity.value,
            backends: backends, totalWeight: totalWeight, hasFallback: hasFallback,
            filters: filters(plan.filters, clusters.count),
            requestTimeout: times.request.amount, backendRequestTimeout: times.attempt.amount,
            requestTimeoutOrigin: times.request.origin, backendRequestTimeoutOrigin: times.attempt.origin,
            retry: retry ?? .none,
            traffic: plan.traffic.isEmpty
                ? Table()
                : write(
                    plan.traffic, identity: own.value, route: "\(route.kind)/\(route.namespace)/\(route.name)",
                    slot: slots.rule(own.value), release: release),
            position: plan.position)
        precondition(
            !plan.matches.isEmpty || route.isBelowHTTP, "a rule without matches must have been given the prefix /")
        guard plan.matches.count <= SnapshotLimits.matchesPerRule else {
            return block.fail(
                .tooManyMatches(route: "\(route.namespace)/\(route.name)", rule: index, count: plan.matches.count))
        }
        for i in plan.matches.indices {
            let match = compile(plan.matches[i], index: i, rule: place)
            guard match.depth <= SnapshotLimits.prefixSegments else {
                return block.fail(
                    .prefixTooDeep(route: "\(route.namespace)/\(route.name)", rule: index, segments: match.depth))
            }
            matches.append(match)
        }
    }

    /// The route's own word goes before a policy's, also where it says that there is no limit.
    private mutating func times(
        of plan: RulePlan, _ index: Int, _ route: RoutePlan
    ) -> (request: TimeLimitConfig, attempt: TimeLimitConfig) {
        func limit(_ own: TimeAmount?, _ field: String, else policy: TimeLimit?) -> TimeLimitConfig {
            guard let own else { return policy.map { write($0) } ?? TimeLimitConfig(amount: .zero, origin: TextRef()) }
            guard own > .zero else { return TimeLimitConfig(amount: .zero, origin: TextRef()) }
            let position = plan.timeoutsPosition
            let place = Int(position.file) < files.count ? " (\(files[Int(position.file)]):\(position.line))" : ""
            let origin =
                "spec.rules[\(index)].timeouts.\(field) of \(route.kind) '\(route.namespace)/\(route.name)'\(place)"
            return TimeLimitConfig(amount: own, origin: text(origin))
        }
        return (
            limit(plan.requestTimeout, "request", else: plan.traffic.timeouts.request),
            limit(plan.backendRequestTimeout, "backendRequest", else: plan.traffic.retry?.attemptTimeout)
        )
    }

    private mutating func compile(_ plan: MatchPlan, index: Int, rule: Int) -> CompiledMatch {
        let kind: MatchConfig.PathKind
        let path: TextRef
        var key: TextRef
        var pattern: UInt32 = 0
        var depth = 0
        switch plan.path {
        case .exact(let text):
            kind = .exact
            path = self.text(text)
            key = path
        case .regularExpression(let expression):
            kind = .regularExpression
            path = text(expression)
            pattern = self.pattern(expression)
            key = path
        case .lateExpression(let expression):
            kind = .lateExpression
            path = text(expression)
            pattern = self.pattern(expression)
            key = path
        case .prefix(let text):
            kind = .prefix
            path = self.text(text)
            let length = block.text(path).withoutTrailingSlash.count
            key = path
            if length < Int(path.length) {
                key = length == 0 ? TextRef() : self.text(String(decoding: text.utf8.prefix(length), as: UTF8.self))
            }
            depth = Self.segments(of: block.text(key))
        }
        let rankLength = UInt32(clamping: plan.rankLength ?? Int(key.length))
        var config = MatchConfig(
            rule: UInt32(rule), match: UInt16(index), method: MatchConfig.anyMethod, methodText: TextRef(),
            headers: valueMatches(plan.headers, isHeader: true),
            queryParams: valueMatches(plan.queryParams, isHeader: false),
            cookies: valueMatches(plan.cookies, isHeader: false),
            path: path, pathKind: kind, rankLength: rankLength, position: plan.position)
        if let method = plan.method {
            config.method = method.withView { view in
                for known in Method.allCases where known != .other && view.equals(known.text) { return known.rawValue }
                return Method.other.rawValue
            }
            config.methodText = text(method)
        }
        return CompiledMatch(
            config: config, key: key, hash: RollingHash.of(block.text(key)),
            rank: MatchRank(
                kind: kind, length: Int(rankLength), hasMethod: plan.method != nil, headers: plan.headers.count,
                queryParams: plan.queryParams.count, cookies: plan.cookies.count),
            depth: depth, pattern: pattern)
    }

    private static func segments(of prefix: ByteView) -> Int {
        var count = 0
        for i in prefix.indices where prefix[i] == ASCII.slash { count += 1 }
        return count
    }

    private mutating func valueMatches(_ plans: [ValueMatchPlan], isHeader: Bool) -> Table<ValueMatchConfig> {
        guard !plans.isEmpty else { return Table() }
        let table = block.allocate(ValueMatchConfig.self, count: plans.count)
        guard block.failure == nil else { return table }
        for (i, plan) in plans.enumerated() {
            block[table, i] = ValueMatchConfig(
                name: text(plan.name), fieldName: isHeader ? fieldName(plan.name) : .other, kind: plan.kind,
                value: text(plan.value), pattern: plan.kind == .regularExpression ? pattern(plan.value) : 0)
        }
        return table
    }

    /// A run of records within a table.
    func slice<Record>(of table: Table<Record>, from index: Int, count: Int) -> Table<Record> {
        guard count > 0, block.failure == nil else { return Table() }
        return Table(offset: table.offset + UInt32(index * MemoryLayout<Record>.stride), count: UInt32(count))
    }
}
