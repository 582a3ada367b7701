import Core

/// Gateway (Gateway API).
enum GatewaySchema {
    static let fields = [
        required(
            "spec",
            .object([
                required("gatewayClassName", .objectName),
                required("listeners", ListenerShapes.listeners),
                optional("addresses", addresses),
                optional("allowedListeners", allowedListeners),
                optional("defaultScope", .choice("All", "None")),
                optional("infrastructure", infrastructure),
                optional("tls", tls),
            ]))
    ]

    private static let addresses = Shape.list(
        .object(
            [
                optional("type", .text(1...253, GatewayRules.addressType), default: "IPAddress"),
                optional("value", .text(0...253)),
            ], rules: [GatewayRules.addressValue]), 0...16, rules: [GatewayRules.distinctAddresses])

    private static let allowedListeners = Shape.object([
        optional(
            "namespaces",
            .object([
                optional("from", .choice("All", "Selector", "Same", "None"), default: "None"),
                optional("selector", .labelSelector),
            ]), default: "{from: None}")
    ])

    private static let infrastructure = Shape.object([
        optional("annotations", .map(of: .text(0...4096), 0...16, rules: [GatewayRules.qualifiedKeys])),
        optional("labels", .map(of: .text(0...63, .labelValue), 0...8, rules: [GatewayRules.qualifiedKeys])),
        optional("parametersRef", ReferenceShapes.localObject),
    ])

    private static let clientValidation = Shape.object([
        optional(
            "validation",
            .object([
                required("caCertificateRefs", .list(ReferenceShapes.object, 1...16)),
                optional("mode", .choice("AllowValidOnly", "AllowInsecureFallback"), default: "AllowValidOnly"),
            ]))
    ])

    private static let tls = Shape.object([
        optional("backend", .object([optional("clientCertificateRef", ReferenceShapes.secret)])),
        optional(
            "frontend",
            .object([
                required("default", clientValidation),
                optional(
                    "perPort",
                    .list(
                        .object([required("port", .port), required("tls", clientValidation)]), 0...64,
                        .map(["port"]))),
            ])),
    ])
}
