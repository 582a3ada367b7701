import Testing

@testable import Manifest

/// A manifest of one of Istio's kinds; the spec is the inside of a flow of YAML.
func istio(_ kind: String, _ spec: String, version: String = "v1") -> String {
    "apiVersion: security.istio.io/\(version)\nkind: \(kind)\nmetadata: {name: a}\nspec: {\(spec)}\n"
}

@Suite struct AuthorizationPolicySchemaRules {
    static func policy(_ spec: String) -> String { istio("AuthorizationPolicy", spec) }
    static func rule(_ rule: String) -> String { policy("rules: [{\(rule)}]") }
    static func source(_ source: String) -> String { rule("from: [{source: {\(source)}}]") }
    static func list(_ item: String, _ count: Int) -> String {
        "[" + Array(repeating: item, count: count).joined(separator: ", ") + "]"
    }
    static let sourcePath = "spec.rules[0].from[0].source"

    static let policies: [SchemaCase] = [
        .taken(policy("")),
        .taken("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n"),
        .taken(istio("AuthorizationPolicy", "action: DENY, rules: [{}]", version: "v1beta1")),
        .refused(istio("AuthorizationPolicy", "", version: "v1alpha1"), "apiVersion", "security.istio.io/v1"),
        .refused(policy("action: allow"), "spec.action", "ALLOW"),
        .refused(policy("actions: ALLOW"), "spec", "did you mean 'action'"),
        .taken(policy("action: CUSTOM, provider: {name: x}")),
        .refused(policy("provider: x"), "spec.provider"),
        .taken(policy("rules: \(list("{}", 512))")),
        .refused(policy("rules: \(list("{}", 513))"), "spec.rules", "512"),
        .refused(rule("from: \(list("{}", 513))"), "spec.rules[0].from", "512"),
        .taken(rule("from: [], to: [], when: []")),
        .refused(policy("rules: [null]"), "spec.rules[0]"),
        // Sources
        .taken(source("principals: ['*'], namespaces: [a], ipBlocks: [nonsense], requestPrincipals: [x/y]")),
        .taken(source("serviceAccounts: [a/b], trustDomains: [td]")),
        .refused(source("serviceAccounts: [a/b], namespaces: [a]"), "\(sourcePath).namespaces", "serviceAccounts"),
        .refused(
            source("notServiceAccounts: [a/b], notPrincipals: []"), "\(sourcePath).notPrincipals", "notServiceAccounts"),
        .refused(source("serviceAccounts: \(list("a", 17))"), "\(sourcePath).serviceAccounts", "16"),
        .refused(
            source("serviceAccounts: [\(String(repeating: "a", count: 321))]"), "\(sourcePath).serviceAccounts[0]",
            "320"),
        .refused(source("principal: a"), sourcePath, "did you mean 'principals'"),
        .refused(source("ipBlocks: 10.0.0.0/8"), "\(sourcePath).ipBlocks"),
        // Operations and conditions
        .taken(rule("to: [{operation: {paths: ['/{**}'], notPorts: ['80'], methods: [GET], hosts: ['*.x']}}]")),
        .refused(rule("to: [{operation: {ports: [80]}}]"), "spec.rules[0].to[0].operation.ports[0]", "string"),
        .refused(rule("when: [{values: [a]}]"), "spec.rules[0].when[0].key", "is missing"),
        .refused(rule("when: [{key: a, value: [b]}]"), "spec.rules[0].when[0]", "did you mean 'values'"),
    ]

    static let targets: [SchemaCase] = [
        .taken(policy("selector: {matchLabels: {a: b}}")),
        .taken(
            policy("targetRefs: [{kind: Service, name: x}, {group: gateway.networking.k8s.io, kind: Gateway, name: z}]")
        ),
        .taken(policy("targetRef: {kind: Service, name: x, namespace: ''}")),
        .refused(policy("targetRef: {kind: Service, name: x, namespace: b}"), "spec.targetRef.namespace", "namespaces"),
        .refused(policy("targetRefs: [{kind: Service}]"), "spec.targetRefs[0].name", "is missing"),
        .refused(
            policy("targetRefs: \(list("{kind: Service, name: x}", 17))"), "spec.targetRefs", "16"),
        .refused(policy("selector: {}, targetRefs: []"), "spec.targetRefs", "only one of"),
        .refused(policy("targetRef: {kind: A, name: b}, selector: {}"), "spec.targetRef", "only one of"),
        .refused(policy("selector: {matchLabels: {a: 'b*'}}"), "spec.selector.matchLabels.a", "wildcard"),
        .refused(policy("selector: {matchLabels: {'a*': b}}"), "spec.selector.matchLabels[a*]", "wildcard"),
        .refused(policy("selector: {matchLabels: {'': b}}"), "spec.selector.matchLabels[]", "empty"),
        .refused(
            policy("selector: {matchLabels: {a: \(String(repeating: "b", count: 64))}}"),
            "spec.selector.matchLabels.a", "63"),
    ]

    @Test(arguments: policies) func aPolicy(_ row: SchemaCase) { row.verify() }
    @Test(arguments: targets) func aTarget(_ row: SchemaCase) { row.verify() }
}

@Suite struct PeerAuthenticationSchemaRules {
    static func policy(_ spec: String) -> String { istio("PeerAuthentication", spec) }
    static let selected = "selector: {matchLabels: {a: b}}"

    static let cases: [SchemaCase] = [
        .taken(policy("")),
        .taken(policy("mtls: {mode: STRICT}")),
        .taken(istio("PeerAuthentication", "mtls: {}, selector: {}", version: "v1beta1")),
        .refused(policy("mtls: {mode: strict}"), "spec.mtls.mode", "STRICT"),
        .taken(policy("\(selected), portLevelMtls: {8080: {mode: DISABLE}}")),
        .refused(policy("portLevelMtls: {8080: {mode: DISABLE}}"), "spec.portLevelMtls", "selector"),
        .refused(policy("\(selected), portLevelMtls: {}"), "spec.portLevelMtls"),
        .refused(policy("\(selected), portLevelMtls: {0: {}}"), "spec.portLevelMtls.0", "no port"),
        .refused(policy("\(selected), portLevelMtls: {http: {}}"), "spec.portLevelMtls.http", "no port"),
        .refused(policy("\(selected), portLevelMtls: {80: {mode: ON}}"), "spec.portLevelMtls.80.mode"),
    ]

    @Test(arguments: cases) func aCase(_ row: SchemaCase) { row.verify() }
}
