import Core

/// HTTPRouteFilter (Envoy Gateway): what an HTTPRoute's `extensionRef` names.
enum HTTPRouteFilterSchema {
    static let fields = [
        required(
            "spec",
            .object([
                optional("matches", .list(.object([optional("cookies", cookies)], rules: [notEmpty]), 0...8)),
                optional("directResponse", CustomResponseShapes.response),
                optional("urlRewrite", urlRewrite),
                optional("credentialInjection", credentialInjection),
            ]))
    ]

    private static let cookies = Shape.list(
        .object([
            required("name", .text(1...256)),
            required("value", .text(1...4096)),
            optional("type", .choice("Exact", "RegularExpression"), default: "Exact"),
        ]), 1...16)

    private static let notEmpty: Rule = { match, report in
        if !match["cookies"].exists { report.refuse(match, "must not be empty; write cookies") }
    }

    private static let credentialInjection = Shape.object([
        required("credential", .object([required("valueRef", ReferenceShapes.secret)])),
        optional("header", .string),
        optional("overwrite", .boolean),
    ])

    private static let urlRewrite = Shape.object([
        optional("hostname", hostname),
        optional("path", path),
        optional("appendXForwardedHost", .boolean),
    ])

    private static let hostname = Shape.object(
        [
            required("type", .choice("Header", "Backend", "PathRegex")),
            optional("header", .string),
            optional("pathRegex", PolicyShapes.replacement(.text(1 ... .max, .oneLine))),
        ], rules: [FilterRules.typeAndField([("Header", "header"), ("PathRegex", "pathRegex")])])

    private static let path = Shape.object(
        [
            required("type", .choice("ReplaceRegexMatch")),
            optional("replaceRegexMatch", PolicyShapes.replacement(.string)),
        ], rules: [FilterRules.typeAndField([("ReplaceRegexMatch", "replaceRegexMatch")])])
}
