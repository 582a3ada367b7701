/// GatewayClass (Gateway API).
enum GatewayClassSchema {
    static let fields = [
        required(
            "spec",
            .object([
                required("controllerName", .text(1...253, .controllerName)),
                optional("description", .text(0...64)),
                optional(
                    "parametersRef",
                    .object([
                        required("group", .group), required("kind", .kind), required("name", .objectName),
                        optional("namespace", .namespace),
                    ])),
            ]))
    ]
}
