/// `loadBalancer`: which endpoint takes a request.
enum LoadBalancerShapes {
    static let loadBalancer = Shape.object(
        [
            required(
                "type",
                .choice(
                    "ConsistentHash", "LeastRequest", "Random", "RoundRobin", "BackendUtilization", "DynamicModule")),
            optional("consistentHash", consistentHash),
            optional("backendUtilization", backendUtilization),
            optional("dynamicModule", dynamicModule),
            optional("slowStart", .object([required("window", .duration)])),
            optional("zoneAware", zoneAware),
            optional(
                "endpointOverride",
                .object([required("extractFrom", .list(.object([optional("header", .string)]), 1...10))])),
        ],
        rules: [
            FilterRules.typeAndField([
                ("ConsistentHash", "consistentHash"), ("BackendUtilization", "backendUtilization"),
                ("DynamicModule", "dynamicModule"),
            ]), extrasOfType,
        ])

    private static let extrasOfType: Rule = { balancer, report in
        let type = balancer["type"]
        let slowStart = balancer["slowStart"]
        let zoneAware = balancer["zoneAware"]
        let override = balancer["endpointOverride"]
        if slowStart.exists, type.isAny(of: "Random", "ConsistentHash", "DynamicModule") {
            report.refuse(
                slowStart,
                "slowStart is only supported for RoundRobin, LeastRequest and BackendUtilization load balancers")
        }
        if zoneAware["preferLocal"].exists, type.isAny(of: "ConsistentHash", "BackendUtilization") {
            report.refuse(
                zoneAware["preferLocal"],
                "preferLocal is not supported for \(type.text.string) load balancers; use weightedZones instead")
        }
        guard type.equals("DynamicModule") else { return }
        if zoneAware.exists {
            report.refuse(zoneAware, "zoneAware routing is not supported for DynamicModule load balancers")
        }
        if override.exists {
            report.refuse(override, "endpointOverride is not supported for DynamicModule load balancers")
        }
    }

    private static let zoneAware = Shape.object(
        [
            optional(
                "preferLocal",
                .object([
                    optional("force", .object([optional("minEndpointsInZoneThreshold", .int32)])),
                    optional("minEndpointsThreshold", .int64),
                    optional("percentageEnabled", PolicyShapes.percent),
                ])),
            optional(
                "weightedZones",
                .list(
                    .object([required("zone", .string), required("weight", .int32)]), 0 ... .max, .map(["zone"]))),
        ], rules: [FieldRules.notBoth("preferLocal", "weightedZones")])

    private static let consistentHash = Shape.object(
        [
            required("type", .choice("SourceIP", "Header", "Headers", "Cookie", "QueryParams")),
            optional("header", PolicyShapes.named),
            optional("headers", .list(PolicyShapes.named)),
            optional(
                "cookie",
                .object([
                    required("name", .string), optional("ttl", .duration), optional("attributes", .stringMap),
                ])),
            optional("queryParams", .list(PolicyShapes.named)),
            // A prime number is best; Envoy's bounds of the table that Maglev hashing uses.
            optional("tableSize", .integer(2...5_000_011), default: "65537"),
        ],
        rules: [
            FilterRules.typeAndField([
                ("Header", "header"), ("Headers", "headers"), ("Cookie", "cookie"), ("QueryParams", "queryParams"),
            ])
        ])

    private static let backendUtilization = Shape.object([
        optional("blackoutPeriod", .duration),
        optional("weightExpirationPeriod", .duration),
        optional("weightUpdatePeriod", .duration),
        optional("errorUtilizationPenaltyPercent", .nonNegativeInt32),
        optional("metricNamesForComputingUtilization", .strings),
        optional("keepResponseHeaders", .boolean, default: "false"),
        optional(
            "outOfBand",
            .object([
                optional("reportingPeriod", Shape.duration.with(rules: [notZero])),
                optional("authority", .text(1...259, .oneLine)),
                optional("port", .port),
            ])),
    ])

    private static let notZero: Rule = { period, report in
        if DurationText.nanoseconds(period.text) == 0 {
            report.refuse(period, "reportingPeriod must be greater than 0")
        }
    }

    private static let dynamicModule = Shape.object([
        required("name", .text(1...253, .moduleName)),
        required("lbPolicyName", .text(1...253)),
        optional("config", .any),
    ])
}
