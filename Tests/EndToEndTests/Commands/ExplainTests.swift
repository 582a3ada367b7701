import Support
import Testing

/// `sluice explain`: who may call.
@Suite("Explain") struct ExplainTests {
    static func policy(_ name: String, _ spec: String, dryRun: Bool = false) -> String {
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: mesh, annotations: {istio.io/dry-run: "\(dryRun)"}}
        spec: {\(spec)}
        ---

        """
    }

    // MARK: who may call

    /// For every caller and request `explain` decides as the gateway does.
    @Test func itDecidesAsTheGatewayDoes() throws {
        let mesh = try Mesh(
            Self.policy(
                "readers",
                "rules: [{from: [{source: {namespaces: [consumer]}}], to: [{operation: {methods: [GET]}}]}, "
                    + "{from: [{source: {ipBlocks: [127.0.0.9/32]}}], when: [{key: 'request.headers[x-key]', values: [k]}]}]"
            ) + Self.policy("no-admin", "action: DENY, rules: [{to: [{operation: {paths: ['/admin*']}}]}]"),
            annotations: ["sluice.dev/trust-addresses": "true"])
        let manifests = mesh.gateway.folder.path + "/manifests"
        let requests: [(method: String, path: String, key: String?)] = [
            ("GET", "/", nil), ("PUT", "/", nil), ("PUT", "/", "k"), ("GET", "/x/../admin", "k"),
        ]
        var statuses: Set<Int> = []
        for caller in [Mesh.producer, Mesh.consumer, Mesh.stranger] {
            for (method, path, key) in requests {
                let status = try mesh.call(
                    path, host: "echo-v1.mesh", key.map { [("x-key", $0)] } ?? [], method: method, from: caller
                ).status
                statuses.insert(status)
                let told = try ExplainCommand.run(
                    [
                        manifests, "--url", "http://echo-v1.mesh:\(mesh.port)\(path)", "--method", method, "--from",
                        "127.0.0.\(caller)",
                    ] + (key.map { ["--header", "x-key: \($0)"] } ?? []))
                #expect((told.code == 0) == (status == 200), "\(method) \(path) by \(caller): \(status)\n\(told.text)")
                #expect(told.text.contains("answer     403: RBAC: access denied\n") == (status == 403), "\(told.text)")
            }
        }
        #expect(statuses == [200, 403])
    }

    private static let guarded =
        Mesh.front(port: 15_099, ["sluice.dev/trust-addresses": "false"])
            + """
            apiVersion: v1
            kind: Service
            metadata: {name: orders, namespace: mesh}
            spec: {selector: {app: orders}, ports: [{name: http, port: 80}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: vault, namespace: mesh}
            spec: {selector: {app: vault}, ports: [{name: http, port: 80}]}
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: strict, namespace: mesh}
            spec: {selector: {matchLabels: {app: vault}}, mtls: {mode: STRICT}}
            ---

