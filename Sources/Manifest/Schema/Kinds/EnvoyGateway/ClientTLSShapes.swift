/// ClientTrafficPolicy.tls: TLS with clients, and their certificates.
enum ClientTLSShapes {
    static let tls = Shape.object(
        TLSSettingsShapes.fields + [
            optional("clientValidation", clientValidation),
            optional(
                "session",
                .object([
                    optional(
                        "resumption",
                        .object([optional("stateless", .object([])), optional("stateful", .object([]))]))
                ])),
        ], rules: TLSSettingsShapes.rules)

    private static let clientValidation = Shape.object(
        [
            optional("mode", .choice("Request", "RequireAny", "VerifyIfGiven", "RequireAndVerify")),
            optional("optional", .boolean),
            optional("allowExpiredCertificate", .boolean),
            optional("caCertificateRefs", .list(ReferenceShapes.secret, 0...8)),
            optional("spkiHashes", .strings),
            optional("certificateHashes", .strings),
            optional("subjectAltNames", subjectAltNames),
            optional(
                "crl",
                .object([
                    required("refs", .list(ReferenceShapes.secret, 1...8)),
                    optional("onlyVerifyLeafCertificate", .boolean),
                ])),
        ], rules: [expiredOfMode])

    private static let subjectAltNames = Shape.object([
        optional("dnsNames", PolicyShapes.stringMatches),
        optional("emailAddresses", PolicyShapes.stringMatches),
        optional("ipAddresses", PolicyShapes.stringMatches),
        optional("uris", PolicyShapes.stringMatches),
        optional("otherNames", .list(PolicyShapes.stringMatch([required("oid", .string)]))),
    ])

    /// In the other modes nothing is verified that could have expired.
    private static let expiredOfMode: Rule = { validation, report in
        let allows = validation["allowExpiredCertificate"]
        let mode = validation["mode"]
        guard allows.boolean == true, mode.exists, !mode.isAny(of: "VerifyIfGiven", "RequireAndVerify") else { return }
        report.refuse(
            allows, "allowExpiredCertificate can only be set when mode is VerifyIfGiven or RequireAndVerify")
    }
}
