import Testing

@testable import Manifest

@Suite struct FieldsWithoutEffect {
    static let spec = """
        endpoints: [{fqdn: {hostname: a, port: 1}, zone: b}, {fqdn: {hostname: c, port: 2}}]
        tls: {sni: a, alpnProtocols: [h2]}
        fallback: true
        """

    static let cases: [(applied: [String], paths: [String])] = [
        ([], ["endpoints", "tls", "fallback"]),
        (["endpoints", "tls", "fallback"], []),
        (["endpoints.fqdn", "tls"], ["endpoints.zone", "fallback"]),
        (["tls.sni"], ["endpoints", "tls.alpnProtocols", "fallback"]),
        // A name that begins like another is another.
        (["tl", "tls.s", "end"], ["endpoints", "tls.sni", "tls.alpnProtocols", "fallback"]),
    ]

    @Test(arguments: cases) func areFoundWhereTheyBegin(_ applied: [String], _ paths: [String]) throws {
        let set = read(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata: {name: a}\nspec:\n"
                + Self.spec.split(separator: "\n").map { "  \($0)\n" }.joined())
        let document = try #require(set.documents.first)
        let found = AppliedFields.unapplied(WrittenNode(document.root)[.spec], applied: applied)
        #expect(found.map(\.path) == paths)
    }

    /// Every field of every kind with such a list is one that the schema has.
    @Test(arguments: ResourceKind.allCases) func whatIsListedExists(_ kind: ResourceKind) {
        guard let applied = AppliedFields.paths(of: kind) else { return }
        let definition = Schema.shared.definition(of: kind)
        for path in applied.map(\.description) {
            var shape = definition.versions[0].shape.fields.first { $0.name.description == "spec" }?.shape
            for name in path.split(separator: ".") {
                while shape?.base == .list { shape = shape?.items }
                shape = shape?.fields.first { $0.name.description == name }?.shape
            }
            #expect(shape != nil, "\(kind.name) has no field \(path)")
        }
    }
}
