/// SecurityPolicy (Envoy Gateway): who may do what.
enum SecurityPolicySchema {
    static let fields = [
        required(
            "spec",
            .object(
                PolicyTargets.fields + [PolicyTargets.mergeType] + settings,
                rules: targets.rules + [
                    PolicyTargets.field("mergeType", onlyOn: targets.routeKinds), tokensOfAuthorization,
                ]))
    ]

    private static let targets = PolicyTargets("Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TCPRoute")

    private static let settings = [
        optional("apiKeyAuth", apiKeyAuth),
        optional("authorization", AuthorizationShapes.authorization),
        optional("basicAuth", basicAuth),
        optional("cors", cors),
        optional("csrf", csrf),
        optional("extAuth", ExternalAuthorizationShapes.extAuth),
        optional("jwt", JWTShapes.jwt),
        optional("oidc", OIDCShapes.oidc),
    ]

    private static let tokensOfAuthorization: Rule = { spec, report in
        guard !spec["jwt"].exists else { return }
        for rule in spec["authorization"]["rules"].items where rule["principal"]["jwt"].exists {
            report.refuse(
                rule["principal"]["jwt"],
                "jwt must be defined in spec if authorization.rules.principal.jwt is used: it says what tokens are good"
            )
        }
    }

    private static let apiKeyAuth = Shape.object([
        required("credentialRefs", .list(ReferenceShapes.secret)),
        required(
            "extractFrom",
            .list(
                .object(
                    [
                        optional("headers", .list(.text(1 ... .max), 1 ... .max)),
                        optional("params", .list(.text(1 ... .max), 1 ... .max)),
                        optional("cookies", .list(.text(1 ... .max), 1 ... .max)),
                    ], rules: [FieldRules.oneOf("headers", "params", "cookies")]), 1 ... .max)),
        optional("forwardClientIDHeader", .string),
        optional("sanitize", .boolean),
    ])

    private static let basicAuth = Shape.object([
        required("users", ReferenceShapes.secret), optional("forwardUsernameHeader", .string),
    ])

    private static let cors = Shape.object([
        optional("allowOrigins", .list(PolicyShapes.origin)),
        optional("allowMethods", .strings),
        optional("allowHeaders", .strings),
        optional("exposeHeaders", .strings),
        optional("maxAge", .duration),
        optional("allowCredentials", .boolean),
    ])

    private static let csrf = Shape.object([
        optional("additionalOrigins", .list(PolicyShapes.origin, 0...16)),
        optional("shadowFraction", PolicyShapes.fraction),
    ])
}
