import Support
import Testing

/// `sluice explain`: connections below HTTP, and what else becomes of calls to the services of a group.
@Suite("Explain connections") struct ExplainConnectionTests {
    private static func connections(_ egress: String = "deny") -> String {
        Mesh.front(
            port: 15_099,
            [
                "sluice.dev/egress": egress, "sluice.dev/fallback-gateway": "10.0.0.5", "sluice.dev/carry": "x-version",
                "sluice.dev/weight": "3", "sluice.dev/max-connections-per-caller": "9",
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
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: open, namespace: mesh, labels: {kubernetes.io/service-name: open}}
                addressType: IPv4
                ports: [{name: any, port: 9001}, {name: http, port: 8080}]
                endpoints: [{addresses: [10.1.0.2]}]
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: cache, namespace: far, labels: {kubernetes.io/service-name: cache}}
                addressType: IPv4
                ports: [{name: redis, port: 6380}]
                endpoints: [{addresses: [10.1.0.3]}]
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: far, namespace: far, annotations: {sluice.dev/group: by-name}}
                spec:
                  gatewayClassName: sluice
                  addresses: [{type: IPAddress, value: 127.0.0.1}]
                  listeners:
                  - {name: http, protocol: HTTP, port: 15097}
                  - {name: tls, protocol: TLS, port: 15096, tls: {mode: Passthrough}}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: cache, namespace: far, labels: {sluice.dev/gateway: far}}
                spec: {ports: [{name: redis, port: 6379}]}
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
            + ExplainTests.policy(
                "db", "selector: {matchLabels: {app: db}}, rules: [{from: [{source: {namespaces: [mesh]}}]}]")
    }

    @Test(
        arguments: [
            (
                ["--connect", "db.mesh:5432", "--from", "spiffe://cluster.local/ns/mesh/sa/app"], "deny", 0,
                [
                    "service    mesh/db, port 5432 (tcp)", "spoken     octets, as the port declares\n",
                    "share      weight 3, at most 50 calls at once and 4 MiB buffered; at most 9 connections of one caller",
                    "access     allowed by AuthorizationPolicy mesh/db (FILE:", "→ 10.1.0.1:5433",
                    "fallback   10.0.0.6:5432, when no backend can be reached from here\n",
                ]
            ),
            (
                // The group that has the name takes the call, whichever is first in the files.
                ["--connect", "cache.far:6379"], "deny", 0,
                ["listener   far/far 'http'", "service    far/cache, port 6379 (tcp)"]
            ),
            (
                ["--connect", "localhost:15096", "--sni", "cache.far"], "deny", 0,
                [
                    "listener   far/far 'tls'", "spoken     TLS, passed on as it is\n",
                    "service    far/cache, port 6379 (tcp)",
                ]
            ),
            (
                ["--connect", "localhost:15096", "--sni", "other.example"], "deny", 1,
                ["egress     denied: no route of the Gateway has it", "answer     reset: other.example is no service"]
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
                ["--connect", "127.0.0.1:15099"], "deny", 0,
                [
                    "spoken     requests, as the listener has it\n",
                    "goes to    where each request belongs: ask with --url http://127.0.0.1:15099/\n",
                ]
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
        let told = try ExplainCommand.run([path] + arguments)
        #expect(told.code == code, "\(told.text)")
        for part in parts {
            #expect(told.text.contains(part.replacing("FILE:", with: path + ":")), "\(part) in\n\(told.text)")
        }
        let json = try ExplainCommand.run([path, "-o", "json"] + arguments)
        #expect(json.code == code && json.text.contains("\"served\":\(code == 0),"), "\(json.text)")
    }
}
