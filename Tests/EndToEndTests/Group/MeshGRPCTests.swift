import Support
import Testing

/// Gateway API's conformance tests of meshes with GRPCRoutes; grpcio on both sides, the gateway between.
@Suite struct MeshGRPCTests {
    private static func service(_ name: String, port: UInt16? = nil) -> String {
        Mesh.service(name, "grpc", 7070, endpoint: port)
    }

    @Test func meshGRPCRouteWeight() throws {
        let first = try Clients.backend("grpc_server", ["--name", "echo-v1"])
        let second = try Clients.backend("grpc_server", ["--name", "echo-v2"])
        let port = try Ports.free()
        let gateway = try Gateway(
            Mesh.front(port: port) + Self.service("echo") + Self.service("echo-v1", port: first.port)
                + Self.service("echo-v2", port: second.port) + Self.service("echo-v3")
                + Mesh.route(
                    kind: "GRPCRoute", port: 7070,
                    """
                    rules:
                    - backendRefs:
                      - {name: echo-v1, port: 7070, weight: 70}
                      - {name: echo-v2, port: 7070, weight: 30}
                      - {name: echo-v3, port: 7070, weight: 0}
                    """), options: ["--access-log", "json"])
        func call(_ authority: String, _ count: Int) throws -> Clients.Outcome {
            try Clients.run(
                "grpc_client",
                ["unary", "--target", "127.0.0.1:\(port)", "--authority", authority, "--calls", "\(count)"])
        }
        let outcome = try call("echo.mesh:7070", 200)
        #expect(outcome.value("status") == "OK", "\(outcome.output)")
        func count(_ backend: String) -> Int {
            gateway.output.split(separator: "\n").filter { $0.contains("\"backend\":\"mesh/\(backend):7070\"") }.count
        }
        try Wait.until("the log's lines") { count("echo-v1") + count("echo-v2") == 200 }
        #expect((130...150).contains(count("echo-v1")), "\(count("echo-v1")) of 200")
        #expect(count("echo-v3") == 0)
        // Without routes the port's name says that it is gRPC: the endpoint is spoken HTTP/2 with.
        let direct = try call("echo-v2.mesh:7070", 1)
        #expect(direct.values("initial").contains("x-backend: echo-v2"), "\(direct.output)")
        // What the gateway itself has to say is said in gRPC's words.
        #expect(try call("nobody.mesh:7070", 1).value("status") == "PERMISSION_DENIED")
    }
}
