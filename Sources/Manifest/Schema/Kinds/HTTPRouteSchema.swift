/// HTTPRoute (Gateway API).
enum HTTPRouteSchema {
    static let fields = [
        required(
            "spec",
            .object([
                optional("parentRefs", ReferenceShapes.parents),
                optional("hostnames", .list(.hostname, 0...16)),
                optional("rules", rules, default: "[{matches: [{path: {type: PathPrefix, value: /}}]}]"),
                optional("useDefaultGateways", .choice("All", "None")),
            ]))
    ]

    private static let rules = Shape.list(
        rule, 1...16, rules: [HTTPRouteRules.totalMatches, ReferenceRules.uniqueRuleNames])

    private static let rule = Shape.object(
        [
            optional("matches", .list(match, 0...64), default: "[{path: {type: PathPrefix, value: /}}]"),
            optional("filters", HTTPFilterShapes.filters),
            optional("backendRefs", .list(backendReference, 0...16)),
            optional("name", .sectionName),
            optional("timeouts", timeouts),
            optional("retry", retry),
            optional("sessionPersistence", RouteShapes.sessionPersistence),
        ], rules: [HTTPRouteRules.redirectAlone, HTTPRouteRules.prefixReplacement])

    private static let backendReference = ReferenceShapes.backend([
        ReferenceShapes.weight, optional("filters", HTTPFilterShapes.filters),
    ])

    private static let match = Shape.object([
        optional(
            "path",
            .object(
                [
                    optional("type", .choice("Exact", "PathPrefix", "RegularExpression"), default: "PathPrefix"),
                    optional("value", .text(0...1024), default: "/"),
                ], rules: [HTTPRouteRules.pathValue]), default: "{type: PathPrefix, value: /}"),
        optional("headers", .list(RouteShapes.headerMatch(value: .headerValue), 0...16, .map(["name"]))),
        optional("queryParams", .list(RouteShapes.headerMatch(value: .text(1...1024)), 0...16, .map(["name"]))),
        optional(
            "method",
            .choice("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")),
    ])

    private static let timeouts = Shape.object(
        [optional("request", .duration), optional("backendRequest", .duration)],
        rules: [HTTPRouteRules.timeouts])

    private static let retry = Shape.object([
        optional("attempts", .integer(1 ... .max)),
        optional("backoff", .duration),
        optional("codes", .list(.integer(400...599), 0 ... .max, .set)),
    ])
}
