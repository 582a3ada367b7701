import Core

/// What both sides of the gateway may say of TLS: Backend.tls and ClientTrafficPolicy.tls.
enum TLSSettingsShapes {
    static let fields = [
        optional("minVersion", version),
        optional("maxVersion", version),
        optional("ciphers", .strings),
        optional("ecdhCurves", .strings),
        optional("signatureAlgorithms", .strings),
        optional("alpnProtocols", .strings),
        optional("fingerprints", .list(.choice("JA3", "JA4"))),
    ]

    static let rules = [ciphersHaveEffect, versionsInOrder]

    private static let version = Shape.choice("Auto", "1.0", "1.1", "1.2", "1.3")
    private static let order: [StaticString] = ["1.0", "1.1", "1.2", "1.3"]

    /// TLS 1.3 has suites of its own.
    private static let ciphersHaveEffect: Rule = { tls, report in
        guard tls["minVersion"].equals("1.3"), tls["ciphers"].exists else { return }
        report.refuse(
            tls["ciphers"], "setting ciphers has no effect where minVersion is 1.3; remove them, or lower minVersion")
    }

    /// Without `minVersion` the least is 1.2; `Auto` is below and above all.
    private static let versionsInOrder: Rule = { tls, report in
        let most = tls["maxVersion"]
        guard let high = order.firstIndex(where: { most.equals($0) }) else { return }
        let least = tls["minVersion"]
        let low = least.exists ? order.firstIndex(where: { least.equals($0) }) ?? 0 : 2
        guard low > high else { return }
        let written = least.exists ? least.text.string : "1.2, as it is where it is not written"
        report.refuse(
            most, "minVersion must be smaller than or equal to maxVersion \(most.text.string); it is \(written)")
    }
}
