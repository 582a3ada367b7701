import Core

/// SecurityPolicy.oidc: logging in by OpenID Connect.
enum OIDCShapes {
    static let oidc = Shape.object(
        [
            required("provider", provider),
            optional("clientID", .text(1 ... .max)),
            optional("clientIDRef", ReferenceShapes.secret),
            required("clientSecret", ReferenceShapes.secret),
            optional("cookieNames", .object([optional("accessToken", .string), optional("idToken", .string)])),
            optional("cookieConfig", .object([optional("sameSite", .choice("Lax", "Strict", "None"))])),
            optional("cookieDomain", .text(0 ... .max, .dnsSubdomain)),
            optional("scopes", .strings),
            optional("resources", .strings),
            optional("redirectURL", .string),
            optional("denyRedirect", .object([required("headers", .list(denied, 1...16))])),
            optional("logoutPath", .string),
            optional("forwardAccessToken", .boolean),
            optional("forwardIDToken", .object([required("header", forwardHeader)])),
            optional("passThroughAuthHeader", .boolean),
            optional("refreshToken", .boolean, default: "true"),
            optional("disableTokenEncryption", .boolean),
            optional("defaultTokenTTL", .duration),
            optional("defaultRefreshTokenTTL", .duration),
            optional("csrfTokenTTL", .duration),
        ], rules: [FieldRules.oneOf("clientID", "clientIDRef"), oneTokenInAuthorization])

    private static let provider = Shape.object(
        OwnServers.fields + [
            required("issuer", .text(1 ... .max)),
            optional("authorizationEndpoint", .string),
            optional("tokenEndpoint", .string),
            optional("endSessionEndpoint", .string),
        ], rules: [OwnServers.severalAndSimpleRetry])

    private static let denied = PolicyShapes.stringMatch([required("name", .text(1 ... .max))])

    private static let forwardHeader = Shape.headerName.with(rules: [notHost])

    private static let notHost: Rule = { header, report in
        if header.text.equalsIgnoringCase("host") { report.refuse(header, "header cannot be the Host header") }
    }

    /// The access token travels in `Authorization`, which has room for one.
    private static let oneTokenInAuthorization: Rule = { oidc, report in
        let header = oidc["forwardIDToken"]["header"]
        guard oidc["forwardAccessToken"].boolean == true, header.text.equalsIgnoringCase("authorization") else {
            return
        }
        report.refuse(
            header, "forwardAccessToken cannot be true when forwardIDToken.header is Authorization; name another")
    }
}
