import Support
import Testing

/// TLSRoutes on ordinary listeners that pass TLS on.
@Suite struct PassthroughTests {
    @Test func weightsHold() throws {
        let (one, two) = (try Backend.saysItsName("one"), try Backend.saysItsName("two"))
        let port = try Ports.free()
        let gateway = try Gateway(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners: [{name: hello, protocol: TLS, port: \(port), tls: {mode: Passthrough}}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TLSRoute
            metadata: {name: both}
            spec:
              parentRefs: [{name: front}]
              hostnames: [a.example]
              rules: [{backendRefs: [{name: one, port: 80, weight: 3}, {name: two, port: 80, weight: 1}]}]
            ---

            """ + Manifests.service("one", port: one.port) + Manifests.service("two", port: two.port))
        let heard = try (0..<16).map { _ in
            let client = try Client(port: port)
            try client.send(HelloOctets.hello("a.example"))
            return try client.readLine()
        }
        #expect(heard.filter { $0 == "one" }.count == 12, "\(heard)\n\(gateway.output)")
        #expect(heard.filter { $0 == "two" }.count == 4, "\(heard)")
    }
}
