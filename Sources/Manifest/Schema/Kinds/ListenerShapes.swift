/// Listeners, as Gateway and ListenerSet share them.
enum ListenerShapes {
    static let listeners = Shape.list(
        .object([
            required("name", .sectionName),
            required("port", .port),
            required("protocol", .text(1...255, GatewayRules.protocolName)),
            optional("hostname", .hostname),
            optional("tls", tls),
            optional("allowedRoutes", allowedRoutes, default: "{namespaces: {from: Same}}"),
        ]), 1...64, .map(["name"]), rules: GatewayRules.listeners)

    private static let allowedRoutes = Shape.object([
        optional(
            "namespaces",
            .object([
                optional("from", .choice("All", "Selector", "Same"), default: "Same"),
                optional("selector", .labelSelector),
            ]), default: "{from: Same}"),
        optional(
            "kinds",
            .list(
                .object([
                    optional("group", .group, default: "gateway.networking.k8s.io"), required("kind", .kind),
                ]), 0...8)),
    ])

    private static let tls = Shape.object(
        [
            optional("mode", .choice("Terminate", "Passthrough"), default: "Terminate"),
            optional("certificateRefs", .list(ReferenceShapes.secret, 0...64)),
            optional("options", .map(of: .text(0...4096), 0...16)),
        ], rules: [GatewayRules.certificate])
}
