import Testing

@testable import Manifest

@Suite struct CoreKindRules {
    static func core(_ kind: String, _ body: String, name: String = "a", api: String = "v1") -> String {
        "apiVersion: \(api)\nkind: \(kind)\nmetadata: {name: \(name)}\n\(body)\n"
    }
    static func service(_ spec: String) -> String { core("Service", "spec: {\(spec)}") }
    static func slice(_ body: String) -> String { core("EndpointSlice", body, api: "discovery.k8s.io/v1") }

    static let cases: [SchemaCase] = [
        .taken(core("Namespace", "")),
        .taken(core("Namespace", "status: {phase: 7, anything: [1]}")),
        .refused(core("Namespace", "data: {}"), "", "no field is named 'data'"),
        .taken(service("ports: [{port: 80, targetPort: http}]")),
        .taken(service("ports: [{port: 80, targetPort: 8080}], selector: {a: b}")),
        .refused(service("ports: [{port: 80, targetPort: 0}]"), "spec.ports[0].targetPort"),
        .refused(service("ports: [{port: 80, targetPort: A}]"), "spec.ports[0].targetPort"),
        .refused(
            service("ports: [{port: 80, targetPort: [1]}]"), "spec.ports[0].targetPort", "whole number or a string"),
        .refused(service("ports: [{targetPort: 80}]"), "spec.ports[0].port", "is missing"),
        .refused(service("ports: [{port: 80}, {port: 81, name: a}]"), "spec.ports[0].name", "is missing"),
        .refused(service("ports: [{port: 80, name: a}, {port: 80, name: b}]"), "spec.ports[1].port"),
        .taken(service("ports: [{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]")),
        .refused(service("ports: [{port: 80, protocol: HTTP}]"), "spec.ports[0].protocol", "'TCP'"),
        .refused(service("selector: {a: b}"), "spec.ports", "is missing"),
        .taken(service("clusterIP: None")),
        .taken(service("type: ExternalName, externalName: a.example.com")),
        .refused(service("type: ExternalName"), "spec.externalName"),
        .refused(service("ports: [{port: 80}], typ: NodePort"), "spec", "'type'"),
        .taken(core("Secret", "type: Opaque\ndata: {a.b: YWI=}\nstringData: {c: d}")),
        .refused(core("Secret", "data: {a: 'a!'}"), "data.a", "base64"),
        .refused(core("Secret", "stringData: {a: 1}"), "stringData.a", "must be a string"),
        .refused(core("ConfigMap", "data: {a/b: c}"), "data[a/b]", "a key"),
        .taken(core("ConfigMap", "binaryData: {a: YWI=}\nimmutable: true")),
        .taken(
            slice(
                "addressType: IPv4\nendpoints: [{addresses: [1.2.3.4], conditions: {ready: true}}]\nports: [{port: 1, name: ''}]"
            )),
        .taken(slice("addressType: FQDN\nendpoints: null\nports: null")),
        .refused(slice("addressType: IPv4\nendpoints: [{addresses: ['::1']}]"), "endpoints[0].addresses[0]"),
        .refused(slice("addressType: IPv5"), "addressType"),
        .refused(
            slice("addressType: IPv6\nendpoints: [{addresses: []}]"), "endpoints[0].addresses", "must not be empty"),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}

@Suite struct MetadataRules {
    static func named(_ metadata: String, kind: String = "ConfigMap") -> String {
        "apiVersion: v1\nkind: \(kind)\nmetadata: {\(metadata)}\n"
            + (kind == "Service" ? "spec: {clusterIP: None}\n" : "")
    }

    static let refused: [(text: String, path: String)] = [
        ("apiVersion: v1\nkind: ConfigMap\n", "metadata"), (named(""), "metadata.name"),
        (named("name: "), "metadata.name"),
        (named("name: A"), "metadata.name"), (named("name: a_b"), "metadata.name"),
        (named("name: a/b"), "metadata.name"),
        (named("name: 7"), "metadata.name"), (named("name: a.b", kind: "Namespace"), "metadata.name"),
        (named("name: 7a", kind: "Service"), "metadata.name"), (named("name: a.b", kind: "Service"), "metadata.name"),
        (named("name: \(String(repeating: "a", count: 254))"), "metadata.name"),
        (named("name: a, namespace: a.b"), "metadata.namespace"), (named("name: a, nam: b"), "metadata"),
        (named("name: a, labels: {a: 1}"), "metadata.labels.a"),
        (named("name: a, labels: {a: 'b c'}"), "metadata.labels.a"),
        (named("name: a, labels: {'a b': c}"), "metadata.labels[a b]"),
        (named("name: a, labels: [a]"), "metadata.labels"),
        (named("name: a, annotations: {a: true}"), "metadata.annotations.a"),
        (named("name: a, labels: {Example.com/a: b}"), "metadata.labels[Example.com/a]"),
        (named("name: a, creationTimestamp: yesterday"), "metadata.creationTimestamp"),
        (named("name: a, creationTimestamp: 2026-02-30T00:00:00Z"), "metadata.creationTimestamp"),
        (named("name: a, creationTimestamp: 2026-02-03"), "metadata.creationTimestamp"),
    ]

    @Test(arguments: refused) func isRefused(_ text: String, _ path: String) {
        let told = read(text).findings
        #expect(told.contains { $0.path == path && $0.kind == .malformed }, "\(told)")
    }

    static let taken = [
        named("name: a.b-c.1"), named("name: '7'"), named("name: a, namespace: b, labels: , annotations: {a: ''}"),
        named("name: a, creationTimestamp: 2026-02-03T01:02:03Z"), named("name: a, creationTimestamp: null"),
        named("name: a, creationTimestamp: \"2026-02-03T01:02:03.123+02:00\""),
        named("name: a, annotations: {Example.com/a: b, sluice.dev/cert-file: ../c.pem}"),
        named(
            "name: a, uid: 7, resourceVersion: [], managedFields: {x: y}, generation: q, ownerReferences: 1, finalizers: z"
        ),
    ]

    @Test(arguments: taken) func isTaken(_ text: String) {
        let set = read(text)
        #expect(set.findings.isEmpty && set.documents.count == 1, "\(set.findings)")
    }

    @Test func namespacesAreDefaultedWhereThereAreAny() {
        let texts = [
            Self.named("name: a"), Self.named("name: b, namespace: c"), Self.named("name: d", kind: "Namespace"),
        ]
        let set = read(texts.joined(separator: "---\n"))
        #expect(set.documents.map { "\($0.namespace.string)/\($0.name.string)" } == ["default/a", "c/b", "/d"])
    }
}
