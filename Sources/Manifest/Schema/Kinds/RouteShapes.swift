/// What HTTPRoute and GRPCRoute share.
enum RouteShapes {
    /// A header or query parameter to match, by its name.
    static func headerMatch(value: Shape) -> Shape {
        .object([
            required("name", .headerName),
            required("value", value),
            optional("type", .choice("Exact", "RegularExpression"), default: "Exact"),
        ])
    }

    static let sessionPersistence = Shape.object(
        [
            optional("type", .choice("Cookie", "Header"), default: "Cookie"),
            optional("absoluteTimeout", .duration),
            optional(
                "cookie",
                .object([
                    optional("lifetimeType", .choice("Permanent", "Session"), default: "Session"),
                    optional("name", .headerName),
                    optional("path", .text(0...1024), default: "/"),
                ])),
            optional("header", .object([required("name", .headerName)])),
        ], rules: [persistence])

    private static let persistence: Rule = { session, report in
        let cookie = session["cookie"]
        let header = session["header"]
        if cookie["lifetimeType"].equals("Permanent"), !session["absoluteTimeout"].exists {
            report.refuse(
                session, field: "absoluteTimeout",
                "absoluteTimeout must be specified when cookie lifetimeType is Permanent")
        }
        let type = session["type"]
        if cookie.exists, !type.equals("Cookie") { report.refuse(cookie, "cookie goes with type Cookie only") }
        if !cookie.exists, type.equals("Cookie") {
            report.refuse(session, field: "cookie", "cookie must be specified for the type Cookie")
        }
        if header.exists, !type.equals("Header") { report.refuse(header, "header goes with type Header only") }
        if !header.exists, type.equals("Header") {
            report.refuse(session, field: "header", "header must be specified for the type Header")
        }
    }
}
