import Testing

@testable import Manifest

@Suite struct BackendTrafficPolicySchemaRules {
    static func policy(_ spec: String) -> String {
        envoyGateway("BackendTrafficPolicy", "targetRef: \(PolicyTargetRules.route), \(spec)")
    }
    static func active(_ spec: String) -> String { policy("healthCheck: {active: {\(spec)}}") }
    static func balancer(_ spec: String) -> String { policy("loadBalancer: {\(spec)}") }
    static func hash(_ spec: String) -> String { balancer("type: ConsistentHash, consistentHash: {\(spec)}") }
    static let activePath = "spec.healthCheck.active"
    static let hashPath = "spec.loadBalancer.consistentHash"

    static let settings: [SchemaCase] = [
        .taken(policy("useClientProtocol: true, routingType: Service")),
        .refused(policy("compression: [{type: Gzip}], compressor: []"), "spec.compressor", "only one of"),
        .refused(policy("compression: [{type: Deflate}]"), "spec.compression[0].type"),
        .taken(policy("compressor: [{type: Zstd, zstd: {}, minContentLength: 1Ki}]")),
        .taken(policy("requestBuffer: {limit: 1Mi}, httpUpgrade: []")),
        .refused(
            policy("requestBuffer: {limit: 1Mi}, httpUpgrade: [{type: websocket}]"), "spec.requestBuffer",
            "together with httpUpgrade"),
        .taken(policy("httpUpgrade: [{type: CONNECT, connect: {terminate: true}}]")),
        .refused(
            policy("httpUpgrade: [{type: websocket, connect: {}}]"), "spec.httpUpgrade[0].connect", "CONNECT"),
        .taken(policy("admissionControl: {samplingWindow: 1s, minSuccessRate: 1, maxRejectionPercent: 0}")),
        .refused(
            policy("admissionControl: {samplingWindow: 999ms}"), "spec.admissionControl.samplingWindow",
            "at least 1s"),
        .refused(policy("admissionControl: {minSuccessRate: 0}"), "spec.admissionControl.minSuccessRate", "1 to 100"),
        .refused(
            policy("admissionControl: {maxRejectionPercent: 101}"), "spec.admissionControl.maxRejectionPercent",
            "0 to 100"),
        .refused(
            policy("admissionControl: {successCriteria: {grpc: {statusCodes: [OK]}}}"),
            "spec.admissionControl.successCriteria.grpc.statusCodes[0]", "did you mean 'Ok'?"),
        .refused(
            envoyGateway(
                "BackendTrafficPolicy",
                "targetRef: {group: gateway.networking.k8s.io, kind: TCPRoute, name: a}, admissionControl: {}"),
            "spec.admissionControl", "can only be used with"),
        .refused(
            envoyGateway("BackendTrafficPolicy", "targetSelectors: [{kind: UDPRoute}], admissionControl: {}"),
            "spec.admissionControl", "one is a UDPRoute"),
        .taken(envoyGateway("BackendTrafficPolicy", "targetSelectors: [{kind: GRPCRoute}], admissionControl: {}")),
        .refused(policy("bandwidthLimit: {}"), "spec.bandwidthLimit", "one of request or response"),
        .taken(policy("bandwidthLimit: {request: {limit: {value: 1Mi, unit: Second}}}")),
        .refused(
            policy(
                "bandwidthLimit: {response: {limit: {value: 1, unit: Hour}, responseTrailers: {prefix: \"a\\r\"}}}"),
            "spec.bandwidthLimit.response.responseTrailers.prefix", "one line"),
        .refused(policy("faultInjection: {}"), "spec.faultInjection", "delay or abort"),
        .refused(policy("faultInjection: {abort: {}}"), "spec.faultInjection.abort", "httpStatus or grpcStatus"),
        .refused(
            policy("faultInjection: {abort: {httpStatus: 500, grpcStatus: 1}}"),
            "spec.faultInjection.abort.grpcStatus", "only one of"),
        .taken(policy("faultInjection: {delay: {fixedDelay: 1s, percentage: 0.5}}")),
        .refused(
            policy("faultInjection: {delay: {fixedDelay: 1s, percentage: half}}"),
            "spec.faultInjection.delay.percentage", "a number"),
        .refused(policy("faultInjection: {abort: {httpStatus: 601}}"), "spec.faultInjection.abort.httpStatus"),
        .refused(
            policy("telemetry: {tracing: {samplingFraction: {numerator: 101}}}"),
            "spec.telemetry.tracing.samplingFraction.numerator", "denominator"),
        .taken(policy("telemetry: {tracing: {customTags: {a: {literal: {value: b}}}, tags: {c: d}}}")),
        .refused(
            policy("telemetry: {tracing: {customTags: {a: {type: Header}}}}"),
            "spec.telemetry.tracing.customTags.a.type"),
    ]

