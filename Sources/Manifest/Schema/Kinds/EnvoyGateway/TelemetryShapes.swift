/// BackendTrafficPolicy.telemetry: traces and statistics.
enum TelemetryShapes {
    static let telemetry = Shape.object([
        optional("metrics", .object([optional("routeStatName", .string)])),
        optional("tracing", tracing),
    ])

    private static let tracing = Shape.object([
        optional("samplingFraction", PolicyShapes.fraction),
        optional("clientSamplingFraction", PolicyShapes.fraction),
        optional("overallSamplingFraction", PolicyShapes.fraction),
        optional("customTags", .map(of: customTag)),
        optional("tags", .stringMap),
        optional("spanName", .object([required("client", .string), required("server", .string)])),
    ])

    private static let customTag = Shape.object([
        optional("type", .choice("Literal", "Environment", "RequestHeader"), default: "Literal"),
        optional("literal", .object([required("value", .string)])),
        optional("environment", nameOrDefault),
        optional("requestHeader", nameOrDefault),
    ])

    private static let nameOrDefault = Shape.object([required("name", .string), optional("defaultValue", .string)])
}
