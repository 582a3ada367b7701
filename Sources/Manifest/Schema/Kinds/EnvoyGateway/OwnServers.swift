import Core

/// Servers that the gateway itself asks, of a SecurityPolicy: for a decision, for keys, for tokens.
enum OwnServers {
    static let fields = [
        optional("backendRef", ReferenceShapes.backend()),
        optional(
            "backendRefs",
            .list(ReferenceShapes.backend([optional("fallback", .boolean), ReferenceShapes.weight]), 0...16)),
        optional("backendSettings", ClusterSettings.shape),
    ]

    /// For external authorization, which cannot do without.
    static let mustBeNamed: Rule = { server, report in
        let references = server["backendRefs"]
        if !server["backendRef"].exists, references.count == 0 {
            report.refuse(server, field: "backendRefs", "backendRef or backendRefs needs to be set")
        }
        for reference in references.items {
            if !reference["kind"].isAny(of: "Service", "ServiceImport", "Backend") {
                report.refuse(
                    reference["kind"], "backendRefs only supports the kinds Service, ServiceImport and Backend")
            }
            let group = reference["group"]
            if !group.text.isEmpty, !group.isAny(of: "multicluster.x-k8s.io", "gateway.envoyproxy.io") {
                report.refuse(
                    group,
                    "backendRefs only supports the core group, multicluster.x-k8s.io and gateway.envoyproxy.io")
            }
        }
    }

    /// For keys and tokens, which are fetched from a URI and so need none.
    static let severalAndSimpleRetry: Rule = { server, report in
        if server["backendRef"].exists {
            report.refuse(server["backendRef"], "backendRef is not supported here; backendRefs must be used")
        }
        let retry = server["backendSettings"]["retry"]
        let timeout = retry["perRetry"]["timeout"]
        if timeout.exists { report.refuse(timeout, "a timeout of each retry is not supported here") }
        let codes = retry["retryOn"]["httpStatusCodes"]
        if codes.exists { report.refuse(codes, "httpStatusCodes is not supported here; use triggers") }
    }
}
