/// SecurityPolicy.jwt: JSON Web Tokens (RFC 7519).
enum JWTShapes {
    static let jwt = Shape.object(
        [
            optional("optional", .boolean), optional("failOpen", .boolean),
            required("providers", .list(provider, 1...16)),
        ], rules: [FieldRules.notBoth("optional", "failOpen")])

    private static let provider = Shape.object(
        [
            required("name", .text(1...253)),
            optional("issuer", .text(0...253)),
            optional("audiences", .list(.string, 0...8)),
            optional("remoteJWKS", remoteJWKS),
            optional("localJWKS", localJWKS),
            optional("claimToHeaders", .list(.object([required("claim", .string), required("header", .string)]))),
            optional("recomputeRoute", .boolean),
            optional(
                "extractFrom",
                .object([
                    optional(
                        "headers",
                        .list(.object([required("name", .string), optional("valuePrefix", .string)]))),
                    optional("cookies", .strings), optional("params", .strings),
                ])),
        ], rules: [FieldRules.oneOf("remoteJWKS", "localJWKS"), headersToRouteBy])

    private static let headersToRouteBy: Rule = { provider, report in
        guard provider["recomputeRoute"].boolean == true, provider["claimToHeaders"].count == 0 else { return }
        report.refuse(
            provider, field: "claimToHeaders",
            "claimToHeaders must be specified if recomputeRoute is enabled: nothing else changes the route")
    }

    private static let remoteJWKS = Shape.object(
        OwnServers.fields + [
            required("uri", .text(1...253)),
            optional("cacheDuration", .duration, default: "300s"),
            optional("failedRefetchDuration", .duration),
        ], rules: [OwnServers.severalAndSimpleRetry])

    private static let localJWKS = Shape.object(
        [
            optional("type", .choice("Inline", "ValueRef"), default: "Inline"),
            optional("inline", .string),
            optional("valueRef", ReferenceShapes.localObject),
        ], rules: [FilterRules.typeAndField([("Inline", "inline"), ("ValueRef", "valueRef")])])
}
