import Core
import Support
import Testing

/// Istio's policies on the listeners of a group's gateway and on ordinary ones: who is refused, in which words, and what is
/// told of it.
@Suite("Authorization", .serialized) struct AuthorizationTests {
    private let backend: Backend
    private let port: UInt16

    init() throws {
        backend = try Backend("reviews")
        port = try Ports.free()
    }

    /// A group with the members shop/reviews and shop/ratings; the caller at 127.0.0.1 is of the namespace a-front.
    private func group(_ policies: String, annotations: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: group
          namespace: shop
          annotations: {sluice.dev/group: by-name\(annotations)}
        spec:
          gatewayClassName: sluice
          addresses: [{type: IPAddress, value: 127.0.0.1}]
          listeners: [{name: http, protocol: HTTP, port: \(port), allowedRoutes: {namespaces: {from: All}}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: reviews, namespace: shop, labels: {sluice.dev/gateway: group}}
        spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: ratings, namespace: shop, labels: {sluice.dev/gateway: group}}
        spec: {selector: {app: ratings}, ports: [{name: http, port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: client, namespace: a-front}
        spec: {ports: [{name: http, port: 80}]}
        ---

        """ + Self.slice("a-front", "client", 1) + Self.slice("shop", "reviews", backend.port)
            + Self.slice("shop", "ratings", backend.port) + policies
    }

    private static func slice(_ namespace: String, _ service: String, _ port: UInt16) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(service)-1, namespace: \(namespace), labels: {kubernetes.io/service-name: \(service)}}
        addressType: IPv4
        ports: [{name: http, port: \(port)}]
        endpoints: [{addresses: [127.0.0.1]}]
        ---

        """
    }

    private func policy(_ name: String, _ spec: String, annotations: String = "") -> String {
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: shop, annotations: {\(annotations)}}
        spec:
          \(spec)
        ---

        """
    }

    private func ask(_ path: String, method: String = "GET", host: String = "reviews.shop") throws -> Response {
        try Client(port: port).request(method, path, host: host, fields: [("Connection", "close")])
    }

    @Test func refusalsNameThePolicyAndItsLine() throws {
        let policies =
            policy(
                "no-admin",
                "{action: DENY, selector: {matchLabels: {app: reviews}}, rules: [{to: [{operation: {paths: ['/admin/*']}}]}]}"
            )
            + policy("readers", "{rules: [{to: [{operation: {methods: [GET]}}]}]}")
            + policy(
                "later", "{action: DENY, rules: [{to: [{operation: {paths: [/dry]}}]}]}",
                annotations: "istio.io/dry-run: 'true'")
        let text = group(policies)
        let gateway = try Gateway(text)
        // However it is written, the path is the one that is matched and forwarded.
        let statuses: [(path: String, status: Int)] = [
            ("/", 200), ("/admin", 200), ("/admin/x", 403), ("/x/%2e%2e/admin/y", 403), ("/admin/%2e%2e/x", 200),
            ("//admin//x", 403), ("/%61dmin/x", 403), ("/Admin/x", 200), ("/admin/x?y", 403), ("/dry", 200),
            ("/admin%2Fx", 307), ("/\u{fc}\u{f6}", 200),
        ]
        for (path, status) in statuses { #expect(try ask(path).status == status, "\(path)") }
        #expect(try ask("/admin/x", host: "ratings.shop").status == 200)
        let refused = try ask("/", method: "POST")
        #expect(refused.status == 403 && refused.text.hasPrefix("RBAC: access denied"))
        #expect(!refused.text.contains("readers"))
        func line(of words: String) -> Int {
            1 + (text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains(words) } ?? -2)
        }
        for words in [
            "denied by AuthorizationPolicy shop/no-admin (", "gateway.yaml:\(line(of: "paths: ['/admin/*']"))",
            "denied: no rule holds of AuthorizationPolicy shop/readers (",
            "dry run: would be denied by AuthorizationPolicy shop/later (", "gateway.yaml:\(line(of: "paths: [/dry]"))",
        ] {
            try Wait.until("the log to say '\(words)'; it says:\n\(gateway.output)") { gateway.output.contains(words) }
        }
        let metrics = try gateway.admin("/metrics").text
        for series in [
            "policy=\"shop/no-admin\",outcome=\"denied\"} 5", "policy=\"shop/readers\",outcome=\"denied\"} 1",
            "policy=\"shop/later\",outcome=\"dry_run_denied\"} 1",
        ] {
            #expect(metrics.contains("sluice_authorization_calls_total{\(series)\n"), "\(series) in\n\(metrics)")
        }
    }

    @Test func callersThatAreKnownByAddressAloneAreNotTrustedUnlessToldSo() throws {
        let allow = policy("front", "{rules: [{from: [{source: {namespaces: [a-front]}}]}]}")
        let gateway = try Gateway(group(allow))
        #expect(try ask("/").status == 403)
        try gateway.reload(["gateway.yaml": group(allow, annotations: ", sluice.dev/trust-addresses: 'true'")])
        #expect(try ask("/").status == 200)
        let deny = policy("front", "{action: DENY, rules: [{from: [{source: {namespaces: [a-front]}}]}]}")
        try gateway.reload(["gateway.yaml": group(deny)])
        #expect(try ask("/").status == 403)
    }

    @Test func strictMutualTLSRefusesCallersWithoutCertificate() throws {
        let strict = """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: mtls, namespace: shop}
            spec: {selector: {matchLabels: {app: reviews}}, mtls: {mode: STRICT}}

            """
        let gateway = try Gateway(group(strict))
        #expect(try ask("/").status == 403)
        #expect(try ask("/", host: "ratings.shop").status == 200)
        let words = "the caller showed no certificate, which PeerAuthentication shop/mtls ("
        try Wait.until("the log to name it; it says:\n\(gateway.output)") { gateway.output.contains(words) }
        #expect(try gateway.admin("/metrics").text.contains("sluice_authorization_unverified_total 1\n"))
    }

    @Test func policiesOfOrdinaryGatewaysHoldForRequestsAndConnections() throws {
        let stream = try Ports.free()
        let manifests = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: edge, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners:
              - {name: http, protocol: HTTP, port: \(port)}
              - {name: tcp, protocol: TCP, port: \(stream)}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: web, namespace: default}
            spec: {parentRefs: [{name: edge, sectionName: http}], rules: [{backendRefs: [{name: backend, port: 80}]}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: raw, namespace: default}
            spec: {parentRefs: [{name: edge, sectionName: tcp}], rules: [{backendRefs: [{name: backend, port: 80}]}]}
            ---

            """ + Manifests.service("backend", port: backend.port)
        func policy(_ rule: String) -> String {
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: edge, namespace: default}
            spec:
              action: DENY
              targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]
              rules:
              - \(rule)
            ---

