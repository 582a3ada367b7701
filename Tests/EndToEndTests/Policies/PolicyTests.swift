import Core
import IO
import Support
import Testing

/// What policies that cannot be used do to requests, and what says why.
@Suite("Policies", .serialized)
struct PolicyTests {
    private static func policy(_ kind: String, on target: String, _ spec: String) -> String {
        """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: \(kind)
        metadata: {name: policy, namespace: default}
        spec: {targetRefs: [{group: gateway.networking.k8s.io, \(target)}], \(spec)}
        ---

        """
    }

    /// The resources, and the status of a request to `/`.
    static let cases: [(resources: String, status: String)] = [
        ("", "200"),
        // Never open by accident.
        (policy("SecurityPolicy", on: "kind: HTTPRoute, name: route", "basicAuth: {users: {name: staff}}"), "500"),
        (policy("SecurityPolicy", on: "kind: HTTPRoute, name: other", "basicAuth: {users: {name: staff}}"), "200"),
        // A field that is not supported.
        (
            policy(
                "BackendTrafficPolicy", on: "kind: HTTPRoute, name: route",
                "loadBalancer: {type: DynamicModule, dynamicModule: {name: a, lbPolicyName: b}}"), "500"
        ),
        // One that can do no harm.
        (
            policy(
                "BackendTrafficPolicy", on: "kind: HTTPRoute, name: route", "telemetry: {metrics: {routeStatName: a}}"),
            "200"
        ),
    ]

    @Test(arguments: cases) func untranslatablePoliciesAnswer500(_ resources: String, _ status: String) throws {
        let port = try Ports.free()
        let backend = try EchoBackend()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port) + resources)
        let words = ["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]
        let found = try Clients.tool("curl", words + ["http://127.0.0.1:\(port)/"])
        #expect(found.output == status)
        _ = gateway
    }
}
