import Support
import Testing

/// `sluice explain`: who may call, connections, and what else becomes of calls to the services of a group.
@Suite("Explain") struct ExplainTests {
    private func explain(_ arguments: [String]) throws -> (code: UInt8, text: String) {
        let folder = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["explain"] + arguments, output: folder.path + "/output")
        guard case .exited(let code) = try program.waitForEnd() else {
            Issue.record("\(arguments) was killed: \(program.output)")
            return (255, program.output)
        }
        return (code, program.output)
    }

    private static func policy(_ name: String, _ spec: String, dryRun: Bool = false) -> String {
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
                let told = try explain(
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
                    "rule 1 asks for principals cluster.local/ns/front/sa/web, and no certificate shows who calls  [FILE:",
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
                    "AuthorizationPolicy mesh/old: DENY, dry run, rule 1 holds",
                    "AuthorizationPolicy mesh/all: AUDIT, rule 1 holds",
                ]
            ),
            (
                ["--from", "cluster.local/ns/front/sa/web", "-X", "PUT"], 1,
                ["access     denied: no rule holds", "rule 1 asks for methods GET  [FILE:"]
            ),
        ] as [([String], UInt8, [String])])
    func itSaysWhoIsRefusedAndWhy(arguments: [String], code: UInt8, parts: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.guarded)
        let told = try explain([path, "--url", "http://orders.mesh:15099/"] + arguments)
        #expect(told.code == code, "\(told.text)")
        for part in parts {
            #expect(told.text.contains(part.replacing("FILE:", with: path + ":")), "\(part) in\n\(told.text)")
        }
        let json = try explain([path, "--url", "http://orders.mesh:15099/", "-o", "json"] + arguments)
        #expect(json.text.contains("\"access\":{\"allowed\":\(code == 0),"), "\(json.text)")
    }

    @Test func mutualTLSIsAskedForAsTheGatewayDoes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.guarded)
        let refused = try explain([path, "--url", "http://vault.mesh:15099/", "--from", "127.0.0.4"])
        #expect(refused.code == 1)
        #expect(
            refused.text.contains(
                "access     refused: the caller showed no certificate, which PeerAuthentication mesh/strict (\(path):"),
            "\(refused.text)")
        #expect(refused.text.contains("PeerAuthentication mesh/strict: STRICT, the caller shows no certificate"))
        let shown = try explain(
            [path, "--url", "http://vault.mesh:15099/", "--from", "spiffe://cluster.local/ns/front/sa/web"])
        #expect(shown.code == 0 && shown.text.contains("access     allowed: no policy denies it\n"), "\(shown.text)")
    }

    // MARK: connections

    private static func connections(_ egress: String = "deny") -> String {
        Mesh.front(
            port: 15_099,
            [
                "sluice.dev/egress": egress, "sluice.dev/fallback-gateway": "10.0.0.5", "sluice.dev/carry": "x-version",
                "sluice.dev/weight": "3",
            ])
                + """
                apiVersion: v1
                kind: Service
                metadata:
                  name: db
                  namespace: mesh
                  annotations: {sluice.dev/fallback-gateway: "10.0.0.6:5432", sluice.dev/max-connections: "50", sluice.dev/max-memory: 4Mi}
                spec: {clusterIP: 10.96.1.1, selector: {app: db}, ports: [{name: tcp, port: 5432}]}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: open, namespace: mesh}
                spec: {ports: [{name: any, port: 9000}, {name: http, port: 80}]}
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: db, namespace: mesh, labels: {kubernetes.io/service-name: db}}
                addressType: IPv4
                ports: [{name: tcp, port: 5433}]
                endpoints: [{addresses: [10.1.0.1]}]
                ---
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: Backend
                metadata: {name: named, namespace: mesh}
                spec: {type: DynamicResolver}
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: TLSRoute
                metadata: {name: payments, namespace: mesh}
                spec:
                  parentRefs: [{name: front}]
                  hostnames: ["*.payments.example"]
                  rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: named}]}]
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: edge, namespace: mesh}
                spec:
                  gatewayClassName: sluice
                  addresses: [{type: IPAddress, value: 127.0.0.1}]
                  listeners: [{name: raw, protocol: TCP, port: 15098}]
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: TCPRoute
                metadata: {name: raw, namespace: mesh}
                spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: db, port: 5432}]}]}
                ---

                """
            + policy(
                "db", "selector: {matchLabels: {app: db}}, rules: [{from: [{source: {namespaces: [mesh]}}]}]")
    }

    @Test(
        arguments: [
            (
                ["--connect", "db.mesh:5432", "--from", "spiffe://cluster.local/ns/mesh/sa/app"], "deny", 0,
                [
                    "service    mesh/db, port 5432 (tcp)", "spoken     octets, as the port declares\n",
                    "share      weight 3, at most 50 calls at once and 4 MiB buffered\n",
                    "access     allowed by AuthorizationPolicy mesh/db (FILE:", "→ 10.1.0.1:5433",
                    "fallback   10.0.0.6:5432, when no backend can be reached from here\n",
                ]
            ),
            (
                ["--connect", "10.96.1.1:5432"], "deny", 1,
                ["service    mesh/db, port 5432 (tcp)", "answer     reset: access denied\n"]
            ),
            (
                ["--connect", "db.mesh:99"], "deny", 1,
                ["answer     reset (CONNECT: 404): Service mesh/db has no such port; it has 5432\n"]
            ),
            (
                ["--connect", "open.mesh:80"], "deny", 0,
                ["spoken     requests, as the port declares\n", "ask with --url http://open.mesh:80/\n"]
            ),
            (
                ["--connect", "open.mesh:9000"], "deny", 0,
                ["note: nobody declares what is spoken there: taken for octets", "route      Service mesh/open  ["]
            ),
            (
                ["--connect", "open.mesh:9000", "--sni", "a.example"], "deny", 0,
                ["spoken     TLS, by its first octets; passed on as it is\n"]
            ),
            (
                ["--connect", "eu.payments.example:443", "--sni", "eu.payments.example"], "deny", 0,
                [
                    "egress     as written: a route of the Gateway has it\n", "TLSRoute mesh/payments",
                    "the request's own host",
                ]
            ),
            (
                ["--connect", "eu.payments.example:443", "--sni", "other.example"], "allow", 1,
                ["egress     denied: the server name 'other.example' is not the host that is called\n"]
            ),
            (
                ["--connect", "other.example:443", "--tcp"], "deny", 1,
                [
                    "egress     denied: no route of the Gateway has it",
                    "answer     reset (CONNECT: 403): other.example is no",
                ]
            ),
            (
                ["--connect", "192.0.2.9:443", "--sni", "other.example"], "allow", 0,
                ["egress     as asked (sluice.dev/egress: allow)", "goes to    192.0.2.9:443\n"]
            ),
            (
                ["--connect", "169.254.169.254:80", "--tcp"], "allow", 1,
                ["answer     reset: an address of this machine or its links (sluice.dev/allow-local-targets)\n"]
            ),
            (
                ["--connect", "localhost:15098"], "deny", 0,
                [
                    "listener   mesh/edge 'raw' (every host)", "spoken     octets: whatever comes is passed on\n",
                    "route      TCPRoute mesh/raw",
                ]
            ),
            (
                ["--connect", "127.0.0.1:15099"], "deny", 1,
                ["requests are served here, each by itself: ask with --url http://127.0.0.1:15099/\n"]
            ),
            (
                ["--url", "http://open.mesh:15099/", "-H", "baggage: x-version=v2"], "deny", 0,
                [
                    "note: 'x-version: v2' is taken from the baggage, as sluice.dev/carry has it\n",
                    "carries    x-version, in baggage as 'x-version'\n",
                    "fallback   10.0.0.5:15099, when no backend can be reached from here\n",
                ]
            ),
            (
                ["--url", "http://open.mesh:15099/", "-H", "x-sluice-hop: 1"], "deny", 0,
                ["fallback   none: x-sluice-hop says that another gateway has handed it on already\n"]
            ),
        ] as [([String], String, UInt8, [String])])
    func connectionsAndTheRest(arguments: [String], egress: String, code: UInt8, parts: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mesh.yaml", Self.connections(egress))
        let told = try explain([path] + arguments)
        #expect(told.code == code, "\(told.text)")
        for part in parts {
            #expect(told.text.contains(part.replacing("FILE:", with: path + ":")), "\(part) in\n\(told.text)")
        }
        let json = try explain([path, "-o", "json"] + arguments)
        #expect(json.code == code && json.text.contains("\"served\":\(code == 0),"), "\(json.text)")
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
        let told = try explain([try folder.write("mesh.yaml", Self.guarded)] + arguments)
        #expect(told.code == 2 && told.text.contains(part), "\(told.text)")
    }
}

extension String {
    fileprivate func replacing(_ part: String, with other: String) -> String {
        var result = ""
        var rest = self[...]
        while let first = rest.first {
            if rest.hasPrefix(part) {
                result += other
                rest = rest.dropFirst(part.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
