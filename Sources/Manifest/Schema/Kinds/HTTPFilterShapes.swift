/// The filters of an HTTPRoute, on its rules and on their backends.
enum HTTPFilterShapes {
    static let filters = Shape.list(
        .object(
            [
                required(
                    "type",
                    .choice(
                        "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect",
                        "URLRewrite", "ExtensionRef", "CORS", "ExternalAuth")),
                optional("requestHeaderModifier", headerModifier),
                optional("responseHeaderModifier", headerModifier),
                optional("requestMirror", requestMirror),
                optional("requestRedirect", requestRedirect),
                optional("urlRewrite", urlRewrite),
                optional("cors", cors),
                optional("externalAuth", externalAuth),
                optional("extensionRef", ReferenceShapes.localObject),
            ],
            rules: [
                FilterRules.typeAndField([
                    ("RequestHeaderModifier", "requestHeaderModifier"),
                    ("ResponseHeaderModifier", "responseHeaderModifier"), ("RequestMirror", "requestMirror"),
                    ("RequestRedirect", "requestRedirect"), ("URLRewrite", "urlRewrite"), ("CORS", "cors"),
                    ("ExternalAuth", "externalAuth"), ("ExtensionRef", "extensionRef"),
                ])
            ]), 0...16,
        rules: [
            FilterRules.once([
                "CORS", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite",
            ]), FilterRules.redirectOrRewrite,
        ])

    private static let header = Shape.object([required("name", .headerName), required("value", .headerValue)])

    static let headerModifier = Shape.object([
        optional("set", .list(header, 0...16, .map(["name"]))),
        optional("add", .list(header, 0...16, .map(["name"]))),
        optional("remove", .list(.string, 0...16, .set)),
    ])

    static let requestMirror = Shape.object(
        [
            required("backendRef", ReferenceShapes.backend()),
            optional("percent", .integer(0...100)),
            optional(
                "fraction",
                .object(
                    [
                        required("numerator", .nonNegativeInt32),
                        optional("denominator", .positiveInt32, default: "100"),
                    ], rules: [FilterRules.fraction])),
        ], rules: [FilterRules.percentOrFraction])

    private static let pathModifier = Shape.object(
        [
            required("type", .choice("ReplaceFullPath", "ReplacePrefixMatch")),
            optional("replaceFullPath", .text(0...1024)),
            optional("replacePrefixMatch", .text(0...1024)),
        ], rules: [FilterRules.pathModifier])

    private static let requestRedirect = Shape.object([
        optional("scheme", .choice("http", "https")),
        optional("hostname", .preciseHostname),
        optional("path", pathModifier),
        optional("port", .port),
        optional("statusCode", .integer(choices: "301", "302", "303", "307", "308"), default: "302"),
    ])

    private static let urlRewrite = Shape.object([
        optional("hostname", .preciseHostname), optional("path", pathModifier),
    ])

    private static let cors = Shape.object([
        optional(
            "allowOrigins", .list(.text(1...253, FilterRules.origin), 0...64, .set, rules: [FilterRules.starAlone])),
        optional("allowCredentials", .boolean),
        optional(
            "allowMethods",
            .list(
                .choice("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"), 0...9,
                .set, rules: [FilterRules.starAlone])),
        optional("allowHeaders", .list(.headerName, 0...64, .set, rules: [FilterRules.starAlone])),
        optional("exposeHeaders", .list(.headerName, 0...64, .set)),
        optional("maxAge", .positiveInt32, default: "5"),
    ])

    private static let externalAuth = Shape.object(
        [
            required("protocol", .choice("HTTP", "GRPC")),
            required("backendRef", ReferenceShapes.backend()),
            optional("grpc", .object([optional("allowedHeaders", .list(.string, 0...64, .set))])),
            optional(
                "http",
                .object([
                    optional("path", .text(0...1024, .urlPath)),
                    optional("allowedHeaders", .list(.string, 0...64, .set)),
                    optional("allowedResponseHeaders", .list(.string, 0...64, .set)),
                ])),
            optional("forwardBody", .object([optional("maxSize", .nonNegativeInt32)])),
        ], rules: [FilterRules.typeAndField([("GRPC", "grpc"), ("HTTP", "http")], type: "protocol")])
}
