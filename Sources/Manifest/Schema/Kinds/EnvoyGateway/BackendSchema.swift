import Core

/// Backend (Envoy Gateway): endpoints outside of Services.
enum BackendSchema {
    static let fields = [
        required(
            "spec",
            .object(
                [
                    optional("type", .choice("Endpoints", "DynamicResolver"), default: "Endpoints"),
                    optional("endpoints", .list(endpoint, 1...256, rules: [allByName])),
                    optional(
                        "appProtocols",
                        .list(
                            .choice(
                                "gateway.envoyproxy.io/h2c", "gateway.envoyproxy.io/ws", "gateway.envoyproxy.io/wss"))),
                    optional("fallback", .boolean),
                    optional("tls", tls),
                ], rules: [resolverAlone, namesForTLS]))
    ]

    // MARK: endpoints

    private static let port = Shape.integer(0...65535)

    private static let endpoint = Shape.object(
        [
            optional("hostname", .preciseHostname),
            optional(
                "fqdn",
                .object([required("hostname", .text(1...253, .endpointHostname)), required("port", port)])),
            optional(
                "ip", .object([required("address", .text(3...45, .endpointAddress)), required("port", port)])),
            // The length of `sun_path`, unix(7).
            optional("unix", .object([required("path", .text(0...108))])),
            optional("zone", .string),
        ], rules: [FieldRules.oneOf("fqdn", "ip", "unix")])

    /// A set of names is resolved, a set of addresses is not: one Backend is one or the other.
    private static let allByName: Rule = { endpoints, report in
        guard endpoints.items.contains(where: { $0["fqdn"].exists }) else { return }
        for endpoint in endpoints.items where !endpoint["fqdn"].exists {
            report.refuse(endpoint, "fqdn addresses cannot be mixed with other types of addresses; use two Backends")
        }
    }

    private static let resolverAlone: Rule = { spec, report in
        guard spec["type"].equals("DynamicResolver") else { return }
        if spec["endpoints"].exists {
            report.refuse(spec["endpoints"], "endpoints cannot be specified for the type DynamicResolver")
        }
        let automatic = spec["tls"]["autoSNIFromEndpointHostname"]
        if automatic.boolean == true {
            report.refuse(
                automatic,
                "autoSNIFromEndpointHostname cannot be used with the type DynamicResolver, which has no endpoints")
        }
    }

    private static let namesForTLS: Rule = { spec, report in
        let automatic = spec["tls"]["autoSNIFromEndpointHostname"]
        guard automatic.boolean == true, !spec["type"].equals("DynamicResolver") else { return }
        if !spec["endpoints"].exists {
            report.refuse(
                automatic,
                "autoSNIFromEndpointHostname takes the hostname of the endpoints; spec.endpoints must be defined")
        }
        for endpoint in spec["endpoints"].items where !endpoint["fqdn"].exists && !endpoint["hostname"].exists {
            report.refuse(
                endpoint, field: "hostname",
                "IP and Unix endpoints must define a hostname where autoSNIFromEndpointHostname is enabled")
        }
    }

    // MARK: TLS

    private static let tls = Shape.object(
        TLSSettingsShapes.fields + [
            optional("sni", .preciseHostname),
            optional("autoSNIFromEndpointHostname", .boolean),
            optional("insecureSkipVerify", .boolean, default: "false"),
            optional("caCertificateRefs", .list(ReferenceShapes.localObject, 0...8)),
            optional("wellKnownCACertificates", .text(1...253, .wellKnownAuthorities)),
            optional("clientCertificateRef", ReferenceShapes.secret),
        ], rules: TLSSettingsShapes.rules + [authorities, oneServerName])

    private static let authorities: Rule = { tls, report in
        let named = tls["caCertificateRefs"]
        let wellKnown = tls["wellKnownCACertificates"]
        if named.count > 0, wellKnown.exists {
            report.refuse(
                wellKnown, "must not contain both caCertificateRefs and wellKnownCACertificates; keep one of them")
        }
        guard tls["insecureSkipVerify"].boolean == true else { return }
        for field in [named, wellKnown] where field.count > 0 || !field.text.isEmpty {
            report.refuse(
                field, "must not contain CA certificates where insecureSkipVerify is enabled; remove one of the two")
        }
    }

    private static let oneServerName: Rule = { tls, report in
        guard tls["sni"].exists, tls["autoSNIFromEndpointHostname"].boolean == true else { return }
        report.refuse(tls["sni"], "sni and autoSNIFromEndpointHostname are mutually exclusive; remove one of them")
    }
}
