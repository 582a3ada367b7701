import Core

/// `healthCheck`: probes of endpoints, and what their answers to requests tell.
enum HealthCheckShapes {
    static let healthCheck = Shape.object([
        optional("active", active), optional("passive", passive), optional("panicThreshold", PolicyShapes.percent),
    ])

    private static let passive = Shape.object([
        optional("splitExternalLocalOriginErrors", .boolean, default: "false"),
        optional("interval", .duration, default: "3s"),
        optional("consecutiveLocalOriginFailures", .int32, default: "5"),
        optional("consecutiveGatewayErrors", .int32),
        optional("consecutive5XxErrors", .int32, default: "5"),
        optional("baseEjectionTime", .duration, default: "30s"),
        optional("maxEjectionPercent", PolicyShapes.percent, default: "10"),
        optional("failurePercentageThreshold", PolicyShapes.percent),
        optional("alwaysEjectOneEndpoint", .boolean, default: "false"),
    ])

    private static let active = Shape.object(
        [
            required("type", .choice("HTTP", "TCP", "GRPC")),
            optional("timeout", .duration, default: "1s"),
            optional("interval", .duration, default: "3s"),
            optional("initialJitter", .duration),
            optional("unhealthyThreshold", .positiveInt32, default: "3"),
            optional("healthyThreshold", .positiveInt32, default: "1"),
            optional("overrides", .object([optional("port", .port)])),
            optional("http", http),
            optional("tcp", .object([optional("send", payload), optional("receive", payload)])),
            optional("grpc", .object([optional("service", .string)])),
            optional("healthCheckLog", log),
        ], rules: [FilterRules.typeAndField([("HTTP", "http"), ("TCP", "tcp")]), serviceOfType])

    /// A probe by gRPC needs no name of a service.
    private static let serviceOfType: Rule = { check, report in
        guard check["grpc"].exists, !check["type"].equals("GRPC") else { return }
        report.refuse(check["grpc"], "grpc can only be set if the type of the health check is GRPC")
    }

    private static let payload = Shape.object(
        [
            required("type", .choice("Text", "Binary")),
            optional("text", .string),
            optional("binary", .text(0 ... .max, .base64Line)),
        ], rules: [FilterRules.typeAndField([("Text", "text"), ("Binary", "binary")])])

    private static let http = Shape.object(
        [
            optional("hostname", .preciseHostname),
            required("path", .text(1...1024)),
            optional("method", .text(0...16)),
            optional("requestBody", payload),
            optional("expectedStatuses", PolicyShapes.httpStatuses),
            optional("expectedResponse", payload),
            optional("retriableStatuses", PolicyShapes.httpStatuses),
        ], rules: [bodyOfMethod])

    private static let bodyOfMethod: Rule = { http, report in
        let method = http["method"].text
        guard http["requestBody"].exists, !method.equalsIgnoringCase("POST"), !method.equalsIgnoringCase("PUT") else {
            return
        }
        report.refuse(http["requestBody"], "requestBody can only be set when method is POST or PUT")
    }

    private static let log = Shape.object([
        optional(
            "matches",
            .list(
                .choice("Failure", "FailureSeriesStart", "Success", "HealthyTransition"), 0...4, .set,
                rules: [failuresAndSuccesses])),
        optional(
            "sinks",
            .list(
                .object(
                    [
                        required("type", .choice("File")),
                        optional("file", .object([required("path", .text(1 ... .max))])),
                    ], rules: [FilterRules.typeAndField([("File", "file")])]), 0...1)),
    ])

    private static let failuresAndSuccesses: Rule = { matches, report in
        let failure = matches.items.contains { $0.isAny(of: "Failure", "FailureSeriesStart") }
        let success = matches.items.contains { $0.isAny(of: "Success", "HealthyTransition") }
        if failure != success {
            report.refuse(matches, "a failure type and a success type must be specified together in matches")
        }
    }
}
