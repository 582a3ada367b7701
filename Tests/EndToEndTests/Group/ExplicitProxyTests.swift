import Support
import Testing

/// Clients that are told of a proxy, and hosts that they may not reach by it.
@Suite struct ExplicitProxyTests {
    private static func curl(_ mesh: Mesh, _ words: String...) throws -> Clients.Outcome {
        try Clients.tool(
            "curl",
            [
                "-s", "-S", "--max-time", "20", "--noproxy", "", "-x", "http://127.0.0.1:\(mesh.port)", "-w",
                "\ncode %{http_code} %{http_connect}\n",
            ]
                + words)
    }

    /// A host outside, as a route of the Gateway has it written.
    private static func written(_ port: UInt16) -> String {
        """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: Backend
        metadata: {name: out, namespace: mesh}
        spec: {endpoints: [{ip: {address: 127.0.0.1, port: \(port)}}]}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: out, namespace: mesh}
        spec:
          parentRefs: [{name: front}]
          hostnames: [out.example, "*.wild.example"]
          rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: out}]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: TLSRoute
        metadata: {name: tls, namespace: mesh}
        spec:
          parentRefs: [{name: front}]
          hostnames: [tls.example]
          rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: out}]}]
        ---

        """
    }

    @Test(arguments: ["http://echo-v1.mesh/", "http://echo-v1.mesh.svc.cluster.local:8080/", "http://echo-v1/"])
    func curlReachesMembersInAbsoluteForm(_ url: String) throws {
        let mesh = try Mesh("")
        let outcome = try Self.curl(mesh, "-H", "Proxy-Authorization: Basic c2VjcmV0", url)
        #expect(outcome.lines.first == "echo-v1", "\(outcome.output)")
        let request = try #require(mesh.v1.requests.first)
        #expect(request.target == "/")
        #expect(request["proxy-connection"] == nil && request["proxy-authorization"] == nil, "\(request.fields)")
    }

    @Test(arguments: ["http://echo-v1.mesh/", "http://echo-v1.mesh.svc.cluster.local:8080/"])
    func curlReachesMembersThroughConnect(_ url: String) throws {
        let mesh = try Mesh("")
        let outcome = try Self.curl(mesh, "-p", url)
        #expect(outcome.lines.first == "echo-v1", "\(outcome.output)")
        #expect(outcome.value("code") == "200 200", "\(outcome.output)")
        // Inside of one tunnel requests follow each other.
        let several = try Self.curl(mesh, "-p", url, url + "again")
        #expect(several.lines.filter { $0 == "echo-v1" }.count == 2, "\(several.output)")
    }

    @Test func theAbsoluteFormWinsOverHost() throws {
        let mesh = try Mesh("")
        let client = try Client(port: mesh.port, from: Mesh.stranger)
        try client.send("GET http://echo-v1.mesh/x HTTP/1.1\r\nHost: echo-v2.mesh\r\n\r\n")
        #expect(try client.readResponse().text == "echo-v1")
        #expect(mesh.v1.requests.first?["host"] == "echo-v1.mesh")
    }

    @Test func hostsOutsideAreReachedOnlyAsWritten() throws {
        let out = try Backend("out")
        let mesh = try Mesh(Self.written(out.port))
        for url in ["http://out.example/", "http://a.wild.example/"] {
            for words in [[], ["-p"]] {
                let outcome = try Clients.tool(
                    "curl", ["-s", "--noproxy", "", "-x", "http://127.0.0.1:\(mesh.port)"] + words + [url])
                #expect(outcome.lines.first == "out", "\(url) \(words)\n\(outcome.output)")
            }
        }
        let before = out.accepted
        let other = try Backend("forbidden")
        // Absolute form, CONNECT, by name and by literal address.
        for url in ["http://denied.example/", "http://127.0.0.1:\(other.port)/", "http://[::1]:\(other.port)/"] {
            #expect(try Self.curl(mesh, url).value("code") == "403 000", "\(url)")
            let connected = try Self.curl(mesh, "-p", url)
            #expect(connected.output.contains("403"), "\(connected.output)")
        }
        // The host inside is another one than the tunnel was opened to.
        let client = try Client(port: mesh.port, from: Mesh.stranger)
        try client.send("CONNECT out.example:80 HTTP/1.1\r\nHost: out.example:80\r\n\r\n")
        #expect(try client.readHead().status == 200)
        try client.send("GET / HTTP/1.1\r\nHost: a.wild.example\r\n\r\n")
        #expect(try client.readResponse().status == 421)
        // A handshake for another host than the tunnel's, and for one that nobody wrote.
        for (host, name) in [("tls.example", "denied.example"), ("tls.example", "out.example")] {
            let outcome = try Clients.tool(
                "openssl",
                ["s_client", "-proxy", "127.0.0.1:\(mesh.port)", "-connect", "\(host):443", "-servername", name])
            #expect(outcome.code != 0, "\(host) \(name)\n\(outcome.output)")
        }
        #expect(out.accepted == before && other.accepted == 0)
        let metrics = try mesh.gateway.admin("/metrics").text
        #expect(
            metrics.contains("sluice_egress_denied_total{host=\"denied.example\",caller=\"127.0.0.1\"} 3"),
            "\(metrics.split(separator: "\n").filter { $0.hasPrefix("sluice_egress") })")
        let lines = mesh.gateway.output.split(separator: "\n").filter { $0.contains("was denied") }
        #expect(lines.contains { $0.contains("host=denied.example") && $0.contains("caller=127.0.0.1") }, "\(lines)")
        #expect(lines.filter { $0.contains("host=denied.example") }.count == 1, "\(lines)")
    }

    @Test func aHandshakeByNameIsPassedOn() throws {
        let out = try Backend("tls-end") { _, connection, _ in
            _ = try connection.read(5)
            connection.resetOnClose()
        }
        let mesh = try Mesh(Self.written(out.port))
        _ = try Clients.tool(
            "openssl",
            [
                "s_client", "-proxy", "127.0.0.1:\(mesh.port)", "-connect", "tls.example:443", "-servername",
                "tls.example",
            ])
        try Wait.until("the ClientHello at the backend") { out.accepted == 1 }
    }

    @Test func grpcioCallsByName() throws {
        let server = try Clients.backend("grpc_server", ["--name", "calls"])
        let mesh = try Mesh(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: calls, namespace: mesh}
            spec: {ports: [{name: grpc, port: 7070}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: calls, namespace: mesh, labels: {kubernetes.io/service-name: calls}}
            addressType: IPv4
            ports: [{name: grpc, port: \(server.port)}]
            endpoints: [{addresses: [127.0.0.1]}]
            ---

            """)
        for kind in ["unary", "bidi"] {
            let outcome = try Clients.run(
                "grpc_client",
                [kind, "--target", "127.0.0.1:\(mesh.port)", "--authority", "calls.mesh.svc.cluster.local:7070"])
            #expect(outcome.value("status") == "OK", "\(outcome.output)")
        }
        // grpcio through CONNECT, as it does for http_proxy.
        let proxied = try Clients.run(
            "grpc_client", ["unary", "--target", "calls.mesh:7070", "--proxy", "http://127.0.0.1:\(mesh.port)"])
        #expect(proxied.value("status") == "OK", "\(proxied.output)")
    }
}
