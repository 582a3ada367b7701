import Core

/// SecurityPolicy.extAuth: another server decides.
enum ExternalAuthorizationShapes {
    static let extAuth = Shape.object(
        [
            optional("grpc", .object(OwnServers.fields, rules: [OwnServers.mustBeNamed])),
            optional("http", http),
            optional("headersToExtAuth", .strings),
            optional("bodyToExtAuth", .object([required("maxRequestBytes", .positiveInt32)])),
            optional("contextExtensions", .list(contextExtension, 0 ... .max, .map(["name"]))),
            optional("failOpen", .boolean, default: "false"),
            optional("includeRouteMetadata", .boolean),
            optional("recomputeRoute", .boolean),
            optional("statusOnError", statusOnError),
            optional("timeout", .duration),
        ], rules: [FieldRules.oneOf("grpc", "http")])

    private static let http = Shape.object(
        OwnServers.fields + [
            optional("path", .string), optional("pathOverride", .string), optional("headersToBackend", .strings),
        ], rules: [OwnServers.mustBeNamed, FieldRules.notBoth("path", "pathOverride")])

    private static let statusOnError = Shape.integer(
        choices: "400", "401", "402", "403", "404", "405", "406", "407", "408", "409", "410", "411", "412", "413",
        "414",
        "415", "416", "417", "421", "422", "423", "424", "426", "428", "429", "431", "500", "501", "502", "503", "504",
        "505", "506", "507", "508", "510", "511")

    private static let contextExtension = Shape.object(
        [
            required("name", .string),
            optional("type", .choice("Value", "ValueRef"), default: "Value"),
            optional("value", .string),
            optional(
                "valueRef",
                .object(
                    [
                        required("group", .group), required("kind", .kind), required("name", .objectName),
                        required("key", .string),
                    ], rules: [heldInTheCluster])),
        ], rules: [FilterRules.typeAndField([("Value", "value"), ("ValueRef", "valueRef")])])

    /// `v1` is no group, but is taken for the core one here.
    private static let heldInTheCluster: Rule = { reference, report in
        if !reference["kind"].isAny(of: "ConfigMap", "Secret") {
            report.refuse(reference["kind"], "only a reference to a ConfigMap or a Secret is supported")
        }
        if !reference["group"].isAny(of: "", "v1") {
            report.refuse(reference["group"], "only the core group is supported: write ''")
        }
    }
}