    static let clusters: [SchemaCase] = [
        .taken(policy("circuitBreaker: {maxConnections: 4294967295, perEndpoint: {}}")),
        .refused(
            policy("circuitBreaker: {maxConnections: 4294967296}"), "spec.circuitBreaker.maxConnections",
            "4294967295 is the most"),
        .refused(
            policy("circuitBreaker: {maxPendingRequests: -1}"), "spec.circuitBreaker.maxPendingRequests",
            "0 is the least"),
        .refused(
            policy("circuitBreaker: {retryBudget: {percent: {numerator: 2, denominator: 1}}}"),
            "spec.circuitBreaker.retryBudget.percent.numerator", "less than or equal"),
        .refused(policy("retry: {retryOn: {triggers: [4xx]}}"), "spec.retry.retryOn.triggers[0]"),
        .refused(policy("retry: {retryOn: {httpStatusCodes: [600]}}"), "spec.retry.retryOn.httpStatusCodes[0]"),
        .refused(policy("proxyProtocol: {}"), "spec.proxyProtocol.version", "is missing"),
        .refused(policy("dns: {lookupFamily: IPv5}"), "spec.dns.lookupFamily"),
        .refused(
            policy("connection: {preconnect: {perEndpointPercent: 301}}"),
            "spec.connection.preconnect.perEndpointPercent", "100 to 300"),
        .refused(
            policy("connection: {preconnect: {predictivePercent: 100}}"),
            "spec.connection.preconnect.predictivePercent", "RoundRobin or Random"),
        .refused(
            policy("connection: {preconnect: {predictivePercent: 100}}, loadBalancer: {type: LeastRequest}"),
            "spec.connection.preconnect.predictivePercent"),
        .taken(policy("connection: {preconnect: {predictivePercent: 100}}, loadBalancer: {type: Random}")),
        .refused(
            policy("http2: {connectionKeepalive: {interval: 1s, timeout: 1s}}"),
            "spec.http2.connectionKeepalive.timeout", "less than interval"),
    ]

    static let balancers: [SchemaCase] = [
        .taken(balancer("type: LeastRequest, slowStart: {window: 1s}, zoneAware: {preferLocal: {}}")),
        .refused(balancer("slowStart: {window: 1s}"), "spec.loadBalancer.type", "is missing"),
        .refused(balancer("type: ConsistentHash"), "spec.loadBalancer.consistentHash", "must be specified"),
        .refused(
            balancer("type: Random, consistentHash: {type: SourceIP}"), "spec.loadBalancer.consistentHash", "nil unless"
        ),
        .refused(balancer("type: BackendUtilization"), "spec.loadBalancer.backendUtilization", "must be specified"),
        .refused(balancer("type: DynamicModule"), "spec.loadBalancer.dynamicModule", "must be specified"),
        .refused(
            balancer("type: Random, slowStart: {window: 1s}"), "spec.loadBalancer.slowStart", "only supported for"),
        .refused(
            balancer("type: ConsistentHash, consistentHash: {type: SourceIP}, zoneAware: {preferLocal: {}}"),
            "spec.loadBalancer.zoneAware.preferLocal", "ConsistentHash"),
        .refused(
            balancer("type: BackendUtilization, backendUtilization: {}, zoneAware: {preferLocal: {}}"),
            "spec.loadBalancer.zoneAware.preferLocal", "BackendUtilization"),
        .taken(
            balancer(
                "type: BackendUtilization, backendUtilization: {}, zoneAware: {weightedZones: [{zone: a, weight: 1}]}")),
        .refused(
            balancer("type: DynamicModule, dynamicModule: {name: a, lbPolicyName: b}, zoneAware: {}"),
            "spec.loadBalancer.zoneAware", "DynamicModule"),
        .refused(
            balancer(
                "type: DynamicModule, dynamicModule: {name: a, lbPolicyName: b}, endpointOverride: {extractFrom: [{}]}"),
            "spec.loadBalancer.endpointOverride", "DynamicModule"),
        .taken(balancer("type: DynamicModule, dynamicModule: {name: a.b-c, lbPolicyName: b, config: [1, {a: b}]}")),
        .refused(
            balancer("type: DynamicModule, dynamicModule: {name: a., lbPolicyName: b}"),
            "spec.loadBalancer.dynamicModule.name", "a module's name"),
        .refused(
            balancer("type: Random, zoneAware: {preferLocal: {}, weightedZones: []}"),
            "spec.loadBalancer.zoneAware.weightedZones", "only one of"),
        .refused(
            balancer("type: Random, zoneAware: {weightedZones: [{zone: a, weight: 1}, {zone: a, weight: 2}]}"),
            "spec.loadBalancer.zoneAware.weightedZones[1]", "the zone 'a'"),
        .refused(
            balancer("type: Random, endpointOverride: {extractFrom: []}"),
            "spec.loadBalancer.endpointOverride.extractFrom", "must not be empty"),
        .refused(
            balancer("type: BackendUtilization, backendUtilization: {outOfBand: {reportingPeriod: 0s}}"),
            "spec.loadBalancer.backendUtilization.outOfBand.reportingPeriod", "greater than 0"),
        .refused(
            balancer("type: BackendUtilization, backendUtilization: {outOfBand: {authority: \"a\\n\"}}"),
            "spec.loadBalancer.backendUtilization.outOfBand.authority", "one line"),
        .taken(hash("type: Cookie, cookie: {name: a, ttl: 1h, attributes: {SameSite: Lax}}")),
        .refused(hash("type: Cookie"), "\(hashPath).cookie", "must be specified"),
        .refused(hash("type: Header"), "\(hashPath).header", "must be specified"),
        .refused(hash("type: Headers"), "\(hashPath).headers", "must be specified"),
        .refused(hash("type: QueryParams"), "\(hashPath).queryParams", "must be specified"),
        .refused(hash("type: SourceIP, header: {name: a}"), "\(hashPath).header", "nil unless"),
        .refused(hash("type: SourceIP, tableSize: 1"), "\(hashPath).tableSize"),
    ]

