import Glibc
import Testing

@testable import Manifest

/// Every field of Envoy Gateway's kinds works, is refused, or is left alone with a word: none is ignored in silence.
@Suite struct FieldSupportTests {
    @Test(arguments: FieldSupport.kinds) func everyFieldHasAnEntry(_ kind: ResourceKind) {
        let entries = FieldSupport.entries(of: kind)
        let paths = FieldSupport.paths(of: kind)
        #expect(paths.count > 30)
        for path in paths {
            // A field whose parts have entries of their own needs none.
            let isDivided = entries.contains { $0.path.hasPrefix(path + ".") }
            let isCovered = entries.contains { path == $0.path || path.hasPrefix($0.path + ".") }
            #expect(isDivided || isCovered, "\(kind.name) \(path)")
        }
    }

    @Test(arguments: FieldSupport.kinds) func everyEntryIsAField(_ kind: ResourceKind) {
        let paths = Set(FieldSupport.paths(of: kind))
        let entries = FieldSupport.entries(of: kind).map(\.path)
        for path in entries { #expect(paths.contains(path), "\(kind.name) has no field \(path)") }
        #expect(Set(entries).count == entries.count)
    }

    static let written: [(spec: String, refused: [String], leftAlone: [String])] = [
        ("proxyProtocol: {version: V1}", [], []),
        (
            "loadBalancer: {type: DynamicModule, dynamicModule: {name: a, lbPolicyName: b}}",
            ["spec.loadBalancer.dynamicModule"], []
        ),
        ("telemetry: {metrics: {routeStatName: a}}", [], ["spec.telemetry"]),
        (
            "rateLimit: {global: {rules: [{limit: {requests: 1, unit: Hour}}, "
                + "{limit: {requests: 1, unit: Hour, fromMetadata: {namespace: a, key: b}}}]}}",
            ["spec.rateLimit.global.rules[1].limit.fromMetadata"], []
        ),
    ]

    @Test(arguments: written) func areFoundWhereTheyBegin(_ spec: String, _ refused: [String], _ leftAlone: [String])
        throws
    {
        let set = ManifestReader.read(files: [
            (
                "t.yaml",
                Array(
                    "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: BackendTrafficPolicy\nmetadata: {name: a}\nspec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], \(spec)}\n"
                        .utf8)
            )
        ])
        var findings = FindingLog()
        let index = ResourceIndex(set, findings: &findings)
        let found = FieldSupport.unsupported(try #require(index.resources.first))
        #expect(found.filter { $0.state == .refused }.map(\.node.path) == refused)
        #expect(found.filter { $0.state == .leftAlone }.map(\.node.path) == leftAlone)
        #expect(found.allSatisfy { $0.message.contains("is not supported by Sluice") })
    }

    /// The page is written anew with `SLUICE_WRITE_DOCS=1 swift test --filter FieldSupportTests`.
    @Test func theDocumentationIsMadeFromTheTable() throws {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let path = here.dropLast(4).joined(separator: "/") + "/docs/policies.md"
        if getenv("SLUICE_WRITE_DOCS") != nil {
            let file = try #require(fopen(path, "w"))
            fputs(FieldSupport.documentation, file)
            fclose(file)
        }
        let text = String(decoding: ReferencedFile.read(path) ?? [], as: UTF8.self)
        #expect(text == FieldSupport.documentation)
    }
}
