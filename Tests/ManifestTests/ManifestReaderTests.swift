import Core
import Testing

@testable import Manifest

@Suite struct KindsAndLists {
    /// Documents that should have been resources, as `check` counts them.
    @Test(arguments: [
        ("kind: Service\nmetadata: {name: a}\n", 0, 1), ("apiVersion: 1\nkind: Service\n", 0, 1), ("- a\n", 0, 1),
        ("apiVersion: v2\nkind: Service\nmetadata: {name: a}\n", 0, 1),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prts: [], x: 1}\n", 0, 1),
        ("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nkind: A\n---\n---\nkind: B\n", 1, 2),
        ("apiVersion: example.org/v1\nkind: Unknown\nmetadata: {name: a}\n", 0, 0),
    ])
    func malformedResourcesAreCounted(_ text: String, _ documents: Int, _ malformed: Int) {
        let set = ManifestReader.read(files: [("t.yaml", Array(text.utf8))])
        #expect(set.documents.count == documents && set.malformedCount == malformed, "\(set.findings)")
    }

    @Test func anUnknownKindIsNamedOnceAndLeftAlone() {
        let one = "apiVersion: apps/v1\nkind: Deployment\nany: {thing: [at, all]}\n"
        let set = ManifestReader.read(files: [("a.yaml", Array("\(one)---\n\(one)".utf8)), ("b.yaml", Array(one.utf8))])
        #expect(set.findings.map(\.kind) == [.warning])
        #expect(set.findings[0].description.hasPrefix("a.yaml:2:7: warning: "))
        #expect(set.documents.isEmpty)
    }

    static let advice = [
        ("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", "options of 'sluice run'"),
        ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicys", "did you mean 'SecurityPolicy'?"),
        ("gateway.networking.k8s.io/v1", "HttpRoute", "did you mean 'HTTPRoute'?"),
        ("networking.k8s.io/v1", "HTTPRoute", "did you mean the one of 'gateway.networking.k8s.io'?"),
        ("v1", "Pod", "does not need them"),
    ]

    @Test(arguments: advice) func theWarningSaysWhatToDo(_ apiVersion: String, _ kind: String, _ words: String) {
        let told = findings("apiVersion: \(apiVersion)\nkind: \(kind)\n")
        #expect(told.count == 1 && told[0].contains(words), "\(told)")
    }

    @Test func listsAreUnfolded() {
        let set = read(
            """
            apiVersion: v1
            kind: List
            metadata: {resourceVersion: ""}
            items:
            - apiVersion: v1
              kind: Namespace
              metadata: {name: a}
            - apiVersion: gateway.networking.k8s.io/v1
              kind: HTTPRoute
              metadata: {name: b}
              spec: {hostnames: [A]}
            - {apiVersion: v1, kind: Namespace, metadata: {name: c}}
            """)
        #expect(set.documents.map(\.name.string) == ["a", "c"])
        #expect(set.findings.map(\.description).count == 1)
        #expect(set.findings[0].description.hasPrefix("t.yaml:11:22: error: spec.hostnames[0]: 'A' is not"))
        let other = read(
            "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClassList, items: [{apiVersion: v1, kind: Namespace, metadata: {name: d}}]}"
        )
        #expect(other.documents.map(\.name.string) == ["d"])
    }

    @Test func findingsOfADocumentHaveALimit() {
        let hosts = (0..<1000).map { "  - \($0)\n" }.joined()
        let set = read(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec:\n  hostnames:\n"
                + hosts)
        #expect(set.findings.count == ManifestLimits.findingsPerDocument)
    }

    @Test func aFindingAsTextAndAsJSON() {
        let set = read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {'x\"y': 1}\n")
        #expect(
            set.findings.map(\.description) == [
                "t.yaml:4:15: error: data[x\"y]: is a number, but must be a string; put quotes around '1'"
            ])
        var json = JSONWriter()
        set.findings[0].write(to: &json)
        let text = json.finish()
        #expect(
            text.view.string
                == #"{"kind":"malformed","severity":"error","file":"t.yaml","line":4,"column":15,"resource":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"b","name":"a"}},"path":"data[x\"y]","message":"is a number, but must be a string; put quotes around '1'"}"#
        )
    }

    /// What ten thousand routes keep in memory is part of what the gateway promises.
    @Test func aRouteTakesLessThanAKibibyte() {
        let text = (0..<1000).map { Nodes.route.replacing("name: shop", with: "name: shop-\($0)") }.joined(
            separator: "\n---\n")
        let set = read(text)
        #expect(set.documents.count == 1000 && set.findings.isEmpty)
        #expect(set.files[0].footprint.nodes < 1024 * 1000)
    }
}
