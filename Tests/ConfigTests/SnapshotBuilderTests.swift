import Config
import Core
import HTTP
import Testing

@Suite struct SnapshotBuilderTests {
    /// A plan in which every field has a value that can be told from its default.
    static var full: GatewayPlan {
        var filters = FilterPlan()
        filters.requestHeaders = [HeaderEditPlan(.set, name: "X-A", value: "1"), HeaderEditPlan(.remove, name: "X-B")]
        filters.responseHeaders = [HeaderEditPlan(.add, name: "X-C", value: "2")]
        filters.redirect = RedirectPlan(
            scheme: "https", hostname: "other.example", path: .replaceFullPath("/new"), port: 8443, statusCode: 308)
        filters.rewrite = RewritePlan(hostname: "inner.example", path: .replacePrefixMatch("/inner"))
        filters.mirrors = [MirrorPlan(cluster: 1, numerator: 1, denominator: 3)]
        filters.cors = CORSPlan(
            allowOrigins: ["https://a.example", "https://*.b.example"], allowCredentials: true, allowMethods: ["PUT"],
            allowHeaders: ["x-d"], exposeHeaders: ["x-e"], maxAge: 7)
        let rule = RulePlan(
            name: "canary",
            matches: [
                MatchPlan(
                    path: .prefix("/shop/"), method: "GET",
                    headers: [ValueMatchPlan(name: "v", kind: .exact, value: "2")],
                    queryParams: [ValueMatchPlan(name: "q", kind: .regularExpression, value: "[0-9]+")],
                    position: SourcePosition(file: 0, line: 9, column: 3)),
                MatchPlan(path: .exact("/x"), method: "PURGE"),
                MatchPlan(path: .regularExpression("[0-9]+")),
            ],
            filters: filters,
            backends: [
                BackendPlan(
                    target: .cluster(0), weight: 90, filters: filters, name: "default/v1:80",
                    position: SourcePosition(file: 0, line: 20, column: 5)),
                BackendPlan(target: .answer(500), weight: 10, name: "default/none:80"),
            ],
            requestTimeout: .seconds(10), backendRequestTimeout: .milliseconds(500),
            retry: RetryPlan(codes: [502, 503], attempts: 3, backoff: .milliseconds(25)),
            position: SourcePosition(file: 0, line: 8, column: 3))
        var plan = GatewayPlan()
        plan.files = ["routes/shop.yaml"]
        plan.routes = [
            RoutePlan(
                kind: "HTTPRoute", namespace: "default", name: "shop", rules: [rule],
                position: SourcePosition(file: 0, line: 1, column: 1))
        ]
        plan.clusters = [
            ClusterPlan(
                name: "default/v1:80",
                endpoints: [1, 2].map { EndpointPlan(address: .init(ip: IPAddress(v4: 10, 0, 0, $0), port: 80)) }),
            ClusterPlan(name: "default/v2:80", backendProtocol: .http2, endpoints: []),
        ]
        plan.sockets = [
            SocketPlan(
                address: SocketAddress(ip: .any, port: 8080),
                listeners: [
                    ListenerPlan(
                        gatewayNamespace: "infra", gatewayName: "front", name: "http", hostname: "*.example.com",
                        attachments: [.init(hostnames: ["shop.example.com", "*.eu.example.com"], route: 0)],
                        position: SourcePosition(file: 0, line: 30, column: 1))
                ])
        ]
        return plan
    }

    static func block(_ plan: GatewayPlan) throws -> [UInt8] {
        var slot: UInt32 = 100
        return try SnapshotBuilder.build(
            plan, generation: 4, revision: 5, sourceHash: 6, socketIDs: plan.sockets.indices.map { UInt32($0) + 7 },
            slots: SnapshotSlots(endpoint: { _ in
                slot += 1
                return slot
            }))
    }