            """ + Mesh.slice("orders", "a", host: 2, port: 9001) + Mesh.slice("vault", "a", host: 3, port: 9002)
        + Mesh.slice("web", "a", host: 4, port: 1, namespace: "front")
        + policy(
            "readers",
            "selector: {matchLabels: {app: orders}}, rules: [{from: [{source: {principals: "
                + "[cluster.local/ns/front/sa/web]}}], to: [{operation: {methods: [GET], notPaths: [/admin]}}]}]")
        + policy("old", "action: DENY, rules: [{when: [{key: 'request.headers[x-old]', values: ['1']}]}]", dryRun: true)
        + policy("all", "action: AUDIT, rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]")

    @Test(
        arguments: [
            (
                [], 1,
                [
                    "caller     not given (--from): somebody without a certificate, at an address that nobody knows\n",
                    "access     denied: no rule holds of AuthorizationPolicy mesh/readers (FILE:",
                    "not given  who calls (--from): taken for somebody whom neither a certificate nor an address shows\n",
                    "           the caller's address (--from ADDRESS): taken for one that is in no range\n",
                    "           the field 'x-old' (--header): taken for a request without it\n",
                    "answer     403: RBAC: access denied\n",
                    "AuthorizationPolicy mesh/readers: ALLOW, no rule holds  [FILE:",
                    "rule 0 asks for principals cluster.local/ns/front/sa/web, and no certificate shows who calls  [FILE:",
                ]
            ),
            (
                ["--from", "front/web"], 1,
                [
                    "caller     front/web, known by its address 127.0.0.4; shows no certificate\n",
                    "note: front/web is taken as known by address; --from spiffe://cluster.local/ns/front/sa/web asks",
                    "access     denied: no rule holds",
                ]
            ),
            (
                ["--from", "spiffe://cluster.local/ns/front/sa/web", "--from", "10.1.2.3", "-H", "x-old: 1"], 0,
                [
                    "caller     spiffe://cluster.local/ns/front/sa/web, by its certificate, at 10.1.2.3\n",
                    "note: listener 'calls' sees no certificates",
                    "access     allowed by AuthorizationPolicy mesh/readers (FILE:",
                    "dry run    would be denied by AuthorizationPolicy mesh/old (FILE:",
                    "audit      by AuthorizationPolicy mesh/all (FILE:", "share      weight 1, no quota\n",
                    "AuthorizationPolicy mesh/old: DENY, dry run, rule 0 holds",
                    "AuthorizationPolicy mesh/all: AUDIT, rule 0 holds",
                ]
            ),
            (
                ["--from", "cluster.local/ns/front/sa/web", "-X", "PUT"], 1,
                ["access     denied: no rule holds", "rule 0 asks for methods GET  [FILE:"]
            ),
        ] as [([String], UInt8, [String])])
    func itSaysWhoIsRefusedAndWhy(arguments: [String], code: UInt8, parts: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.guarded)
        let told = try ExplainCommand.run([path, "--url", "http://orders.mesh:15099/"] + arguments)
        #expect(told.code == code, "\(told.text)")
        for part in parts {
            #expect(told.text.contains(part.replacing("FILE:", with: path + ":")), "\(part) in\n\(told.text)")
        }
        let json = try ExplainCommand.run([path, "--url", "http://orders.mesh:15099/", "-o", "json"] + arguments)
        #expect(json.text.contains("\"access\":{\"allowed\":\(code == 0),"), "\(json.text)")
    }

    @Test func mutualTLSIsAskedForAsTheGatewayDoes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.guarded)
        let refused = try ExplainCommand.run([path, "--url", "http://vault.mesh:15099/", "--from", "127.0.0.4"])
        #expect(refused.code == 1)
        #expect(
            refused.text.contains(
                "access     refused: the caller showed no certificate, which PeerAuthentication mesh/strict (\(path):"),
            "\(refused.text)")
        #expect(refused.text.contains("PeerAuthentication mesh/strict: STRICT, the caller shows no certificate"))
        let shown = try ExplainCommand.run(
            [path, "--url", "http://vault.mesh:15099/", "--from", "spiffe://cluster.local/ns/front/sa/web"])
        #expect(shown.code == 0 && shown.text.contains("access     allowed: no policy denies it\n"), "\(shown.text)")
    }

    @Test(
        arguments: [
            (["--connect", "db"], "write HOST:PORT"), (["--connect", "db:0"], "a number from 1 to 65535"),
            (["--connect", "a:1", "--url", "http://a/"], "write one of them"),
            (["--connect", "a:1", "--sni", "a", "--tcp"], "write one of them"),
            (["--connect", "a:1", "-X", "PUT"], "are for --url"),
            (["--url", "http://a/", "--sni", "a"], "are for --connect"),
            (["--url", "http://a/", "--from", "spiffe://A/x"], "write spiffe://TRUST-DOMAIN"),
            (["--url", "http://a/", "--from", "a/"], "write NAMESPACE, NAMESPACE/NAME"),
            (["--url", "http://a/", "--from", "a", "--from", "b"], "names two callers"),
        ] as [([String], String)])
    func wrongUsage(arguments: [String], part: String) throws {
        let folder = try TemporaryFolder()
        let told = try ExplainCommand.run([try folder.write("mesh.yaml", Self.guarded)] + arguments)
        #expect(told.code == 2 && told.text.contains(part), "\(told.text)")
    }
}
