import Core

/// Service (core v1).
enum ServiceSchema {
    static let fields = [
        optional(
            "spec",
            .object(
                [
                    optional(
                        "type", .choice("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"), default: "ClusterIP"),
                    optional("ports", .list(port, 0 ... .max, rules: [distinctPorts])),
                    optional("selector", .stringMap),
                    optional("clusterIP", .string),
                    optional("clusterIPs", .list(.string, 0...2)),
                    optional("externalIPs", .strings),
                    optional("externalName", .string),
                    optional("externalTrafficPolicy", .choice("Cluster", "Local", "")),
                    optional("internalTrafficPolicy", .choice("Cluster", "Local")),
                    optional("trafficDistribution", .string),
                    optional("healthCheckNodePort", .nonNegativeInt32),
                    optional("ipFamilies", .list(.choice("IPv4", "IPv6"), 0...2)),
                    optional("ipFamilyPolicy", .choice("SingleStack", "PreferDualStack", "RequireDualStack")),
                    optional("allocateLoadBalancerNodePorts", .boolean),
                    optional("loadBalancerClass", .string),
                    optional("loadBalancerIP", .string),
                    optional("loadBalancerSourceRanges", .strings),
                    optional("publishNotReadyAddresses", .boolean),
                    optional("sessionAffinity", .choice("None", "ClientIP", "")),
                    optional(
                        "sessionAffinityConfig",
                        .object([optional("clientIP", .object([optional("timeoutSeconds", .integer(1...86400))]))])),
                ], rules: [form]))
    ]

    private static let port = Shape.object([
        optional("name", .text(0...63, portName)),
        required("port", .port),
        optional("protocol", .choice("TCP", "UDP", "SCTP"), default: "TCP"),
        optional("targetPort", .integerOrString.with(rules: [targetPort])),
        optional("nodePort", .integer(0...65535)),
        optional("appProtocol", .string),
    ])

    private static let portName = TextFormat(
        description: TextFormat.dnsLabel.description,
        matches: { $0.isEmpty || TextFormat.isLabel($0, 0, $0.count) })

    /// A port by number, or by the name that a container gives it (RFC 6335, section 5.1).
    private static let targetPort: Rule = { port, report in
        if let number = port.integer {
            if !(1...65535).contains(number) {
                report.refuse(port, "\(number) is out of range; write a number from 1 to 65535")
            }
        } else if !isServiceName(port.text) {
            report.refuse(
                port,
                "'\(port.text.string)' is no port; write a number, or a name of up to 15 lower-case letters, digits and '-'"
            )
        }
    }

    static func isServiceName(_ text: ByteView) -> Bool {
        guard (1...15).contains(text.count), TextFormat.isLabel(text, 0, text.count) else { return false }
        return !text.contains("--") && !text.allSatisfy { ASCII.isDigit($0) || $0 == 0x2D }
    }

    private static let distinctPorts: Rule = { ports, report in
        guard ports.count > 1 else { return }
        var names: [String: Int] = [:]
        var numbers: [String: Int] = [:]
        for (position, port) in ports.items.enumerated() {
            let name = port["name"].text.string
            if name.isEmpty {
                report.refuse(port, field: "name", "is missing; a Service with several ports names each")
            } else if let first = names.updateValue(position, forKey: name) {
                report.refuse(port["name"], "the name '\(name)' stands in item \(first) already")
            }
            let number = "\(port["port"].integer ?? 0)/\(port["protocol"].text.string)"
            if let first = numbers.updateValue(position, forKey: number) {
                report.refuse(port["port"], "the port \(number) stands in item \(first) already")
            }
        }
    }

    /// What goes with the Service's type.
    private static let form: Rule = { spec, report in
        if spec["type"].equals("ExternalName") {
            let name = spec["externalName"].text
            let host = name.count > 0 && name[name.count - 1] == ASCII.dot ? name.upTo(name.count - 1) : name
            if !TextFormat.isSubdomain(host) || host.count > 253 {
                report.refuse(
                    spec, field: "externalName",
                    "must be a DNS name when type is ExternalName; it is '\(name.string)'")
            }
        } else if spec["ports"].count == 0, !spec["clusterIP"].equals("None") {
            report.refuse(spec, field: "ports", "is missing; a Service that is not headless has at least one port")
        }
    }
}
