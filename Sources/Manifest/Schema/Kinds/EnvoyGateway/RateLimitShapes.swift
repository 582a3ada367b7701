/// BackendTrafficPolicy.rateLimit.
enum RateLimitShapes {
    static let rateLimit = Shape.object([
        optional("type", .choice("Global", "Local")),
        optional("global", .object([required("rules", .list(rule, 0...256))])),
        optional("local", .object([optional("rules", .list(rule, 0...16, rules: [localRules]))])),
    ])

    private static let rule = Shape.object([
        optional("clientSelectors", .list(selector, 0...8)),
        required("limit", limit),
        optional("cost", .object([optional("request", cost), optional("response", cost)])),
        optional("shared", .boolean),
        optional("shadowMode", .boolean),
        optional("xRateLimitHeaders", .choice("Off", "DraftVersion03")),
    ])

    private static let limit = Shape.object([
        required("requests", PolicyShapes.count32),
        required("unit", .choice("Second", "Minute", "Hour", "Day", "Week", "Month", "Year")),
        optional(
            "fromMetadata",
            .object([required("namespace", .text(1 ... .max)), required("key", .text(1 ... .max))])),
    ])

    private static let cost = Shape.object(
        [
            required("from", .choice("Number", "Metadata")),
            optional("number", .int64),
            optional("metadata", .object([required("namespace", .string), required("key", .string)])),
        ], rules: [FieldRules.notBoth("number", "metadata")])

    /// What a local limit counts is known when a request begins, and stands in the policy.
    private static let localRules: Rule = { rules, report in
        for rule in rules.items {
            let response = rule["cost"]["response"]
            if response.exists { report.refuse(response, "response cost is not supported for local rate limits") }
            let metadata = rule["limit"]["fromMetadata"]
            if metadata.exists { report.refuse(metadata, "fromMetadata is not supported for local rate limits") }
        }
    }

    private static let selector = Shape.object(
        [
            optional("headers", .list(valueMatch, 0...128)),
            optional(
                "methods",
                .list(
                    .object([
                        required("value", PolicyShapes.method), optional("invert", .boolean, default: "false"),
                    ]))),
            optional("path", PolicyShapes.pathMatch),
            optional("sourceCIDR", sourceCIDR),
            optional("queryParams", .list(valueMatch, 0...16)),
        ], rules: [FieldRules.anyOf("headers", "methods", "path", "sourceCIDR", "queryParams")])

    private static let valueMatch = Shape.object([
        optional("type", .choice("Exact", "RegularExpression", "Distinct"), default: "Exact"),
        required("name", .text(1...256)),
        optional("value", .text(0...1024)),
        optional("invert", .boolean, default: "false"),
    ])

    private static let sourceCIDR = Shape.object([
        optional("type", .choice("Exact", "Distinct"), default: "Exact"),
        required("value", .text(1...256)),
        optional("invert", .boolean, default: "false"),
    ])
}
