/// ClientTrafficPolicy (Envoy Gateway): how a Gateway's listeners deal with clients.
enum ClientTrafficPolicySchema {
    static let fields = [required("spec", .object(PolicyTargets.fields + settings, rules: targets.rules))]

    private static let targets = PolicyTargets("Gateway", "ListenerSet")

    private static let settings = [
        optional("tcpKeepalive", ConnectionShapes.tcpKeepalive),
        optional("enableProxyProtocol", .boolean),
        optional("proxyProtocol", .object([optional("optional", .boolean)])),
        optional("clientIPDetection", clientIPDetection),
        optional("tls", ClientTLSShapes.tls),
        optional("path", path),
        optional("headers", ClientHeaderShapes.headers),
        optional("timeout", timeout),
        optional("connection", connection),
        optional("http1", http1),
        optional("http2", ConnectionShapes.http2),
        optional("http3", .object([])),
        optional("healthCheck", .object([required("path", .text(1...1024))])),
        optional("scheme", .choice("Preserve", "MatchBackend")),
        optional("grpc", .object([optional("enableWeb", .boolean)])),
    ]

    private static let path = Shape.object([
        optional("disableMergeSlashes", .boolean),
        optional(
            "escapedSlashesAction",
            .choice("KeepUnchanged", "RejectRequest", "UnescapeAndForward", "UnescapeAndRedirect")),
    ])

    private static let timeout = Shape.object([
        optional(
            "tcp",
            .object([
                optional("idleTimeout", .duration), optional("connectionInspectionTimeout", .duration),
                optional("tlsHandshakeTimeout", .duration),
            ])),
        optional(
            "http",
            .object([
                optional("idleTimeout", .duration), optional("requestHeadersReceivedTimeout", .duration),
                optional("requestReceivedTimeout", .duration), optional("streamIdleTimeout", .duration),
            ])),
    ])

    private static let connection = Shape.object([
        optional("bufferLimit", PolicyShapes.quantity),
        optional("socketBufferLimit", PolicyShapes.quantity),
        optional("maxAcceptPerSocketEvent", .int32, default: "1"),
        optional(
            "connectionLimit",
            .object(
                [
                    optional("value", .integer(1 ... .max)),
                    optional("closeDelay", .duration),
                    optional("maxConnectionDuration", .duration),
                    optional("maxRequestsPerConnection", .int32),
                    optional("maxStreamDuration", .duration),
                ], rules: [delayOfLimit])),
    ])

    private static let delayOfLimit: Rule = { limit, report in
        guard limit["closeDelay"].exists, !limit["value"].exists else { return }
        report.refuse(limit["closeDelay"], "closeDelay can only be configured when value is set")
    }

    private static let http1 = Shape.object([
        optional("enableTrailers", .boolean),
        optional("preserveHeaderCase", .boolean),
        optional("http10", .object([optional("useDefaultHost", .boolean)])),
        optional("disableSafeMaxConnectionDuration", .boolean),
        optional("ignoredUpgradeTypes", PolicyShapes.stringMatches),
    ])

    // MARK: whose request it is

    private static let clientIPDetection = Shape.object(
        [
            optional("xForwardedFor", xForwardedFor),
            optional(
                "customHeader",
                .object([
                    required("name", .text(1...255, .lettersDigitsHyphens)), optional("failClosed", .boolean),
                ])),
            optional("directSourceIP", .object([])),
        ], rules: [FieldRules.oneOf("xForwardedFor", "customHeader", "directSourceIP")])

    private static let xForwardedFor = Shape.object(
        [
            optional("numTrustedHops", .int32),
            optional("trustedCIDRs", PolicyShapes.addressRanges),
            optional("disableXForwardedForAppend", .boolean),
        ], rules: [FieldRules.oneOf("numTrustedHops", "trustedCIDRs")])
}
