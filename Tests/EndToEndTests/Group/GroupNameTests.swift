import Support
import Testing

/// How members are called, and what becomes of those who are none.
@Suite struct GroupNameTests {
    private static let other = """
        apiVersion: v1
        kind: Service
        metadata: {name: echo-v1, namespace: consumer, labels: {istio.io/use-waypoint: front, istio.io/use-waypoint-namespace: mesh}}
        spec: {clusterIP: 10.96.7.7, ports: [{name: web, port: 81, appProtocol: http}]}
        ---

        """

    @Test func everyNameOfAMember() throws {
        let mesh = try Mesh("", annotations: ["sluice.dev/cluster-domain": "corp.internal"])
        for host in [
            "echo-v2", "ECHO-V2", "echo-v2.", "echo-v2.mesh", "echo-v2.mesh.svc", "Echo-V2.mesh.svc.corp.internal",
            "echo-v2.mesh.svc.corp.internal.", "echo-v2:80", "echo-v2:8080", "echo-v2:\(mesh.port)",
        ] {
            let answer = try mesh.call(host: host, from: Mesh.stranger)
            #expect(answer.text == "echo-v2", "\(host)")
        }
        for host in ["echo-v2.svc", "echo-v2.other", "echo-v2.mesh.svc.cluster.local", "mesh", "x.echo-v2.mesh"] {
            #expect(try mesh.call(host: host).status == 403, "\(host)")
        }
        #expect(try mesh.call(host: "echo-v2:81").status == 404)
    }

    @Test func aLoneNameIsOfTheCallersNamespace() throws {
        let backend = try Backend("of-consumer", host: 5)
        let mesh = try Mesh(
            Self.other
                + Mesh.slice("echo-v1", "c", host: 5, port: backend.port, namespace: "consumer")
                .split(separator: "name: http,", omittingEmptySubsequences: false).joined(separator: "name: web,"))
        #expect(try mesh.call(host: "echo-v1", from: Mesh.producer).text == "echo-v1")
        #expect(try mesh.call(host: "echo-v1", from: Mesh.consumer).text == "of-consumer")
        #expect(try mesh.call(host: "echo-v1.mesh", from: Mesh.consumer).text == "echo-v1")
        let unclear = try mesh.call(host: "echo-v1", from: Mesh.stranger)
        #expect(unclear.status == 404)
        #expect(unclear.text.contains("name.namespace"))
        // By the address of the Service.
        #expect(try mesh.call(host: "10.96.7.7:81", from: Mesh.stranger).text == "of-consumer")
        #expect(try mesh.call(host: "10.96.7.7:82", from: Mesh.stranger).status == 404)
    }

    /// Who calls an endpoint gets that endpoint, whatever its Service would choose.
    @Test func anEndpointIsCalledItself() throws {
        let mesh = try Mesh("")
        for _ in 0..<6 {
            #expect(try mesh.call(host: "127.0.0.\(Mesh.v1Host):\(mesh.v1.port)").text == "echo-v1")
            #expect(try mesh.call(host: "127.0.0.\(Mesh.v2Host):\(mesh.v2.port)").text == "echo-v2")
        }
        // On any other port it is not a host outside.
        let lost = try mesh.call(host: "127.0.0.\(Mesh.v2Host):1")
        #expect(lost.status == 404 && lost.text.contains("the address of a service or of one of its endpoints"))
    }

    @Test func hostsOutsideAreReachedAsWrittenAlone() throws {
        let outside = try Backend("outside", host: 6)
        let mesh = try Mesh(
            """
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            metadata: {name: partner, namespace: mesh}
            spec: {endpoints: [{ip: {address: 127.0.0.6, port: \(outside.port)}}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: partner, namespace: mesh}
            spec:
              parentRefs: [{name: front}]
              hostnames: [api.partner.example, "*.wild.example"]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: partner}]}]
            ---

            """)
        #expect(try mesh.call(host: "api.partner.example").text == "outside")
        #expect(try mesh.call(host: "a.wild.example").text == "outside")
        for host in ["www.partner.example", "wild.example", "127.0.0.6:\(outside.port)", "localhost"] {
            let answer = try mesh.call(host: host)
            #expect(answer.status == 403, "\(host)")
        }
        #expect(outside.requests.count == 2)
    }

    /// `sluice.dev/egress: allow`: any host, but never this gateway itself.
    @Test func allHostsOutsideWhereTheGatewayAllowsThem() throws {
        let outside = try Backend("outside", host: 6)
        let mesh = try Mesh(
            "", annotations: ["sluice.dev/egress": "allow", "sluice.dev/allow-local-targets": "true"])
        #expect(try mesh.call(host: "127.0.0.6:\(outside.port)").text == "outside")
        #expect(try mesh.call(host: "127.0.0.1:\(mesh.port)").status == 403)
        #expect(try mesh.call(host: "echo-v1").text == "echo-v1")
    }
}
