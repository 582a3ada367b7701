import Core

/// PeerAuthentication (security.istio.io/v1): whether callers must show a certificate.
enum PeerAuthenticationSchema {
    static let fields = [optional("spec", spec)]

    private static let spec = Shape.object(
        [
            optional("mtls", mtls),
            optional("portLevelMtls", .map(of: mtls, 1 ... .max, rules: [ports])),
            optional("selector", WorkloadShapes.selector),
        ], rules: [portsOfSelected])

    private static let mtls = Shape.object([optional("mode", .choice("UNSET", "DISABLE", "PERMISSIVE", "STRICT"))])

    private static let ports: Rule = { map, report in
        for (name, value) in map.fields {
            if let port = name.decimal, (1...65535).contains(port) { continue }
            report.refuse(value, "'\(name.excerpt)' is no port; a number from 1 to 65535 is")
        }
    }

    private static let portsOfSelected: Rule = { spec, report in
        guard spec["portLevelMtls"].exists, spec["selector"]["matchLabels"].count == 0 else { return }
        report.refuse(
            spec["portLevelMtls"], "portLevelMtls requires a selector with matchLabels: ports belong to workloads")
    }
}
