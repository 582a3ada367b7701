import Core

/// EndpointSlice (discovery.k8s.io/v1).
enum EndpointSliceSchema {
    static let fields = [
        required("addressType", .choice("IPv4", "IPv6", "FQDN")),
        // Go writes an empty slice as null; both mean that there are none.
        optional("endpoints", .list(endpoint, 0...1000)),
        optional("ports", .list(port, 0...20_000, rules: [distinctNames])),
    ]

    private static let endpoint = Shape.object([
        required("addresses", .list(.string, 1...100, .set)),
        optional(
            "conditions",
            .object([
                optional("ready", .boolean), optional("serving", .boolean), optional("terminating", .boolean),
            ])),
        optional("hostname", .text(0...63, .dnsLabel)),
        optional(
            "targetRef",
            .object([
                optional("apiVersion", .string), optional("kind", .string), optional("name", .string),
                optional("namespace", .string), optional("fieldPath", .string),
                optional("resourceVersion", .string), optional("uid", .string),
            ])),
        optional("deprecatedTopology", .stringMap),
        optional("nodeName", .string),
        optional("zone", .string),
        optional(
            "hints",
            .object([
                optional("forZones", .list(.object([required("name", .string)]), 0...8)),
                optional("forNodes", .list(.object([required("name", .string)]), 0...8)),
            ])),
    ])

    private static let port = Shape.object([
        optional("name", .text(0...63, portName)),
        optional("port", .port),
        optional("protocol", .choice("TCP", "UDP", "SCTP"), default: "TCP"),
        optional("appProtocol", .string),
    ])

    private static let portName = TextFormat(
        description: TextFormat.dnsLabel.description,
        matches: { $0.isEmpty || TextFormat.isLabel($0, 0, $0.count) })

    private static let distinctNames: Rule = { ports, report in
        var seen: [String: Int] = [:]
        for (position, port) in ports.items.enumerated() {
            guard let first = seen.updateValue(position, forKey: port["name"].text.string) else { continue }
            report.refuse(port, "the name '\(port["name"].text.string)' stands in item \(first) already")
        }
    }

    /// Addresses are of the type that the slice names.
    static let addressesFit: Rule = { slice, report in
        let type = slice["addressType"].text.string
        for endpoint in slice["endpoints"].items {
            for address in endpoint["addresses"].items where !isAddress(address.text, type) {
                report.refuse(address, "'\(address.text.string)' is no \(type) address, as addressType says")
            }
        }
    }

    private static func isAddress(_ text: ByteView, _ type: String) -> Bool {
        switch type {
        case "IPv4": text.firstIndex(of: ASCII.colon) == nil && IPAddress(text) != nil
        case "IPv6": text.firstIndex(of: ASCII.colon) != nil && IPAddress(text) != nil
        default: TextFormat.isSubdomain(text)
        }
    }
}
