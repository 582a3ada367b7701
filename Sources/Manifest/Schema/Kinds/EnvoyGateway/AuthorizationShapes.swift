/// SecurityPolicy.authorization: rules of who is let through.
enum AuthorizationShapes {
    static let authorization = Shape.object([
        optional("defaultAction", action), optional("rules", .list(rule)),
    ])

    private static let action = Shape.choice("Allow", "Deny")

    private static let rule = Shape.object(
        [
            optional("name", .text(1...253)),
            required("action", action),
            optional(
                "operation",
                .object(
                    [
                        optional("methods", .list(PolicyShapes.method, 1...16)),
                        optional("path", PolicyShapes.pathMatch),
                    ], rules: [FieldRules.anyOf("methods", "path")])),
            optional("principal", principal),
            optional("cel", .text(1...4096)),
        ], rules: [FieldRules.anyOf("principal", "cel")])

    private static let principal = Shape.object(
        [
            optional("clientCIDRs", PolicyShapes.addressRanges),
            optional("clientIPGeoLocations", .list(location, 1 ... .max)),
            optional(
                "headers",
                .list(
                    .object([required("name", .text(1...256)), required("values", .list(.string, 1...256))]), 1...256)),
            optional("jwt", jwt),
        ], rules: [FieldRules.anyOf("clientCIDRs", "jwt", "headers", "clientIPGeoLocations")])

    private static let jwt = Shape.object(
        [
            required("provider", .text(1...253)),
            optional("scopes", .list(.text(1...253), 1...16)),
            optional(
                "claims",
                .list(
                    .object([
                        required("name", .text(1...253)),
                        optional("valueType", .choice("String", "StringArray"), default: "String"),
                        required("values", .list(.string, 1...128)),
                    ]), 1...16)),
        ], rules: [FieldRules.anyOf("claims", "scopes")])

    private static let location = Shape.object(
        [
            optional("country", .text(2...2, .countryCode)),
            optional("region", .text(1...16, .lettersDigitsHyphens)),
            optional("city", .text(1...128)),
            optional("asn", .positiveInt32),
            optional("isp", .text(1...256)),
            optional("anonymous", anonymous),
        ], rules: [FieldRules.anyOf("country", "region", "city", "asn", "isp", "anonymous")])

    private static let anonymous = Shape.object(
        [
            optional("isAnonymous", .boolean), optional("isVPN", .boolean), optional("isHosting", .boolean),
            optional("isTor", .boolean), optional("isProxy", .boolean),
        ], rules: [FieldRules.anyOf("isAnonymous", "isVPN", "isHosting", "isTor", "isProxy")])
}
