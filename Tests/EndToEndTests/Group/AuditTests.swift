import Support
import Testing

/// What policies say of a call that they do not decide: AUDIT, and dry runs of connections.
@Suite struct AuditTests {
    private static func policy(
        _ name: String, _ action: String, _ operation: String, namespace: String = "mesh", isDryRun: Bool = false
    ) -> String {
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: \(namespace), annotations: {istio.io/dry-run: "\(isDryRun)"}}
        spec: {action: \(action), rules: [{to: [{operation: {\(operation)}}]}]}
        ---

        """
    }

    /// A line of the access log that has all of these words.
    private func waitForLine(_ words: [String], in gateway: Gateway) throws -> String {
        func find() -> Substring? {
            gateway.output.split(separator: "\n").first { line in words.allSatisfy { line.contains($0) } }
        }
        try Wait.until("a line with \(words) in the log; it says:\n\(gateway.output)") { find() != nil }
        return find().map(String.init) ?? ""
    }

    @Test func auditedRequestsAreToldOfAndCounted() throws {
        let mesh = try Mesh(
            Self.policy("secrets", "AUDIT", "paths: [/secret/*]") + Self.policy("writes", "AUDIT", "methods: [POST]")
                + Self.policy("no-deletes", "DENY", "methods: [DELETE]"))
        let calls: [(method: String, path: String, status: Int, audit: String?)] = [
            ("GET", "/open", 200, nil), ("GET", "/secret/a", 200, "audit=mesh/secrets"),
            ("POST", "/secret/b", 200, #"audit="mesh/secrets,mesh/writes""#),
            ("DELETE", "/secret/c", 403, "audit=mesh/secrets"),
        ]
        for (method, path, status, audit) in calls {
            #expect(try mesh.call(path, method: method).status == status, "\(path)")
            let line = try waitForLine(["\(method) \"\(path)\""], in: mesh.gateway)
            if let audit {
                #expect(line.hasSuffix(" " + audit), "\(line)")
            } else {
                #expect(!line.contains("audit"), "\(line)")
            }
        }
        _ = try waitForLine(["/secret/a", "audited by AuthorizationPolicy mesh/secrets ("], in: mesh.gateway)
        _ = try waitForLine(["/secret/c", "denied by AuthorizationPolicy mesh/no-deletes ("], in: mesh.gateway)
        let metrics = try mesh.gateway.admin("/metrics").text
        for (policy, count) in [("secrets", 3), ("writes", 1), ("no-deletes", 0)] {
            #expect(metrics.contains("{policy=\"mesh/\(policy)\",outcome=\"audited\"} \(count)\n"), "\(metrics)")
        }
    }

    /// Of connections to a member, and of those that an ordinary listener passes on.
    @Test func whatIsSaidOfConnectionsIsLogged() throws {
        let greeter = try Backend("hello", serve: { _, connection, _ in try connection.send("hello") })
        let mesh = try Mesh(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: greeter, namespace: mesh}
            spec: {ports: [{name: tcp, port: 9090}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: greeter, namespace: mesh, labels: {kubernetes.io/service-name: greeter}}
            addressType: IPv4
            ports: [{name: tcp, port: \(greeter.port)}]
            endpoints: [{addresses: [127.0.0.1]}]
            ---

            """ + Self.policy("later", "DENY", "ports: ['9090']", isDryRun: true)
                + Self.policy("seen", "AUDIT", "ports: ['9090']"))
        let client = try Client(port: mesh.port)
        try client.send("CONNECT greeter.mesh:9090 HTTP/1.1\r\nHost: greeter.mesh:9090\r\n\r\n")
        #expect(try client.readHead().status == 200)
        #expect(try client.read(5) == Array("hello".utf8))
        client.shutdown()
        let line = try waitForLine(
            [" tcp ", "dry run: would be denied by AuthorizationPolicy mesh/later ("], in: mesh.gateway)
        #expect(line.hasSuffix(" audit=mesh/seen"), "\(line)")

        let port = try Ports.free()
        let edge = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: edge, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: tcp, protocol: TCP, port: \(port)}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: raw, namespace: default}
            spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: backend, port: 80}]}]}
            ---

            """ + Manifests.service("backend", port: greeter.port)
                + Self.policy("later", "DENY", "ports: ['\(port)']", namespace: "default", isDryRun: true)
                + Self.policy("seen", "AUDIT", "ports: ['\(port)']", namespace: "default"))
        let raw = try Client(port: port)
        #expect(try raw.read(5) == Array("hello".utf8))
        raw.shutdown()
        let told = try waitForLine(
            [" tcp ", "dry run: would be denied by AuthorizationPolicy default/later ("], in: edge)
        #expect(told.hasSuffix(" audit=default/seen"), "\(told)")
    }
}