    static let healthChecks: [SchemaCase] = [
        .taken(active("type: GRPC")),
        .taken(active("type: GRPC, grpc: {service: a}")),
        .refused(active("type: HTTP"), "\(activePath).http", "must be specified"),
        .refused(active("type: TCP"), "\(activePath).tcp", "must be specified"),
        .refused(active("type: TCP, tcp: {}, http: {path: /}"), "\(activePath).http", "nil unless"),
        .refused(active("type: GRPC, tcp: {}"), "\(activePath).tcp", "nil unless"),
        .refused(active("type: TCP, tcp: {}, grpc: {}"), "\(activePath).grpc", "is GRPC"),
        .refused(active("type: HTTP, http: {path: ''}"), "\(activePath).http.path", "must not be empty"),
        .taken(active("type: HTTP, http: {path: /, method: post, requestBody: {type: Text, text: a}}")),
        .refused(
            active("type: HTTP, http: {path: /, requestBody: {type: Text, text: a}}"),
            "\(activePath).http.requestBody", "POST or PUT"),
        .refused(
            active("type: HTTP, http: {path: /, method: GET, requestBody: {type: Text, text: a}}"),
            "\(activePath).http.requestBody"),
        .refused(active("type: TCP, tcp: {send: {type: Text}}"), "\(activePath).tcp.send.text", "must be specified"),
        .refused(
            active("type: TCP, tcp: {send: {type: Binary, text: a}}"), "\(activePath).tcp.send.binary",
            "must be specified"),
        .refused(
            active("type: TCP, tcp: {receive: {type: Binary, binary: aGk}}"), "\(activePath).tcp.receive.binary",
            "base64"),
        .taken(active("type: TCP, tcp: {receive: {type: Binary, binary: aGk=}}")),
        .refused(
            active("type: GRPC, healthCheckLog: {matches: [Failure]}"), "\(activePath).healthCheckLog.matches",
            "together"),
        .refused(
            active("type: GRPC, healthCheckLog: {matches: [Failure, Failure]}"),
            "\(activePath).healthCheckLog.matches[1]", "the value 'Failure'"),
        .taken(active("type: GRPC, healthCheckLog: {matches: [FailureSeriesStart, Success], sinks: []}")),
        .refused(
            active("type: GRPC, healthCheckLog: {sinks: [{type: File}]}"),
            "\(activePath).healthCheckLog.sinks[0].file", "must be specified"),
        .refused(
            policy("healthCheck: {passive: {maxEjectionPercent: 101}}"), "spec.healthCheck.passive.maxEjectionPercent"),
        .refused(policy("healthCheck: {panicThreshold: -1}"), "spec.healthCheck.panicThreshold"),
    ]

