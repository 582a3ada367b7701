/// Connections as ClientTrafficPolicy and BackendTrafficPolicy set them alike.
enum ConnectionShapes {
    static let tcpKeepalive = Shape.object([
        optional("probes", .int32), optional("idleTime", .duration), optional("interval", .duration),
    ])

    static let http2 = Shape.object([
        optional("initialStreamWindowSize", PolicyShapes.quantity),
        optional("initialConnectionWindowSize", PolicyShapes.quantity),
        optional("maxConcurrentStreams", .positiveInt32),
        optional("onInvalidMessage", .string),
        optional(
            "connectionKeepalive",
            .object(
                [
                    optional("interval", .duration),
                    optional("timeout", .duration),
                    optional("intervalJitter", PolicyShapes.percent),
                    optional("idleInterval", .duration),
                ], rules: [FieldRules.shorter("timeout", than: "interval")])),
    ])
}