            """
        }
        func throughTCP() throws -> Int? {
            try? Client(port: stream).request("GET", "/x", host: "a", fields: [("Connection", "close")]).status
        }
        let gateway = try Gateway(manifests + policy("{to: [{operation: {paths: [/x], ports: ['\(port)']}}]}"))
        #expect(try ask("/x").status == 403)
        #expect(try ask("/y").status == 200)
        #expect(try throughTCP() == 200)
        // A part that asks for requests is passed over on connections, so that the port alone is left.
        try gateway.reload([
            "gateway.yaml": manifests + policy("{to: [{operation: {paths: [/x], ports: ['\(stream)']}}]}")
        ])
        #expect(try ask("/x").status == 200)
        #expect(try throughTCP() == nil)
        let words = "denied by AuthorizationPolicy default/edge ("
        try Wait.until("the log to name it; it says:\n\(gateway.output)") { gateway.output.contains(words) }
        try gateway.reload(["gateway.yaml": manifests + policy("{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}")])
        #expect(try ask("/y").status == 403)
        #expect(try throughTCP() == nil)
    }

    @Test func callersAreCountedForLimitsOfRatesAndOfConnections() throws {
        let limit = """
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: limit, namespace: shop}
            spec:
              targetRefs: [{group: "", kind: Service, name: reviews}]
              rateLimit:
                local:
                  rules:
                  - clientSelectors: [{headers: [{name: x-sluice-caller, type: Distinct}]}]
                    limit: {requests: 2, unit: Hour}

            """
        let gateway = try Gateway(group(limit, annotations: ", sluice.dev/max-connections-per-caller: '2'"), workers: 2)
        func ask(_ client: Client, _ caller: String) throws -> Int {
            try client.request(host: "reviews.shop", fields: [("X-Sluice-Caller", caller)]).status
        }
        let first = try Client(port: port)
        // What a client says of itself is nothing.
        #expect(try [ask(first, "a"), ask(first, "b"), ask(first, "c")] == [200, 200, 429])
        let second = try Client(port: port)
        #expect(try second.request(host: "ratings.shop").status == 200)
        #expect(throws: (any Error).self) { try Client(port: port).request(host: "ratings.shop") }
        second.shutdown()
        try Wait.until("a place to be free") {
            (try? Client(port: port).request(host: "ratings.shop", fields: [("Connection", "close")]).status) == 200
        }
        #expect(try !gateway.admin("/metrics").text.contains("sluice_downstream_connection_limit_refusals_total 0\n"))
        _ = first
    }
}
