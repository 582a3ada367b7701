import Support
import Testing

/// Gateway API's conformance tests of meshes, as far as they are about which requests go where; each under the name that it has
/// there.
@Suite struct MeshRoutingTests {
    @Test func meshBasic() throws {
        let mesh = try Mesh("")
        #expect(try mesh.call().status == 200)
    }

    @Test func meshTrafficSplit() throws {
        let mesh = try Mesh(
            Mesh.route(
                port: nil,
                """
                rules:
                - matches: [{path: {type: Exact, value: /v1}}]
                  backendRefs: [{name: echo-v1, port: 80}]
                - matches: [{path: {type: Exact, value: /v2}}]
                  backendRefs: [{name: echo-v2, port: 80}]
                """))
        #expect(try mesh.call("/v1").text == "echo-v1")
        #expect(try mesh.call("/v2").text == "echo-v2")
        // A Service with routes serves what they match, and nothing else.
        #expect(try mesh.call("/v3").status == 404)
    }

    @Test func meshHTTPRouteMatching() throws {
        let mesh = try Mesh(
            Mesh.route(
                """
                rules:
                - matches:
                  - path: {type: PathPrefix, value: /}
                  - headers: [{name: version, value: one}]
                  backendRefs: [{name: echo-v1, port: 8080}]
                - matches:
                  - path: {type: PathPrefix, value: /v2}
                  - headers: [{name: version, value: two}]
                  backendRefs: [{name: echo-v2, port: 8080}]
                """))
        let cases: [(path: String, version: String?, backend: String)] = [
            ("/", nil, "echo-v1"), ("/example", nil, "echo-v1"), ("/", "one", "echo-v1"), ("/v2", nil, "echo-v2"),
            ("/v2/example", nil, "echo-v2"), ("/", "two", "echo-v2"), ("/v2/", nil, "echo-v2"),
            ("/v2example", nil, "echo-v1"), ("/foo/v2/example", nil, "echo-v1"),
        ]
        for (path, version, backend) in cases {
            let answer = try mesh.call(path, version.map { [("Version", $0)] } ?? [])
            #expect(answer.text == backend, "\(path), version \(version ?? "none")")
        }
    }

    @Test func meshHTTPRouteNamedRule() throws {
        let mesh = try Mesh(
            Mesh.route(
                """
                rules:
                - name: named-rule
                  matches: [{path: {type: PathPrefix, value: /named}}]
                  backendRefs: [{name: echo-v1, port: 8080}]
                - matches: [{path: {type: PathPrefix, value: /unnamed}}]
                  backendRefs: [{name: echo-v2, port: 8080}]
                """), options: ["--access-log", "json"])
        #expect(try mesh.call("/named").text == "echo-v1")
        #expect(try mesh.call("/unnamed").text == "echo-v2")
        try Wait.until("the log to name the rule") { mesh.gateway.output.contains("\"rule\":\"named-rule\"") }
    }

