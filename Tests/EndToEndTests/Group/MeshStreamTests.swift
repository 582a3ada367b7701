import Support
import Testing

/// Calls to members whose connections say where they go: by CONNECT, as an explicit proxy's clients do it.
@Suite struct MeshStreamTests {
    /// Opens a tunnel through the gateway.
    private func tunnel(_ mesh: Mesh, to authority: String, from caller: UInt8 = Mesh.producer) throws -> Client {
        let client = try Client(port: mesh.port, from: caller)
        try client.send("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n\r\n")
        #expect(try client.readHead().status == 200, "\(authority)")
        return client
    }

    /// It is the Service that was dialled whose routes count, not the one that the request's Host names.
    @Test func meshFrontendHostname() throws {
        let mesh = try Mesh(
            Mesh.route(
                to: "echo-v2", port: nil,
                """
                rules:
                - filters:
                  - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Header-Set, value: set}]}}
                  backendRefs: [{name: echo-v2, port: 80}]
                """))
        let toV2 = try tunnel(mesh, to: "\(Mesh.addresses["echo-v2"] ?? ""):80").request(host: "echo-v1")
        #expect(toV2.status == 200)
        #expect(toV2.text == "echo-v2")
        #expect(toV2["x-header-set"] == "set")
        let toV1 = try tunnel(mesh, to: "\(Mesh.addresses["echo-v1"] ?? ""):80").request(host: "echo-v2")
        #expect(toV1.status == 200)
        #expect(toV1.text == "echo-v1")
        #expect(toV1["x-header-set"] == nil)
    }

    private static func octets(_ name: String, port: UInt16? = nil) -> String {
        Mesh.service(name, "tcp", 9090, endpoint: port)
    }

    /// A backend that greets and hangs up.
    private static func greeter(_ name: String) throws -> Backend {
        try Backend(name, serve: { _, connection, _ in try connection.send(name) })
    }

    /// A Service without routes is balanced below HTTP, too; TCPRoutes take its place, a consumer's that of the producer's.
    @Test func routesOfConnections() throws {
        let (own, other, theirs) = (try Self.greeter("own"), try Self.greeter("other"), try Self.greeter("theirs"))
        let services = [("plain", own), ("routed", own), ("other", other), ("theirs", theirs)].map {
            Self.octets($0.0, port: $0.1.port)
        }
        let mesh = try Mesh(
            services.joined()
                + Mesh.route(
                    named: "producer", kind: "TCPRoute", to: "routed", port: 9090,
                    "rules: [{backendRefs: [{name: other, port: 9090}]}]")
                + Mesh.route(
                    named: "consumer", kind: "TCPRoute", namespace: "consumer", to: "routed", port: nil,
                    "rules: [{backendRefs: [{name: theirs, namespace: mesh, port: 9090}]}]"))
        func greeting(_ authority: String, from caller: UInt8) throws -> String {
            String(decoding: try tunnel(mesh, to: authority, from: caller).readToEnd(), as: UTF8.self)
        }
        #expect(try greeting("plain.mesh:9090", from: Mesh.producer) == "own")
        #expect(try greeting("routed.mesh:9090", from: Mesh.producer) == "other")
        #expect(try greeting("routed.mesh:9090", from: Mesh.consumer) == "theirs")
        #expect(try greeting("routed.mesh:9090", from: Mesh.stranger) == "other")
    }
}