    static func read(_ plan: GatewayPlan, _ body: (Snapshot) throws -> Void) throws {
        let octets = try block(plan)
        try octets.withUnsafeBytes { memory in
            try body(try #require(Snapshot(base: memory.baseAddress!, size: memory.count)))
        }
    }

    /// Under one name connections are shared, and with them who is believed.
    @Test func oneNameIsOneWayOfCalling() throws {
        var plan = Self.full
        plan.clusters.append(plan.clusters[0])
        _ = try Self.block(plan)
        plan.clusters[2].tls = UpstreamTLSPlan(trust: .system, serverName: "a.example", hostname: "a.example")
        #expect(throws: SnapshotBuildError.sameName(cluster: "default/v1:80")) { try Self.block(plan) }
    }

    @Test func everyRecordIsReadAsItWasPlanned() throws {
        try Self.read(Self.full) { snapshot in
            func text(_ ref: TextRef) -> String { snapshot.text(ref).string }
            func texts(_ table: Table<TextRef>) -> [String] {
                (0..<Int(table.count)).map { text(snapshot[table, $0].pointee) }
            }
            let header = snapshot.header.pointee
            #expect((header.generation, header.revision, header.sourceHash) == (4, 5, 6))
            #expect(Int(header.size) == snapshot.size)
            #expect(texts(header.files) == ["routes/shop.yaml"])
            #expect(texts(header.patterns) == ["[0-9]+"])

            let socket = snapshot[header.sockets, 0].pointee
            #expect(socket.id == 7)
            #expect(socket.address.description == "[::]:8080")
            let listener = snapshot[header.listeners, 0].pointee
            #expect(text(listener.gatewayNamespace) == "infra")
            #expect(text(listener.gatewayName) == "front")
            #expect(text(listener.name) == "http")
            #expect(text(listener.hostname) == "*.example.com")
            #expect(listener.port == 8080)
            #expect(listener.position == SourcePosition(file: 0, line: 30, column: 1))
            #expect(listener.pathIndexes.count == 2)

            let route = snapshot[header.routes, 0].pointee
            #expect(text(route.kind) == "HTTPRoute")
            #expect(text(route.qualifiedName) == "default/shop")
            let rule = snapshot[header.rules, 0].pointee
            #expect(text(rule.name) == "canary")
            #expect(rule.totalWeight == 100)
            #expect(rule.requestTimeout == .seconds(10))
            #expect(rule.backendRequestTimeout == .milliseconds(500))
            #expect(rule.retry.attempts == 3)
            #expect(rule.retry.backOff.base == .milliseconds(25))
            #expect((0..<2).map { snapshot[rule.retry.codes, $0].pointee } == [502, 503])

            let first = snapshot[rule.backends, 0].pointee
            #expect((first.cluster, first.weight) == (0, 90))
            #expect(text(first.name) == "default/v1:80")
            let second = snapshot[rule.backends, 1].pointee
            #expect((second.cluster, second.status, second.weight) == (BackendConfig.invalid, 500, 10))

            for filters in [rule.filters, first.filters] {
                let set = snapshot[filters.requestHeaders, 0].pointee
                #expect(set.action == .set)
                #expect((text(set.name), text(set.value)) == ("X-A", "1"))
                #expect(snapshot[filters.requestHeaders, 1].pointee.action == .remove)
                #expect(snapshot[filters.responseHeaders, 0].pointee.action == .add)
                let redirect = snapshot[filters.redirect, 0].pointee
                #expect((text(redirect.scheme), text(redirect.hostname)) == ("https", "other.example"))
                #expect((redirect.port, redirect.statusCode) == (8443, 308))
                #expect((redirect.path.kind, text(redirect.path.value)) == (.replaceFullPath, "/new"))
                let rewrite = snapshot[filters.rewrite, 0].pointee
                #expect((rewrite.path.kind, text(rewrite.path.value)) == (.replacePrefixMatch, "/inner"))
                #expect(text(rewrite.hostname) == "inner.example")
                let mirror = snapshot[filters.mirrors, 0].pointee
                #expect((mirror.cluster, mirror.numerator, mirror.denominator) == (1, 1, 3))
                let cors = snapshot[filters.cors, 0].pointee
                #expect(texts(cors.allowOrigins) == ["https://a.example", "https://*.b.example"])
                #expect(texts(cors.allowMethods) == ["PUT"])
                #expect(texts(cors.allowHeaders) == ["x-d"])
                #expect(texts(cors.exposeHeaders) == ["x-e"])
                #expect(cors.maxAge == 7)
                #expect(cors.allowCredentials)
            }
            #expect(second.filters.requestHeaders.isEmpty && second.filters.cors.isEmpty)

            let clusters = (0..<2).map { snapshot[header.clusters, $0].pointee }
            #expect(clusters.map { text($0.name) } == ["default/v1:80", "default/v2:80"])
            #expect(clusters[1].backendProtocol == .http2)
            #expect(clusters[1].endpoints.isEmpty)
            let endpoints = (0..<2).map { snapshot[clusters[0].endpoints, $0].pointee }
            #expect(endpoints.map(\.address.description) == ["10.0.0.1:80", "10.0.0.2:80"])
            #expect(endpoints.map(\.slot) == [101, 102])
            #expect(endpoints[0].identity != endpoints[1].identity)
        }
    }

    @Test func hostsOfTheSameRoutesShareOneIndex() throws {
        try Self.read(Self.full) { snapshot in
            let listener = snapshot[snapshot.header.pointee.listeners, 0].pointee
            let indexes = (0..<2).map { snapshot[listener.pathIndexes, $0].pointee }
            #expect(indexes[0].exact.offset == indexes[1].exact.offset)
            #expect(indexes[0].prefixes.offset == indexes[1].prefixes.offset)
            #expect(indexes[0].regularExpressions.count == 1)
            #expect(indexes[0].longestPrefix == 1)
        }
    }

    @Test func anEmptyPlanIsASnapshot() throws {
        try Self.read(GatewayPlan()) { snapshot in
            #expect(snapshot.header.pointee.sockets.isEmpty)
            #expect(snapshot.size == MemoryLayout<SnapshotHeader>.stride)
        }
    }

    @Test func identitiesSurviveWhatDoesNotConcernThem() throws {
        func identities(_ plan: GatewayPlan) throws -> (rule: UInt64, cluster: UInt64, endpoint: UInt64) {
            var found: (UInt64, UInt64, UInt64) = (0, 0, 0)
            try Self.read(plan) { snapshot in
                let header = snapshot.header.pointee
                let cluster = snapshot[header.clusters, 0].pointee
                found = (
                    snapshot[header.rules, 0].pointee.identity, cluster.identity,
                    snapshot[cluster.endpoints, 0].pointee.identity
                )
            }
            return found
        }
        let before = try identities(Self.full)
        var moved = Self.full
        moved.routes.append(moved.routes[0])
        moved.routes[0].rules[0].matches.removeLast()
        moved.clusters[0].endpoints.removeLast()
        moved.clusters[1].name = "default/v3:80"
        #expect(try identities(moved) == before)
        var reweighted = Self.full
        reweighted.routes[0].rules[0].backends[0].weight = 80
        #expect(try identities(reweighted).rule != before.rule)
        var renamed = Self.full
        renamed.clusters[0].name = "default/v9:80"
        #expect(try identities(renamed).cluster != before.cluster)
        #expect(try identities(renamed).endpoint != before.endpoint)
    }

    @Test func aBlockPastItsLimitIsAnError() {
        var limits = SnapshotLimits()
        limits.octets = 1500
        #expect(throws: SnapshotBuildError.blockTooLarge(limit: 1500)) {
            _ = try SnapshotBuilder.buildBlock(
                Self.full, generation: 1, revision: 1, sourceHash: 1, socketIDs: [0], limits: limits
            ).bytes.count
        }
    }

