import Core

/// BackendTLSPolicy (Gateway API).
enum BackendTLSPolicySchema {
    static let fields = [
        required(
            "spec",
            .object([
                required(
                    "targetRefs",
                    .list(
                        .object([
                            required("group", .group), required("kind", .kind), required("name", .objectName),
                            optional("sectionName", .sectionName),
                        ]), 1...16, rules: [ReferenceRules.distinctTargets])),
                required("validation", validation),
                optional("options", .map(of: .text(0...4096), 0...16)),
            ]))
    ]

    private static let validation = Shape.object(
        [
            required("hostname", .preciseHostname),
            optional("caCertificateRefs", .list(ReferenceShapes.localObject, 0...8)),
            optional("wellKnownCACertificates", .text(1...253, .wellKnownAuthorities)),
            optional("subjectAltNames", .list(alternativeName, 0...5)),
        ], rules: [authorities])

    private static let alternativeName = Shape.object(
        [
            required("type", .choice("Hostname", "URI")),
            optional("hostname", .hostname),
            optional("uri", .text(1...253, uri)),
        ], rules: [FilterRules.typeAndField([("Hostname", "hostname"), ("URI", "uri")])])

    /// A scheme and an authority (RFC 3986, appendix B); what follows them is not looked at.
    private static let uri = TextFormat(
        description: "an absolute URI with a scheme and '//', such as 'spiffe://example.com/service'",
        matches: { text in
            guard let colon = text.firstIndex(of: ASCII.colon), colon > 0 else { return false }
            let hasScheme = text.upTo(colon).allSatisfy { $0 != ASCII.slash && $0 != ASCII.question && $0 != 0x23 }
            return hasScheme && text.from(colon + 1).hasPrefix(ByteView("//"))
        })

    private static let authorities: Rule = { validation, report in
        let named = validation["caCertificateRefs"].count > 0
        let wellKnown = validation["wellKnownCACertificates"]
        if named, wellKnown.exists {
            report.refuse(
                wellKnown, "must not contain both caCertificateRefs and wellKnownCACertificates; keep one of them")
        }
        if !named, !wellKnown.exists {
            report.refuse(validation, "must specify either caCertificateRefs or wellKnownCACertificates")
        }
    }
}
