/// BackendTrafficPolicy.faultInjection: faults on purpose.
enum FaultInjectionShapes {
    static let faultInjection = Shape.object(
        [
            optional(
                "delay",
                .object([required("fixedDelay", .duration), optional("percentage", .number, default: "100")])),
            optional("abort", abort),
        ], rules: [FieldRules.anyOf("delay", "abort")])

    private static let abort = Shape.object(
        [
            optional("httpStatus", .integer(200...600)),
            optional("grpcStatus", .integer(0...16)),
            optional("percentage", .number, default: "100"),
        ], rules: [FieldRules.oneOf("httpStatus", "grpcStatus")])
}
