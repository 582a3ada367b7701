import Support
import Testing

/// Every service of a group keeps its own rules.
@Suite struct GroupPolicyTests {
    private static func policy(_ name: String, _ target: String, _ fields: String) -> String {
        """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: BackendTrafficPolicy
        metadata: {name: \(name), namespace: mesh}
        spec:
          targetRefs: [\(target)]
        \(fields)
        ---

        """
    }

    private static func service(_ name: String, section: String? = nil) -> String {
        "{group: \"\", kind: Service, name: \(name)\(section.map { ", sectionName: \($0)" } ?? "")}"
    }

    private static func fault(_ status: Int) -> String { "  faultInjection: {abort: {httpStatus: \(status)}}" }

    /// The nearest policy counts: route, port, Service, Gateway.
    @Test func theNearestPolicyCounts() throws {
        let mesh = try Mesh(
            Self.policy("all", "{group: gateway.networking.k8s.io, kind: Gateway, name: front}", Self.fault(418))
                + Self.policy("one", Self.service("echo-v1"), Self.fault(501))
                + Self.policy("alt", Self.service("echo-v1", section: "http-alt"), Self.fault(502))
                + Self.policy(
                    "route", "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}", Self.fault(503))
                + Mesh.route(to: "echo", "rules: [{backendRefs: [{name: echo-v1, port: 80}]}]"))
        for (host, status) in [("echo-v2", 418), ("echo-v1", 501), ("echo-v1:8080", 502), ("echo", 503)] {
            #expect(try mesh.call(host: host).status == status, "\(host)")
        }
        // Of the consumers' routes, too, it is the Service that is called whose policy counts.
        #expect(mesh.v1.requests.isEmpty && mesh.v2.requests.isEmpty)
    }

    @Test func eachServiceHasItsTimeout() throws {
        let slow = try Backend("slow", host: 5) { _ in .silence }
        let services = ["hasty", "patient"].map { name in
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: mesh}
            spec: {ports: [{name: http, port: 80}]}
            ---

            """ + Mesh.slice(name, "a", host: 5, port: slow.port)
        }
        let mesh = try Mesh(
            services.joined()
                + Self.policy("hasty", Self.service("hasty"), "  timeout: {http: {requestTimeout: 200ms}}")
                + Self.policy("patient", Self.service("patient"), "  timeout: {http: {requestTimeout: 700ms}}"))
        for (host, words) in [("hasty", "after 200ms"), ("patient", "after 700ms")] {
            let answer = try mesh.call(host: host)
            #expect(answer.status == 504)
            #expect(answer.text.contains("BackendTrafficPolicy 'mesh/\(host)'"))
            #expect(answer.text.contains(words))
        }
    }

    /// What `explain` tells is what the gateway does.
    @Test func explainTellsWhoIsMeantAndWhy() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "mesh.yaml",
            Mesh.front(port: 15_099)
                + Mesh.route(named: "own", port: nil, "rules: [{backendRefs: [{name: echo, port: 80}]}]")
                + Mesh.route(
                    named: "theirs", namespace: "consumer", port: nil,
                    "rules: [{backendRefs: [{name: echo, namespace: mesh, port: 80}]}]")
                    + """
                    apiVersion: v1
                    kind: Service
                    metadata: {name: echo, namespace: mesh}
                    spec: {ports: [{name: http, port: 80}]}
                    ---

                    """ + Mesh.slice("echo", "a", host: 2, port: 9001))
        func explain(_ words: [String]) throws -> (text: String, isServed: Bool) {
            let program = try Program(
                Program.built("sluice"), ["explain", folder.path + "/mesh.yaml"] + words,
                output: folder.path + "/output")
            let isServed = try program.waitForEnd() == .exited(code: 0)
            return (program.output, isServed)
        }
        let (own, served) = try explain(["--url", "http://echo.mesh/x"])
        #expect(served)
        #expect(own.contains("service    mesh/echo, port 80 (http)"))
        #expect(own.contains("HTTPRoute mesh/own"))
        #expect(own.contains("callers in consumer have their own"))
        let (theirs, _) = try explain(["--url", "http://echo.mesh/x", "--from", "consumer"])
        #expect(theirs.contains("HTTPRoute consumer/theirs"))
        #expect(theirs.contains("those of the caller's namespace 'consumer'"))
        let (nobody, refused) = try explain(["--url", "http://nobody.mesh/"])
        #expect(!refused)
        #expect(nobody.contains("403: no service of the group is called nobody.mesh"))
    }
}
