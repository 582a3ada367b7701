/// BackendTrafficPolicy (Envoy Gateway): how the gateway deals with backends.
enum BackendTrafficPolicySchema {
    static let fields = [
        required(
            "spec",
            .object(
                PolicyTargets.fields + [PolicyTargets.mergeType] + ClusterSettings.fields + settings,
                rules: targets.rules + ClusterSettings.rules + [
                    PolicyTargets.field("mergeType", onlyOn: targets.routeKinds),
                    PolicyTargets.field(
                        "admissionControl", onlyOn: ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "Service"]),
                    FieldRules.notBoth("compression", "compressor"), bufferOrUpgrade,
                ]))
    ]

    private static let targets = PolicyTargets(
        "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "UDPRoute", "TCPRoute", "TLSRoute",
        takesServices: true)

    private static let settings = [
        optional("admissionControl", admissionControl),
        optional("bandwidthLimit", bandwidthLimit),
        optional("compression", compression),
        optional("compressor", compression),
        optional("faultInjection", FaultInjectionShapes.faultInjection),
        optional("httpUpgrade", httpUpgrade),
        optional("rateLimit", RateLimitShapes.rateLimit),
        optional("requestBuffer", .object([optional("limit", PolicyShapes.quantity)])),
        optional("responseOverride", CustomResponseShapes.overrides),
        optional("routingType", .string),
        optional("telemetry", TelemetryShapes.telemetry),
        optional("useClientProtocol", .boolean),
    ]

    /// A request that is upgraded has no end that could be waited for.
    private static let bufferOrUpgrade: Rule = { spec, report in
        guard spec["requestBuffer"].exists, spec["httpUpgrade"].count > 0 else { return }
        report.refuse(spec["requestBuffer"], "requestBuffer cannot be used together with httpUpgrade")
    }

    private static let compression = Shape.list(
        .object([
            required("type", .choice("Gzip", "Brotli", "Zstd")),
            optional("gzip", .object([])), optional("brotli", .object([])), optional("zstd", .object([])),
            optional("minContentLength", PolicyShapes.quantity),
        ]))

    private static let httpUpgrade = Shape.list(
        .object(
            [
                required("type", .string),
                optional("connect", .object([optional("terminate", .boolean)])),
            ], rules: [connectOfType]))

    private static let connectOfType: Rule = { upgrade, report in
        guard upgrade["connect"].exists, !upgrade["type"].equals("CONNECT") else { return }
        report.refuse(upgrade["connect"], "connect is only allowed when the type is CONNECT")
    }

    // MARK: admission and bandwidth

    private static let admissionControl = Shape.object([
        optional("samplingWindow", Shape.duration.with(rules: [oneSecond])),
        optional("minSuccessRate", .integer(1...100)),
        optional("minRequestRate", .nonNegativeInt32),
        optional("maxRejectionPercent", PolicyShapes.percent),
        optional("rejectionAggression", .positiveInt32),
        optional(
            "successCriteria",
            .object([
                optional("http", .object([optional("statusCodes", PolicyShapes.httpStatuses)])),
                optional("grpc", .object([optional("statusCodes", .list(grpcStatus))])),
            ])),
    ])

    private static let oneSecond: Rule = { window, report in
        guard let length = DurationText.nanoseconds(window.text), length < 1_000_000_000 else { return }
        report.refuse(window, "samplingWindow must be at least 1s")
    }

    private static let grpcStatus = Shape.choice(
        "Ok", "Cancelled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
        "Internal", "Unavailable", "DataLoss", "Unauthenticated")

    private static let bandwidthLimit = Shape.object(
        [
            optional("request", .object([required("limit", bandwidth)])),
            optional(
                "response",
                .object([
                    required("limit", bandwidth),
                    optional(
                        "responseTrailers", .object([optional("prefix", .text(0 ... .max, .oneLine))])),
                ])),
        ], rules: [FieldRules.anyOf("request", "response")])

    private static let bandwidth = Shape.object([
        required("value", PolicyShapes.quantity), required("unit", .choice("Second", "Minute", "Hour")),
    ])
}