    static func global(_ rule: String) -> String { policy("rateLimit: {global: {rules: [{\(rule)}]}}") }
    static func local(_ rule: String) -> String { policy("rateLimit: {local: {rules: [{\(rule)}]}}") }
    static let limit = "limit: {requests: 1, unit: Minute}"
    static let rulePath = "spec.rateLimit.global.rules[0]"
    static let localPath = "spec.rateLimit.local.rules[0]"

    static let rateLimits: [SchemaCase] = [
        .taken(global("\(limit), clientSelectors: [{path: {}}], cost: {response: {from: Number, number: 1}}")),
        .refused(global("clientSelectors: []"), "\(rulePath).limit", "is missing"),
        .refused(policy("rateLimit: {global: {}}"), "spec.rateLimit.global.rules", "is missing"),
        .refused(global("\(limit), clientSelectors: [{}]"), "\(rulePath).clientSelectors[0]", "one of headers"),
        .refused(
            global("\(limit), clientSelectors: [{methods: [{value: get}]}]"),
            "\(rulePath).clientSelectors[0].methods[0].value", "did you mean 'GET'?"),
        .refused(
            global("\(limit), cost: {request: {from: Number, number: 1, metadata: {namespace: a, key: b}}}"),
            "\(rulePath).cost.request.metadata", "only one of"),
        .refused(
            local("\(limit), cost: {response: {from: Number}}"), "\(localPath).cost.response", "not supported"),
        .taken(local("\(limit), cost: {request: {from: Number}}")),
        .refused(
            local("limit: {requests: 1, unit: Day, fromMetadata: {namespace: a, key: b}}"),
            "\(localPath).limit.fromMetadata", "not supported"),
        .taken(global("limit: {requests: 1, unit: Day, fromMetadata: {namespace: a, key: b}}")),
    ]

    static func override(_ more: String, match: String = "statusCodes: [{value: 500}]") -> String {
        policy("responseOverride: [{match: {\(match)}, \(more)}]")
    }
    static let overridePath = "spec.responseOverride[0]"

    static let overrides: [SchemaCase] = [
        .taken(override("response: {body: {inline: a}}, source: Local")),
        .taken(override("redirect: {path: {type: ReplaceFullPath, replaceFullPath: /}, statusCode: 301}")),
        .refused(override("source: All"), overridePath, "one of response or redirect"),
        .refused(override("response: {}, redirect: {}"), "\(overridePath).redirect", "only one of"),
        .refused(override("response: {}", match: ""), "\(overridePath).match", "statusCodes or responseHeaders"),
        .refused(
            override("response: {}", match: "statusCodes: [{}]"), "\(overridePath).match.statusCodes[0].value",
            "type Value"),
        .refused(
            override("response: {}", match: "statusCodes: [{type: Range}]"),
            "\(overridePath).match.statusCodes[0].range", "type Range"),
        .refused(
            override("response: {}", match: "statusCodes: [{type: Range, range: {start: 5, end: 5}}]"),
            "\(overridePath).match.statusCodes[0].range.end", "greater than start"),
        .taken(override("response: {}", match: "responseHeaders: [{name: a, value: {type: Prefix, value: b}}]")),
        .refused(
            override("response: {header: {remove: [a]}}"), "\(overridePath).response.header.remove", "not supported"),
        .refused(
            override("redirect: {statusCode: 307}"), "\(overridePath).redirect.statusCode", "'301' or '302'"),
        .refused(
            override("redirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}"),
            "\(overridePath).redirect.path.type", "only ReplaceFullPath"),
        .refused(
            override("redirect: {path: {type: ReplacePrefixMatch}}"),
            "\(overridePath).redirect.path.replacePrefixMatch", "must be specified"),
        .refused(
            override("redirect: {path: {type: ReplaceFullPath}}"), "\(overridePath).redirect.path.replaceFullPath",
            "must be specified"),
        .refused(
            override("redirect: {path: {type: ReplaceFullPath, replaceFullPath: /, replacePrefixMatch: /}}"),
            "\(overridePath).redirect.path.replacePrefixMatch", "nil unless"),
    ]

    @Test(arguments: settings + clusters) func each(_ row: SchemaCase) { row.verify() }
    @Test(arguments: balancers) func loadBalancer(_ row: SchemaCase) { row.verify() }
    @Test(arguments: healthChecks) func healthCheck(_ row: SchemaCase) { row.verify() }
    @Test(arguments: rateLimits) func rateLimit(_ row: SchemaCase) { row.verify() }
    @Test(arguments: overrides) func responseOverride(_ row: SchemaCase) { row.verify() }
}
