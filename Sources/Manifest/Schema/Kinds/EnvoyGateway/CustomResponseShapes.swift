import Core

/// Responses that the gateway makes itself: HTTPRouteFilter.directResponse, BackendTrafficPolicy.responseOverride.
enum CustomResponseShapes {
    static let response = Shape.object([
        optional("statusCode", .int64),
        optional("contentType", .string),
        optional("body", body),
        optional("header", PolicyShapes.headerModifier(rules: [nothingToRemove])),
    ])

    private static let body = Shape.object(
        [
            optional("type", .choice("Inline", "ValueRef"), default: "Inline"),
            optional("inline", .string),
            optional("valueRef", ReferenceShapes.localObject),
        ], rules: [bodyOfType])

    private static let bodyOfType: Rule = { body, report in
        let reference = body["valueRef"]
        if body["type"].equals("Inline"), !body["inline"].exists {
            report.refuse(body, field: "inline", "inline must be set for the type Inline")
        }
        if body["type"].equals("ValueRef"), !reference.exists {
            report.refuse(body, field: "valueRef", "valueRef must be set for the type ValueRef")
        }
        if reference.exists, !reference["kind"].equals("ConfigMap") {
            report.refuse(reference["kind"], "only ConfigMap is supported for valueRef")
        }
    }

    /// The gateway's own response has nothing that could be removed.
    private static let nothingToRemove: Rule = { header, report in
        guard header["remove"].count > 0 else { return }
        report.refuse(header["remove"], "remove is not supported for the header of a response made here; leave it out")
    }

    // MARK: overrides

    static let overrides = Shape.list(
        .object(
            [
                required("match", match),
                optional("response", response),
                optional("redirect", redirect),
                optional("source", .choice("All", "Local", "Backend")),
            ], rules: [FieldRules.oneOf("response", "redirect")]))

    private static let match = Shape.object(
        [
            optional("statusCodes", .list(statusCode, 1...50)),
            optional(
                "responseHeaders",
                .list(
                    .object([required("name", .headerName), required("value", PolicyShapes.stringMatch)]), 1...16)),
        ], rules: [FieldRules.anyOf("statusCodes", "responseHeaders")])

    private static let statusCode = Shape.object(
        [
            optional("type", .choice("Value", "Range"), default: "Value"),
            optional("value", .int64),
            optional(
                "range", .object([required("start", .int64), required("end", .int64)], rules: [startBeforeEnd])),
        ], rules: [codeOfType])

    private static let codeOfType: Rule = { code, report in
        if code["type"].equals("Value"), !code["value"].exists {
            report.refuse(code, field: "value", "value must be set for the type Value")
        }
        if code["type"].equals("Range"), !code["range"].exists {
            report.refuse(code, field: "range", "range must be set for the type Range")
        }
    }

    private static let startBeforeEnd: Rule = { range, report in
        guard let start = range["start"].integer, let end = range["end"].integer, end <= start else { return }
        report.refuse(range["end"], "end must be greater than start; \(end) is not greater than \(start)")
    }

    private static let redirect = Shape.object([
        optional("scheme", .choice("http", "https")),
        optional("hostname", .preciseHostname),
        optional(
            "path",
            .object(
                [
                    required("type", .choice("ReplaceFullPath", "ReplacePrefixMatch")),
                    optional("replaceFullPath", .text(0...1024)),
                    optional("replacePrefixMatch", .text(0...1024)),
                ], rules: [FilterRules.pathModifier, wholePath])),
        optional("port", .int32),
        optional("statusCode", .integer(choices: "301", "302"), default: "302"),
    ])

    private static let wholePath: Rule = { path, report in
        if path["type"].equals("ReplaceFullPath") { return }
        report.refuse(path["type"], "only ReplaceFullPath is supported for path.type: no prefix is known here")
    }
}
