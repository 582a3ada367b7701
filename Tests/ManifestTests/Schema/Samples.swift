@testable import Manifest

/// A manifest of `kind` whose `spec` is the given YAML, each line indented by two.
func manifest(_ kind: String, _ spec: String, version: String = "v1") -> String {
    let lines = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
    return "apiVersion: gateway.networking.k8s.io/\(version)\nkind: \(kind)\nmetadata: {name: a}\nspec:\n"
        + lines.joined(separator: "\n") + "\n"
}

/// A route with one rule, which is the given flow of YAML.
func route(rule: String) -> String { manifest("HTTPRoute", "rules:\n- {\(rule)}") }

/// A route with one filter.
func route(filter: String) -> String { route(rule: "filters: [{\(filter)}]") }

/// A Gateway with these listeners, each a flow of YAML.
func gateway(_ listeners: String..., more: String = "") -> String {
    manifest(
        "Gateway",
        "gatewayClassName: a\nlisteners:\n" + listeners.map { "- {\($0)}" }.joined(separator: "\n") + "\n" + more)
}

/// A manifest of one of Envoy Gateway's kinds; the spec is the inside of a flow of YAML.
func envoyGateway(_ kind: String, _ spec: String) -> String {
    "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: \(kind)\nmetadata: {name: a}\nspec: {\(spec)}\n"
}
