import Core
import IO
import Support
import Testing

/// grpcio on both sides, the gateway between.
@Suite("gRPC")
struct GRPCTests {
    private let trust: TrustFolder
    private let clear: UInt16
    private let secure: UInt16

    init() throws {
        trust = try TrustFolder()
        clear = try Ports.free()
        secure = try Ports.free()
    }

    /// Listeners in clear text and over TLS; routes and backends are the caller's.
    private func listeners() throws -> String {
        SecureSite.gateway([
            .init(name: "http", port: clear, isSecure: false), .init(name: "https", port: secure),
        ]) + SecureSite.secret("site", try TestCertificates.issue(names: ["grpc.example.com"]))
    }

    private func route(to service: String, matches: String) -> String {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {name: \(service)}
        spec:
          parentRefs: [{name: front}]
          hostnames: [grpc.example.com]
          rules:
          - matches: [\(matches)]
            backendRefs: [{name: \(service), port: 80}]

        """
    }

    private func call(_ words: [String], isSecure: Bool = false) throws -> Clients.Outcome {
        try Clients.run(
            "grpc_client",
            words + ["--target", "127.0.0.1:\(isSecure ? secure : clear)", "--authority", "grpc.example.com"]
                + (isSecure ? ["--tls", trust.ca] : []))
    }

    @Test(arguments: [false, true], [false, true])
    func allKindsOfCalls(isSecure: Bool, backendIsSecure: Bool) throws {
        let folder = try TemporaryFolder()
        var words = ["--name", "first"]
        var policy = ""
        if backendIsSecure {
            let pair = try TestCertificates.issue(names: ["backend.example.com"])
            words += ["--tls", try folder.write("cert", pair.chain), try folder.write("key", pair.key)]
            policy =
                SecureSite.authorities("trusted", try TestCertificates.authority().certificate)
                + SecureSite.backendTLS("calls", authorities: "trusted", hostname: "backend.example.com")
        }
        let backend = try Clients.backend("grpc_server", words)
        let gateway = try Gateway(
            try listeners() + route(to: "calls", matches: "{method: {service: sluice.test.Echo}}")
                + Site.service("calls", port: backend.port) + policy)
        for (kind, messages, answers) in [
            ("unary", ["hello"], ["hello"]),
            ("server-stream", ["count=3 text=part"], ["part 0", "part 1", "part 2"]),
            ("client-stream", ["a", "bb", "ccc"], ["3 messages, 6 octets"]), ("bidi", ["a", "b"], ["a", "b"]),
        ] as [(String, [String], [String])] {
            let outcome = try call([kind] + messages.flatMap { ["--message", $0] }, isSecure: isSecure)
            #expect(outcome.values("message") == answers, "\(outcome.output) \(gateway.output)")
            #expect(outcome.value("status") == "OK")
            #expect(outcome.values("initial").contains("x-backend: first"))
            #expect(outcome.values("trailing") == ["x-trailer: first"])
        }
        let large = try call(["unary", "--size", "3000000"], isSecure: isSecure)
        #expect(large.value("message")?.hasPrefix("3000000 octets") == true, "\(large.output)")
    }

    @Test func metadataAndErrorsPass() throws {
        let backend = try Clients.backend("grpc_server")
        let gateway = try Gateway(
            try listeners() + route(to: "calls", matches: "{method: {service: sluice.test.Echo}}")
                + Site.service("calls", port: backend.port))
        let told = try call([
            "unary", "--method", "/sluice.test.Echo/Metadata", "--metadata", "x-one=1", "--metadata",
            "x-two-bin=two", "--timeout", "30",
        ])
        let text = told.output
        #expect(
            text.contains("x-one: 1") && text.contains("x-two-bin: b'two'") && text.contains("deadline: "), "\(text)")
        #expect(!text.contains("deadline: none"))
        for (method, details) in [("Error", "no such thing"), ("LateError", "too late")] {
            let error = try call([
                "server-stream", "--method", "/sluice.test.Echo/\(method)", "--message", "NOT_FOUND \(details)",
            ])
            #expect(error.value("status") == "NOT_FOUND" && error.value("details") == details, "\(error.output)")
        }
        // A call that its caller gives up is given up at the backend.
        let given = try call([
            "server-stream", "--message", "count=100000 pause=0.05", "--cancel-after", "1",
        ])
        #expect(given.value("status") == "CANCELLED", "\(given.output)")
        #expect(try backend.running.wait(for: "cancelled") == "/sluice.test.Echo/ServerStream")
        withExtendedLifetime(gateway) {}
    }

    /// What the gateway itself has to say is said in gRPC's words.
    @Test func theGatewaysOwnAnswersAreStatuses() throws {
        let backend = try Clients.backend("grpc_server")
        let gateway = try Gateway(
            try listeners()
                + route(to: "calls", matches: "{method: {service: sluice.test.Echo, method: Unary}}")
                + Site.service("calls", port: backend.port)
                + route(to: "nobody", matches: "{method: {service: sluice.test.Nobody}}")
                    + """
                    ---
                    apiVersion: v1
                    kind: Service
                    metadata: {name: nobody}
                    spec: {ports: [{port: 80}]}
                    ---
                    apiVersion: gateway.networking.k8s.io/v1
                    kind: HTTPRoute
                    metadata: {name: slow}
                    spec:
                      parentRefs: [{name: front}]
                      hostnames: [slow.example.com]
                      rules:
                      - timeouts: {request: 300ms}
                        backendRefs: [{name: slow, port: 80}]

                    """ + SecureSite.service("slow", port: backend.port, appProtocol: "kubernetes.io/h2c"))
        for isSecure in [false, true] {
            let served = try call(["unary"], isSecure: isSecure)
            #expect(served.value("status") == "OK", "\(served.output)")
            let unknown = try call(["unary", "--method", "/sluice.test.Echo/Other"], isSecure: isSecure)
            #expect(unknown.value("status") == "UNIMPLEMENTED", "\(unknown.output)")
            let nobody = try call(["unary", "--method", "/sluice.test.Nobody/Any"], isSecure: isSecure)
            #expect(nobody.value("status") == "UNAVAILABLE", "\(nobody.output)")
        }
        // Before the backend has answered, and after it has begun to.
        for method in ["Mute", "Slow"] {
            let late = try Clients.run(
                "grpc_client",
                [
                    "unary", "--method", "/sluice.test.Echo/\(method)", "--message", "20", "--target",
                    "127.0.0.1:\(clear)", "--authority", "slow.example.com",
                ])
            #expect(late.value("status") == "DEADLINE_EXCEEDED", "\(late.output)")
        }
        try backend.running.wait(for: "cancelled", count: 2)
        #expect(backend.running.values("cancelled") == ["/sluice.test.Echo/Mute", "/sluice.test.Echo/Slow"])
        withExtendedLifetime(gateway) {}
    }
}
