import Core
import Support
import Testing

/// The peers that others wrote, against each other: a failure here is theirs or the machine's, not the gateway's.
@Suite("Clients and backends of Tests/Clients")
struct ClientsTests {
    @Test(
        arguments: [
            ("unary", ["hello"], ["hello"]),
            ("server-stream", ["count=3 text=part"], ["part 0", "part 1", "part 2"]),
            ("client-stream", ["a", "bb", "ccc"], ["3 messages, 6 octets"]),
            ("bidi", ["a", "b"], ["a", "b"]),
        ] as [(String, [String], [String])])
    func grpcCalls(kind: String, messages: [String], answers: [String]) throws {
        let backend = try Clients.backend("grpc_server", ["--name", "first"])
        let call = try Clients.run(
            "grpc_client",
            [kind, "--target", "127.0.0.1:\(backend.port)"] + messages.flatMap { ["--message", $0] })
        #expect(call.values("message") == answers, "\(call.output)")
        #expect(call.value("status") == "OK")
        #expect(call.values("initial").contains("x-backend: first"))
        #expect(call.values("trailing") == ["x-trailer: first"])
    }

    @Test func grpcErrorsAndDeadlines() throws {
        let backend = try Clients.backend("grpc_server")
        let target = ["--target", "127.0.0.1:\(backend.port)"]
        let error = try Clients.run(
            "grpc_client", ["unary", "--method", "/any.Service/Error", "--message", "NOT_FOUND no such thing"] + target)
        #expect(error.value("status") == "NOT_FOUND")
        #expect(error.value("details") == "no such thing")
        let late = try Clients.run(
            "grpc_client", ["unary", "--method", "/any.Service/Slow", "--message", "30", "--timeout", "0.2"] + target)
        #expect(late.value("status") == "DEADLINE_EXCEEDED")
        #expect(try backend.running.wait(for: "cancelled") == "/any.Service/Slow")
    }

    @Test(arguments: ["1", "2"])
    func webSocket(version: String) throws {
        let backend = try Clients.backend("websocket_server", ["--http", version])
        let target = ["--http", version, "--target", "127.0.0.1:\(backend.port)"]
        let echo = try Clients.run(
            "websocket_client", target + ["--message", "a", "--message", "b", "--subprotocol", "chat"])
        #expect(echo.value("opened") == "chat", "\(echo.output)")
        #expect(echo.values("message") == ["a", "b"])
        #expect(echo.value("close") == "1000 done")
        #expect(try Clients.run("websocket_client", target + ["--path", "/refuse"]).value("refused") == "403")
        let closed = try Clients.run("websocket_client", target + ["--message", "close 4001"])
        #expect(closed.value("close") == "4001 as asked")
    }

    @Test(arguments: [("ping", "open"), ("hpack-bomb", "closed")])
    func abuse(attack: String, end: String) throws {
        let backend = try Clients.backend("websocket_server", ["--http", "2"])
        let outcome = try Clients.run(
            "h2_attack", [attack, "--target", "127.0.0.1:\(backend.port)", "--count", "500"])
        #expect(outcome.lines.last == end, "\(outcome.output)")
    }

    @Test(arguments: [("curl", "HTTP2"), ("nghttp", "nghttp2/"), ("h2load", "nghttp2/")])
    func toolsAreThere(name: String, part: String) throws {
        #expect(try Clients.tool(name, ["--version"]).output.contains(part))
    }

    @Test func aMissingToolIsAFailureThatSaysWhatToDo() {
        let error = #expect(throws: Clients.Missing.self) { try Clients.tool("no-such-tool", []) }
        #expect(error?.description == "'no-such-tool' is not on PATH; 'make deps-test' installs what the tests call")
    }
}
