import Config
import Core
import Testing

@testable import Manifest

/// BackendTrafficPolicy `loadBalancer` and `circuitBreaker`, Backend `fallback`, zones: what becomes of them.
@Suite struct LoadBalancerFields {
    private static func resolve(_ fields: String, annotations: String = "{}") -> Resolution {
        Resolver.resolve(
            read(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: gateway, namespace: default}
                spec: {gatewayClassName: sluice, listeners: [{name: http, protocol: HTTP, port: 80}]}
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: route, namespace: default}
                spec:
                  parentRefs: [{name: gateway}]
                  rules: [{backendRefs: [
                    {group: gateway.envoyproxy.io, kind: Backend, name: backend},
                    {name: service, port: 80}]}]
                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: Backend
                metadata: {name: backend, namespace: default}
                spec:
                  fallback: true
                  endpoints: [{ip: {address: 10.0.0.1, port: 80}, zone: west}]
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: service, namespace: default}
                spec: {ports: [{port: 80}]}
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: service-1, namespace: default, labels: {kubernetes.io/service-name: service}}
                addressType: IPv4
                ports: [{port: 80}]
                endpoints: [{addresses: [10.0.0.2], zone: east}, {addresses: [10.0.0.3]}]
                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: BackendTrafficPolicy
                metadata: {name: policy, namespace: default, annotations: \(annotations)}
                spec:
                  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}]
                  \(fields)

                """), now: "2026-01-01T00:00:00Z")
    }

    private static func balancer(_ fields: String, annotations: String = "{}") throws -> LoadBalancerPlan {
        try #require(resolve("loadBalancer: \(fields)", annotations: annotations).plan.clusters.first)
            .traffic.loadBalancer
    }

    static let algorithms: [(String, LoadBalancerPlan.Algorithm)] = [
        ("LeastRequest", .leastRequest), ("RoundRobin", .roundRobin), ("Random", .random),
    ]

    @Test(arguments: algorithms) func typesAreRead(_ type: String, _ algorithm: LoadBalancerPlan.Algorithm) throws {
        #expect(try Self.balancer("{type: \(type)}").algorithm == algorithm)
    }

    static let hashes: [(String, HashKeyPlan)] = [
        ("{type: SourceIP}", HashKeyPlan(.sourceIP)),
        ("{type: SourceIP, tableSize: 101}", HashKeyPlan(.sourceIP, tableSize: 101)),
        ("{type: Header, header: {name: X-User}}", HashKeyPlan(.headers, names: ["x-user"])),
        ("{type: Headers, headers: [{name: X-User}, {name: b}]}", HashKeyPlan(.headers, names: ["x-user", "b"])),
        ("{type: QueryParams, queryParams: [{name: User}]}", HashKeyPlan(.queryParams, names: ["User"])),
        ("{type: Cookie, cookie: {name: lb}}", HashKeyPlan(.cookie, names: ["lb"])),
        (
            "{type: Cookie, cookie: {name: lb, ttl: 1m, attributes: {SameSite: Strict, Path: /, Secure: ''}}}",
            HashKeyPlan(
                .cookie, names: ["lb"], cookieAttributes: "; Max-Age=60; Path=/; SameSite=Strict; Secure")
        ),
    ]

    @Test(arguments: hashes) func whatIsHashedIsRead(_ hash: String, _ plan: HashKeyPlan) throws {
        let balancer = try Self.balancer("{type: ConsistentHash, consistentHash: \(hash)}")
        #expect(balancer.algorithm == .consistentHash)
        #expect(balancer.hash == plan)
    }

    @Test func theRestIsRead() throws {
        let balancer = try Self.balancer(
            """
            {type: RoundRobin, slowStart: {window: 30s},
                zoneAware: {weightedZones: [{zone: west, weight: 3}]},
                endpointOverride: {extractFrom: [{header: X-Endpoint}]}}
            """)
        #expect(balancer.slowStart == .seconds(30))
        #expect(balancer.zones == .weighted([ZoneWeightPlan(zone: "west", weight: 3)]))
        #expect(balancer.overrideHeaders == ["x-endpoint"])
    }

    static let locals: [(String, UInt64, UInt32, UInt32)] = [
        ("{}", 6, 100, 0), ("{minEndpointsThreshold: 1, percentageEnabled: 40}", 1, 40, 0),
        ("{force: {}}", 6, 100, 1), ("{force: {minEndpointsInZoneThreshold: 3}}", 6, 100, 3),
    ]

    @Test(arguments: locals)
    func preferLocalIsRead(_ written: String, _ least: UInt64, _ percentage: UInt32, _ force: UInt32) throws {
        var plan = PreferLocalPlan()
        plan.minEndpoints = least
        plan.percentage = percentage
        plan.forceMinimum = force
        let balancer = try Self.balancer("{type: Random, zoneAware: {preferLocal: \(written)}}")
        #expect(balancer.zones == .preferLocal(plan))
    }

    @Test func theAnnotationAsksForLatency() throws {
        let annotations = "{sluice.dev/load-balancer: PeakEWMA}"
        #expect(try Self.balancer("{type: LeastRequest}", annotations: annotations).algorithm == .peakEWMA)
        let alone = Self.resolve("useClientProtocol: false", annotations: annotations)
        #expect(alone.plan.clusters.first?.traffic.loadBalancer.algorithm == .peakEWMA)
    }

    static let refused: [(fields: String, annotations: String, words: String)] = [
        (
            "loadBalancer: {type: DynamicModule, dynamicModule: {name: a, lbPolicyName: b}}", "{}",
            "is not supported by Sluice"
        ),
        ("loadBalancer: {type: Random}", "{sluice.dev/load-balancer: PeakEWMA}", "leave one of them out"),
        ("loadBalancer: {type: LeastRequest}", "{sluice.dev/load-balancer: Fastest}", "'PeakEWMA' is the one value"),
        (
            "loadBalancer: {type: ConsistentHash, consistentHash: {type: Cookie, cookie: {name: 'a b'}}}", "{}",
            "each name to hash"
        ),
        (
            "loadBalancer: {type: ConsistentHash, "
                + "consistentHash: {type: Cookie, cookie: {name: a, attributes: {Path: \"/\\n\"}}}}", "{}",
            "cannot stand in a Set-Cookie field"
        ),
    ]

    @Test(arguments: refused) func whatCannotBeDoneIsRefused(_ fields: String, _ annotations: String, _ words: String) {
        let resolution = Self.resolve(fields, annotations: annotations)
        #expect(resolution.findings.contains { $0.message.contains(words) }, "\(resolution.findings)")
        let backends = resolution.plan.routes.first?.rules.first?.backends ?? []
        for backend in backends { #expect(backend.target == .answer(500)) }
    }

    @Test func breakersAreRead() throws {
        func plan(_ written: String) throws -> CircuitBreakerPlan {
            try #require(Self.resolve("circuitBreaker: \(written)").plan.clusters.first).traffic.circuitBreaker
        }
        #expect(try plan("{}") == CircuitBreakerPlan())
        let whole = try plan(
            """
            {maxConnections: 1, maxPendingRequests: 0, maxParallelRequests: 3, maxParallelRetries: 4,
                maxRequestsPerConnection: 5, perEndpoint: {maxConnections: 6},
                retryBudget: {percent: {numerator: 1, denominator: 4}}}
            """)
        var expected = CircuitBreakerPlan()
        expected.maxConnections = 1
        expected.maxPendingRequests = 0
        expected.maxParallelRequests = 3
        expected.maxParallelRetries = 4
        expected.maxRequestsPerConnection = 5
        expected.maxConnectionsPerEndpoint = 6
        expected.retryBudget = RetryBudgetPlan(numerator: 1, denominator: 4, minRetryConcurrency: 3)
        #expect(whole == expected)
        #expect(try plan("{perEndpoint: {}}").maxConnectionsPerEndpoint == 1024)
    }

    @Test func zonesAndFallbackAreRead() throws {
        let clusters = Self.resolve("circuitBreaker: {}").plan.clusters
        let backend = try #require(clusters.first { $0.backend.contains("backend/default/backend") })
        #expect(backend.isFallback)
        #expect(backend.endpoints.map(\.zone) == ["west"])
        let service = try #require(clusters.first { $0.backend.contains("default/service") })
        #expect(!service.isFallback)
        #expect(service.endpoints.map(\.zone) == ["east", ""])
    }
}
