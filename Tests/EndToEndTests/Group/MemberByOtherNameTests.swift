import Core
import Support
import Testing

/// Members are not reached past their policies by names of hosts outside, whoever has made their addresses.
@Suite struct MemberByOtherNameTests {
    private static let dynamic = """
        apiVersion: gateway.envoyproxy.io/v1alpha1
        kind: Backend
        metadata: {name: any, namespace: mesh, annotations: {sluice.dev/allow-local-targets: "true"}}
        spec: {type: DynamicResolver}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: any, namespace: mesh}
        spec:
          parentRefs: [{name: front}]
          hostnames: ["*.example"]
          rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: any}]}]
        ---

        """

    @Test(arguments: ["allow", "deny"]) func aNameOutsideThatStandsForAMemberIsNotCalled(_ egress: String) throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        let outside = try Backend("outside", host: 6)
        dns.set("member.example", .init(addresses: [IPAddress(v4: 127, 0, 0, Mesh.v1Host)], life: 60))
        dns.set("outside.example", .init(addresses: [IPAddress(v4: 127, 0, 0, 6)], life: 60))
        // By `egress: allow`, else by a route of the Gateway's own.
        let mesh = try Mesh(
            egress == "allow" ? "" : Self.dynamic,
            annotations: ["sluice.dev/egress": egress, "sluice.dev/allow-local-targets": "true"],
            options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        // Another port than the endpoint's would be no better.
        let hidden = try Backend("hidden", host: Mesh.v1Host)
        #expect(try mesh.call(host: "outside.example:\(outside.port)").text == "outside")
        for port in [mesh.v1.port, hidden.port] {
            #expect(try mesh.call(host: "member.example:\(port)").status == 403)
            let inside = try Client(port: mesh.port, from: Mesh.stranger)
            try inside.send("CONNECT member.example:\(port) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try inside.readHead().status == 200)
            #expect(try inside.request(host: "member.example").status == 403)
        }
        // The port is that of the tunnel, which the request does not repeat.
        let inside = try Client(port: mesh.port, from: Mesh.stranger)
        try inside.send("CONNECT outside.example:\(outside.port) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try inside.readHead().status == 200)
        #expect(try inside.request(host: "outside.example").text == "outside")
        // Octets go the same way.
        if egress == "allow" {
            let octets = try Client(port: mesh.port, from: Mesh.stranger)
            try octets.send("CONNECT member.example:\(hidden.port) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try octets.readHead().status == 200)
            try octets.send("*1\r\n$4\r\nPING\r\n")
            _ = try? octets.readToEnd()
        }
        #expect(try mesh.call(host: "127.0.0.\(Mesh.v1Host):\(hidden.port)").status == 404)
        #expect(mesh.v1.accepted == 0 && hidden.accepted == 0)
    }
}
