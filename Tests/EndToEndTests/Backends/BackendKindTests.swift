import Core
import IO
import Support
import Testing

/// Backends that are no Services: Unix sockets, hosts that requests name, services that DNS names.
@Suite("Kinds of backends", .serialized)
struct BackendKindTests {
    private func site(port: UInt16, backend: String) -> String {
        Manifests.gateway(ports: [port]) + """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: route, namespace: default}
            spec:
              parentRefs: [{name: gateway}]
              rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: backend}]}]
            ---
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: Backend
            \(backend)

            """
    }

    private func dynamic(allowsLocal: Bool) -> String {
        """
        metadata:
          name: backend
          namespace: default
          annotations: {sluice.dev/allow-local-targets: "\(allowsLocal)"}
        spec: {type: DynamicResolver}
        """
    }

    @Test func aUnixSocketIsAnEndpoint() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/app.sock"
        let backend = try Backend("by path", path: path)
        let port = try Ports.free()
        let gateway = try Gateway(
            site(
                port: port,
                backend: "metadata: {name: backend, namespace: default}\nspec: {endpoints: [{unix: {path: \(path)}}]}"))
        let client = try Client(port: port)
        #expect(try client.request().text == "by path")
        #expect(try client.request().text == "by path")
        #expect(backend.accepted == 1, "its connections are kept, as those of addresses are")
        #expect(try gateway.admin("/api/backends").text.contains("\"unix:\(path)\""))
        backend.stop()
        #expect(try Client(port: port).request().status == 503)
    }

    @Test func aRequestNamesItsHost() throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        dns.set("app.test", .init(addresses: [IPAddress(v4: 127, 0, 0, 1)], life: 60))
        let (one, other) = (try Backend("one"), try Backend("other"))
        let port = try Ports.free()
        let gateway = try Gateway(
            site(port: port, backend: dynamic(allowsLocal: true)), options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        let client = try Client(port: port)
        func ask(_ host: String) throws -> Response { try client.request(host: host) }
        #expect(try ask("app.test:\(one.port)").text == "one")
        #expect(try ask("APP.test:\(one.port)").text == "one")
        #expect(try ask("any.localhost:\(one.port)").text == "one", "RFC 6761, section 6.3: no server is asked")
        #expect(try ask("app.test:\(other.port)").text == "other")
        #expect(try ask("127.0.0.1:\(other.port)").text == "other")
        #expect(try ask("unknown.test").status == 503)
        // Itself is no target, whatever is allowed: the request would never end.
        #expect(try ask("127.0.0.1:\(port)").status == 403)
        // What is known serves on when DNS fails.
        dns.set("app.test", nil)
        #expect(try ask("app.test:\(one.port)").text == "one")
        #expect(try gateway.admin("/readyz").status == 200)
    }

    @Test(arguments: [
        "127.0.0.1:1", "[::1]:1", "169.254.169.254", "[fe80::1]", "0.0.0.0", "local.test", "any.localhost",
    ])
    func thisMachineIsNoTarget(_ host: String) throws {
        let dns = try FakeDNS()
        defer { dns.stop() }
        dns.set("local.test", .init(addresses: [IPAddress(v4: 127, 0, 0, 1)], life: 60))
        let port = try Ports.free()
        let gateway = try Gateway(
            site(port: port, backend: dynamic(allowsLocal: false)), options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        #expect(try Client(port: port).request(host: host).status == 403)
        #expect(try gateway.admin("/readyz").status == 200)
    }

    @Test func aServiceIsFoundByItsRecords() throws {
        let backend = try Backend("by record")
        let dns = try FakeDNS()
        defer { dns.stop() }
        dns.set("node.test", .init(addresses: [IPAddress(v4: 127, 0, 0, 1)], life: 60))
        dns.set(service: "_http._tcp.app.test", [.init(port: backend.port, target: "node.test")])
        let port = try Ports.free()
        let gateway = try Gateway(
            site(
                port: port,
                backend: """
                    metadata:
                      name: backend
                      namespace: default
                      annotations: {sluice.dev/dns-service: _http._tcp}
                    spec: {endpoints: [{fqdn: {hostname: app.test, port: 80}}]}
                    """), options: ["--dns-server", "127.0.0.1:\(dns.port)"])
        #expect(try Client(port: port).request().text == "by record")
        #expect(try gateway.admin("/api/backends").text.contains("127.0.0.1:\(backend.port)"))
    }
}
