import Core

/// GRPCRoute (Gateway API).
enum GRPCRouteSchema {
    static let fields = [
        required(
            "spec",
            .object([
                optional("parentRefs", ReferenceShapes.parents),
                optional("hostnames", .list(.hostname, 0...16)),
                optional(
                    "rules", .list(rule, 0...16, rules: [HTTPRouteRules.totalMatches, ReferenceRules.uniqueRuleNames])),
                optional("useDefaultGateways", .choice("All", "None")),
            ]))
    ]

    private static let rule = Shape.object([
        optional("matches", .list(match, 0...64)),
        optional("filters", filters),
        optional(
            "backendRefs",
            .list(ReferenceShapes.backend([ReferenceShapes.weight, optional("filters", filters)]), 0...16)),
        optional("name", .sectionName),
        optional("sessionPersistence", RouteShapes.sessionPersistence),
    ])

    private static let match = Shape.object([
        optional(
            "method",
            .object(
                [
                    optional("type", .choice("Exact", "RegularExpression"), default: "Exact"),
                    optional("service", .text(0...1024)),
                    optional("method", .text(0...1024)),
                ], rules: [method])),
        optional("headers", .list(RouteShapes.headerMatch(value: .text(1...4096)), 0...16, .map(["name"]))),
    ])

    private static let filters = Shape.list(
        .object(
            [
                required(
                    "type",
                    .choice("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef")),
                optional("requestHeaderModifier", HTTPFilterShapes.headerModifier),
                optional("responseHeaderModifier", HTTPFilterShapes.headerModifier),
                optional("requestMirror", HTTPFilterShapes.requestMirror),
                optional("extensionRef", ReferenceShapes.localObject),
            ],
            rules: [
                FilterRules.typeAndField([
                    ("RequestHeaderModifier", "requestHeaderModifier"),
                    ("ResponseHeaderModifier", "responseHeaderModifier"), ("RequestMirror", "requestMirror"),
                    ("ExtensionRef", "extensionRef"),
                ])
            ]), 0...16, rules: [FilterRules.once(["RequestHeaderModifier", "ResponseHeaderModifier"])])

    private static let method: Rule = { match, report in
        let service = match["service"]
        let method = match["method"]
        if !service.exists, !method.exists {
            report.refuse(match, "one or both of service or method must be specified")
        }
        guard match["type"].equals("Exact") else { return }
        if service.exists, !isServiceName(service.text) {
            report.refuse(
                service, "service must only contain valid characters: letters, digits, '_' and '.' between names")
        }
        if method.exists, !isName(method.text) {
            report.refuse(method, "method must only contain valid characters: letters, digits and '_'")
        }
    }

    /// A full name in protobuf's grammar, with a dot in front perhaps.
    private static func isServiceName(_ text: ByteView) -> Bool {
        var start = text.count > 0 && text[0] == ASCII.dot ? 1 : 0
        for index in start..<text.count where text[index] == ASCII.dot {
            guard isName(text[start..<index]) else { return false }
            start = index + 1
        }
        return isName(text.from(start))
    }

    private static func isName(_ text: ByteView) -> Bool {
        guard text.count > 0, !ASCII.isDigit(text[0]) else { return false }
        return text.allSatisfy { TextFormat.isAlphanumeric($0) || $0 == 0x5F }
    }
}