    @Test func meshHTTPRouteQueryParamMatching() throws {
        let mesh = try Mesh(
            Mesh.route(
                """
                rules:
                - matches: [{queryParams: [{name: animal, value: whale}]}]
                  backendRefs: [{name: echo-v1, port: 80}]
                - matches: [{queryParams: [{name: animal, value: dolphin}]}]
                  backendRefs: [{name: echo-v2, port: 80}]
                - matches:
                  - path: {type: PathPrefix, value: /path1}
                    queryParams: [{name: animal, value: whale}]
                  - queryParams: [{name: color, value: blue}, {name: animal, value: tiger}]
                  backendRefs: [{name: echo-v2, port: 80}]
                """))
        let cases: [(target: String, backend: String?)] = [
            ("/?animal=whale", "echo-v1"), ("/?animal=dolphin", "echo-v2"), ("/?animal=dolphin&color=blue", "echo-v2"),
            ("/?ANIMAL=Whale", nil), ("/?animal=whale&otherparam=irrelevant", "echo-v1"),
            ("/?yet=another&animal=dolphin", "echo-v2"), ("/?color=blue&animal=tiger", "echo-v2"),
            ("/?animal=tiger", nil), ("/path1?animal=whale", "echo-v2"), ("/", nil), ("/?animal=shark", nil),
        ]
        for (target, backend) in cases {
            let answer = try mesh.call(target)
            #expect(answer.status == (backend == nil ? 404 : 200), "\(target)")
            if let backend { #expect(answer.text == backend, "\(target)") }
        }
    }

    @Test func meshHTTPRouteSimpleSameNamespace() throws {
        let mesh = try Mesh(Mesh.route("rules: [{backendRefs: [{name: echo-v1, port: 8080}]}]"))
        for _ in 0..<4 { #expect(try mesh.call().text == "echo-v1") }
    }

    @Test func meshHTTPRouteWeight() throws {
        let mesh = try Mesh(
            Mesh.route(
                """
                rules:
                - backendRefs:
                  - {name: echo-v1, port: 8080, weight: 70}
                  - {name: echo-v2, port: 8080, weight: 30}
                """))
        let client = try Client(port: mesh.port, from: Mesh.producer)
        var counts: [String: Int] = [:]
        for _ in 0..<500 { counts[try client.request(host: "echo").text, default: 0] += 1 }
        // As the conformance test has it: within five per cent of the share.
        #expect((325...375).contains(counts["echo-v1"] ?? 0), "\(counts)")
        #expect((counts["echo-v1"] ?? 0) + (counts["echo-v2"] ?? 0) == 500)
    }

    @Test func meshPorts() throws {
        func sets(_ value: String, _ service: String) -> String {
            """
            rules:
            - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: \(value)}]}}]
              backendRefs: [{name: \(service), port: 80}]
            """
        }
        let mesh = try Mesh(
            Mesh.route(named: "one", to: "echo-v1", port: 80, sets("v1", "echo-v1"))
                + Mesh.route(named: "two", to: "echo-v2", port: nil, sets("v2", "echo-v2")))
        let cases: [(host: String, backend: String, value: String?)] = [
            ("echo-v1", "echo-v1", "v1"), ("echo-v1:8080", "echo-v1", nil), ("echo-v2", "echo-v2", "v2"),
            ("echo-v2:8080", "echo-v2", "v2"),
        ]
        for (host, backend, value) in cases {
            let answer = try mesh.call(host: host)
            #expect(answer.status == 200, "\(host)")
            #expect(answer.text == backend, "\(host)")
            #expect(answer["x-header-set"] == value, "\(host)")
        }
    }

    private static let setting = """
        rules:
        - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: set}]}}]
          backendRefs: [{name: SERVICE, namespace: mesh, port: 80}]
        """

    private static func setting(_ service: String) -> String {
        setting.split(separator: "SERVICE", omittingEmptySubsequences: false).joined(separator: service)
    }

    /// Routes are for who calls the Service, not for who calls one of its endpoints by its address.
    @Test func meshFrontend() throws {
        let mesh = try Mesh(Mesh.route(to: "echo-v2", port: nil, Self.setting("echo-v2")))
        let toService = try mesh.call(host: "echo-v2")
        #expect(toService.status == 200)
        #expect(toService["x-header-set"] == "set")
        let toPod = try mesh.call(host: "127.0.0.\(Mesh.v2Host):\(mesh.v2.port)")
        #expect(toPod.status == 200)
        #expect(toPod.text == "echo-v2")
        #expect(toPod["x-header-set"] == nil)
    }

    @Test func meshConsumerRoute() throws {
        let mesh = try Mesh(Mesh.route(namespace: "consumer", to: "echo-v1", port: nil, Self.setting("echo-v1")))
        let ofConsumer = try mesh.call(host: "echo-v1.mesh", from: Mesh.consumer)
        #expect(ofConsumer.text == "echo-v1")
        #expect(ofConsumer["x-header-set"] == "set")
        let ofProducer = try mesh.call(host: "echo-v1.mesh", from: Mesh.producer)
        #expect(ofProducer.text == "echo-v1")
        #expect(ofProducer["x-header-set"] == nil)
        let ofStranger = try mesh.call(host: "echo-v1.mesh", from: Mesh.stranger)
        #expect(ofStranger["x-header-set"] == nil)
    }

    /// A consumer's routes stand in the place of the producer's, and are not added to them.
    @Test func aConsumersRoutesReplaceTheProducers() throws {
        let mesh = try Mesh(
            Mesh.route(
                named: "of-producer", port: nil,
                "rules: [{matches: [{path: {type: PathPrefix, value: /p}}], backendRefs: [{name: echo-v1, port: 80}]}]")
                + Mesh.route(
                    named: "of-consumer", namespace: "consumer", port: nil,
                    """
                    rules:
                    - matches: [{path: {type: PathPrefix, value: /c}}]
                      backendRefs: [{name: echo-v2, namespace: mesh, port: 80}]
                    """))
        #expect(try mesh.call("/p", from: Mesh.producer).text == "echo-v1")
        #expect(try mesh.call("/c", from: Mesh.producer).status == 404)
        #expect(try mesh.call("/c", host: "echo.mesh", from: Mesh.consumer).text == "echo-v2")
        #expect(try mesh.call("/p", host: "echo.mesh", from: Mesh.consumer).status == 404)
    }
}
