/// ClientTrafficPolicy.headers: what happens to header fields on the way in and out.
enum ClientHeaderShapes {
    static let headers = Shape.object(
        [
            optional("enableEnvoyHeaders", .boolean),
            optional("disableRateLimitHeaders", .boolean),
            optional("xForwardedClientCert", xForwardedClientCert),
            optional("withUnderscoresAction", .choice("Allow", "RejectRequest", "DropHeader")),
            optional("preserveXRequestID", .boolean),
            optional("requestID", .choice("PreserveOrGenerate", "Preserve", "Generate", "Disable")),
            optional("host", .object([optional("stripTrailingHostDot", .boolean)])),
            optional("earlyRequestHeaders", edits),
            optional("lateResponseHeaders", edits),
            optional("maxRequestHeaderLimit", PolicyShapes.quantity),
        ], rules: [FieldRules.notBoth("preserveXRequestID", "requestID")])

    private static let edits = Shape.object([
        optional("set", .list(PolicyShapes.header, 1...64, .map(["name"]))),
        optional("add", .list(PolicyShapes.header, 1...64, .map(["name"]))),
        optional("addIfAbsent", .list(PolicyShapes.header, 1...64, .map(["name"]))),
        optional("remove", .list(.string, 1...64, .set)),
        optional("removeOnMatch", .list(PolicyShapes.stringMatch, 1...64)),
    ])

    private static let xForwardedClientCert = Shape.object(
        [
            optional("mode", .choice("Sanitize", "ForwardOnly", "AppendForward", "SanitizeSet", "AlwaysForwardOnly")),
            optional("certDetailsToAdd", .list(.choice("Subject", "Cert", "Chain", "DNS", "URI"), 0...5)),
        ], rules: [detailsOfMode])

    private static let detailsOfMode: Rule = { header, report in
        let details = header["certDetailsToAdd"]
        guard details.count > 0, !header["mode"].isAny(of: "AppendForward", "SanitizeSet") else { return }
        report.refuse(details, "certDetailsToAdd can only be set when mode is AppendForward or SanitizeSet")
    }
}
