/// ListenerSet (Gateway API).
enum ListenerSetSchema {
    static let fields = [
        required(
            "spec",
            .object([
                required(
                    "parentRef",
                    .object([
                        optional("group", .group, default: "gateway.networking.k8s.io"),
                        optional("kind", .kind, default: "Gateway"),
                        required("name", .objectName),
                        optional("namespace", .namespace),
                    ])),
                required("listeners", ListenerShapes.listeners),
            ]))
    ]
}
