/// How the gateway deals with a set of endpoints: all of it stands in a BackendTrafficPolicy's spec, and as
/// `backendSettings` where a SecurityPolicy names servers of its own.
enum ClusterSettings {
    static let fields = [
        optional("loadBalancer", LoadBalancerShapes.loadBalancer),
        optional("retry", retry),
        optional("proxyProtocol", .object([required("version", .choice("V1", "V2"))])),
        optional("tcpKeepalive", ConnectionShapes.tcpKeepalive),
        optional("healthCheck", HealthCheckShapes.healthCheck),
        optional("circuitBreaker", circuitBreaker),
        optional("timeout", timeout),
        optional("connection", connection),
        optional("dns", dns),
        optional("http2", ConnectionShapes.http2),
    ]

    static let rules = [predictionOfType]

    /// `backendSettings`
    static let shape = Shape.object(fields, rules: rules)

    /// Only these two choose the next endpoint before it is needed.
    private static let predictionOfType: Rule = { settings, report in
        let predictive = settings["connection"]["preconnect"]["predictivePercent"]
        guard predictive.exists, !settings["loadBalancer"]["type"].isAny(of: "Random", "RoundRobin") else { return }
        report.refuse(predictive, "predictivePercent in preconnect only works with RoundRobin or Random load balancers")
    }

    private static let retry = Shape.object([
        optional("numRetries", .nonNegativeInt32, default: "2"),
        optional("numAttemptsPerPriority", .int32),
        optional(
            "retryOn",
            .object([
                optional(
                    "triggers",
                    .list(
                        .choice(
                            "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure",
                            "retriable-4xx", "refused-stream", "retriable-status-codes", "cancelled",
                            "deadline-exceeded", "internal", "resource-exhausted", "unavailable"))),
                optional("httpStatusCodes", PolicyShapes.httpStatuses),
            ])),
        optional(
            "perRetry",
            .object([
                optional("timeout", .duration),
                optional(
                    "backOff", .object([optional("baseInterval", .duration), optional("maxInterval", .duration)])),
            ])),
    ])

    private static let circuitBreaker = Shape.object([
        optional("maxConnections", PolicyShapes.count32, default: "1024"),
        optional("maxPendingRequests", PolicyShapes.count32, default: "1024"),
        optional("maxParallelRequests", PolicyShapes.count32, default: "1024"),
        optional("maxParallelRetries", PolicyShapes.count32, default: "1024"),
        optional("maxRequestsPerConnection", PolicyShapes.count32),
        optional("perEndpoint", .object([optional("maxConnections", PolicyShapes.count32, default: "1024")])),
        optional(
            "retryBudget",
            .object([required("percent", PolicyShapes.fraction), optional("minRetryConcurrency", .int32)])),
    ])

    private static let timeout = Shape.object([
        optional("tcp", .object([optional("connectTimeout", .duration)])),
        optional(
            "http",
            .object([
                optional("connectionIdleTimeout", .duration), optional("maxConnectionDuration", .duration),
                optional("maxStreamDuration", .duration), optional("requestTimeout", .duration),
                optional("streamIdleTimeout", .duration),
            ])),
    ])

    private static let connection = Shape.object([
        optional("bufferLimit", PolicyShapes.quantity),
        optional("socketBufferLimit", PolicyShapes.quantity),
        optional(
            "preconnect",
            .object([
                optional("perEndpointPercent", .integer(100...300)),
                optional("predictivePercent", .integer(100...Int64(Int32.max))),
            ])),
    ])

    private static let dns = Shape.object([
        optional("dnsRefreshRate", .duration),
        optional("respectDnsTtl", .boolean),
        optional("lookupFamily", .choice("IPv4", "IPv6", "IPv4Preferred", "IPv6Preferred", "IPv4AndIPv6")),
    ])
}
