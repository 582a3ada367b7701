/// ReferenceGrant (Gateway API).
enum ReferenceGrantSchema {
    static let fields = [
        required(
            "spec",
            .object([
                required(
                    "from",
                    .list(
                        .object([
                            required("group", .group), required("kind", .kind), required("namespace", .namespace),
                        ]), 1...16)),
                required(
                    "to",
                    .list(
                        .object([
                            required("group", .group), required("kind", .kind), optional("name", .objectName),
                        ]), 1...16)),
            ]))
    ]
}