    @Test func everyLimitOfOctetsIsAnErrorAndNotATrap() throws {
        let whole = try Self.block(Self.full).count
        for octets in 0..<whole {
            var limits = SnapshotLimits()
            limits.octets = octets
            #expect(throws: SnapshotBuildError.blockTooLarge(limit: octets)) {
                _ = try SnapshotBuilder.buildBlock(
                    Self.full, generation: 1, revision: 1, sourceHash: 1, socketIDs: [0], limits: limits
                ).bytes.count
            }
        }
    }

    @Test func aPrefixOfTooManySegmentsIsAnError() {
        var plan = Self.full
        plan.routes[0].rules[0].matches[0].path = .prefix(String(repeating: "/a", count: 1025))
        #expect(throws: SnapshotBuildError.prefixTooDeep(route: "default/shop", rule: 0, segments: 1025)) {
            try Self.block(plan)
        }
    }

    @Test func moreMatchesThanCanBeNumberedAreAnError() {
        var plan = Self.full
        plan.routes[0].rules[0].matches = Array(repeating: MatchPlan(path: .prefix("/")), count: 65_536)
        #expect(throws: SnapshotBuildError.tooManyMatches(route: "default/shop", rule: 0, count: 65_536)) {
            try Self.block(plan)
        }
    }
}
