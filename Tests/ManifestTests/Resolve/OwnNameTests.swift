import Glibc
import Support
import Testing

@testable import Manifest

/// Sluice's own annotations and labels: none is ignored in silence.
@Suite struct OwnNameTests {
    @Test(arguments: [
        ("wieght", false, ResourceKind.service, "did you mean sluice.dev/weight?"),
        ("Hbone", false, .service, "did you mean sluice.dev/hbone?"),
        ("gatway", true, .namespace, "did you mean sluice.dev/gateway?"),
        (
            "gateway", false, .service,
            "this is a label, and says nothing as an annotation; write it under metadata.labels"
        ),
        ("egress", true, .gateway, "write it under metadata.annotations"),
        ("hbone", false, .gateway, "says nothing on a Gateway; it is for Service"),
        ("nonsense-of-mine", false, .gateway, "Sluice knows no such annotation, and it says nothing"),
    ])
    func whatSaysNothingIsTold(_ name: String, _ isLabel: Bool, _ kind: ResourceKind, _ part: String) throws {
        let problem = try #require(OwnNames.problem(of: name, isLabel: isLabel, on: kind))
        #expect(problem.contains(part), "\(problem)")
    }

    @Test func whatSaysSomethingIsNotTold() {
        for entry in OwnNames.annotations {
            for kind in entry.kinds {
                #expect(OwnNames.problem(of: entry.name, isLabel: false, on: kind) == nil, "\(entry.name)")
            }
        }
        for entry in OwnNames.labels {
            for kind in entry.kinds {
                #expect(OwnNames.problem(of: entry.name, isLabel: true, on: kind) == nil, "\(entry.name)")
            }
        }
    }

    @Test func aMisspeltOneIsAWarningAtItsLine() {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata:
              name: g
              annotations:
                sluice.dev/egres: allow
            spec: {gatewayClassName: sluice, listeners: [{name: web, protocol: HTTP, port: 80}]}

            """
        let set = ManifestReader.read(files: [(path: "t.yaml", bytes: Array(text.utf8))])
        let findings = Resolver.resolve(set, now: "2026-01-01T00:00:00Z") { _ in nil }.findings
        #expect(
            findings.map(\.description) == [
                "t.yaml:6:23: warning: metadata.annotations[sluice.dev/egres]: Sluice knows no such annotation, and it says "
                    + "nothing; did you mean sluice.dev/egress?"
            ])
    }

    @Test(arguments: [
        ("", "", true), (", sluice.dev/egress: allow", "", false),
        ("", "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {sluice.dev/gateway: g}}\n", true),
        (
            "",
            "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {sluice.dev/gateway: g}}\nspec: {ports: [{port: 80}]}",
            false
        ),
        (
            "",
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: r}
            spec: {parentRefs: [{name: g}], hostnames: [example.com]}
            """, false
        ),
    ]) func aGroupThatNobodyIsInIsTold(_ annotation: String, _ other: String, _ isTold: Bool) {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: g, annotations: {sluice.dev/group: by-name\(annotation)}}
            spec: {gatewayClassName: sluice, listeners: [{name: web, protocol: HTTP, port: 80}]}
            ---
            \(other)
            """
        let set = ManifestReader.read(files: [(path: "t.yaml", bytes: Array(text.utf8))])
        let findings = Resolver.resolve(set, now: "2026-01-01T00:00:00Z") { _ in nil }.findings
        let part = "group without members; label a Namespace or its Services sluice.dev/gateway: g"
        #expect(findings.contains { $0.message.contains(part) } == isTold, "\(findings)")
    }

    /// Every name that a source file reads is in the table.
    @Test func theTableIsComplete() throws {
        let known = Set((OwnNames.annotations + OwnNames.labels).map(\.name))
        // A condition's type and a controller's name, which stand in other fields.
        let others: Set = ["Rollout", "gateway-controller"]
        var found = Set<String>()
        for path in Self.sources("Sources/Manifest") {
            let parts = Repository.text(path).split(separator: "\"sluice.dev/", omittingEmptySubsequences: false)
                .dropFirst()
            for part in parts { found.insert(String(part.prefix { $0.isLetter || $0 == "-" })) }
        }
        found.remove("")
        #expect(found.isSuperset(of: ["hbone", "gateway", "weight"]))
        #expect(found.subtracting(others).subtracting(known) == [])
        #expect(known.subtracting(found) == [])
    }

    private static func sources(_ folder: String) -> [String] {
        guard let entries = opendir("\(Repository.root)/\(folder)") else { return [] }
        defer { closedir(entries) }
        var paths: [String] = []
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            if name.hasSuffix(".swift") {
                paths.append("\(folder)/\(name)")
            } else if entry.pointee.d_type == UInt8(DT_DIR) {
                paths += sources("\(folder)/\(name)")
            }
        }
        return paths
    }
}
