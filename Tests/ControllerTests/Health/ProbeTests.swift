import Config
import Connection
import Core
import IO
import Proxy
import Routing
import Support
import Telemetry
import Testing
import Upstream

@testable import Controller

/// Probes against backends of their own, on a loop of their own.
@Suite("Probes", .serialized)
struct ProbeTests {
    private final class Waker: Timed {
        override func deadlinePassed(now: Instant) {}
    }

    /// What comes of one probe of `port`.
    private func outcome(
        _ plan: ActiveCheckPlan, port: UInt16, over backendProtocol: BackendProtocol = .http1,
        _ proxyProtocol: ProxyProtocolVersion = .none, hostname: String = ""
    ) throws -> ProbeOutcome {
        let loop = EventLoop()
        let resources = ConnectionResources(loop: loop)
        let waker = Waker()
        let address = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: port)
        var cluster = ClusterPlan(
            name: "a", backendProtocol: backendProtocol, endpoints: [EndpointPlan(address: address)])
        cluster.proxyProtocol = proxyProtocol
        var gateway = GatewayPlan()
        gateway.clusters = [cluster]
        let block = try SnapshotBuilder.buildBlock(gateway, generation: 1, revision: 1, sourceHash: 0, socketIDs: [])
        guard let snapshot = block.snapshot else { preconditionFailure("the builder made no snapshot") }
        let transport = ProbeTransport(
            snapshot[snapshot.header.pointee.clusters, 0].pointee, in: snapshot, PatternCache())
        let probe = Probe(
            ProbeTarget(plan: plan, transport: transport, address: address, hostname: hostname), check: waker,
            tunnels: .forProbes(resources, Log(level: .error, speaker: "test"), limit: 1), resources: resources)
        probe.begin()
        let end = SystemCalls.monotonicNow() + .seconds(15)
        while probe.outcome == nil, SystemCalls.monotonicNow() < end { loop.turn(limit: 20) }
        probe.abandon()
        // Whatever is to be sent at a turn's end, with the probe gone.
        loop.turn(limit: 0)
        loop.clearDeadline(waker)
        return try #require(probe.outcome)
    }

    private func http(_ change: (inout HTTPProbePlan) -> Void = { _ in }) -> ActiveCheckPlan {
        var plan = HTTPProbePlan(path: "/healthz")
        change(&plan)
        var check = ActiveCheckPlan(.http(plan))
        check.timeout = .seconds(10)
        return check
    }

    typealias Change = @Sendable (inout HTTPProbePlan) -> Void
    static let answers: [(String, Backend.Reply, Change, ProbeSeries.Result)] = [
        ("200", .response(), { _ in }, .passed),
        ("204 is not 200", .response(status: 204), { _ in }, .refused),
        ("one of those expected", .response(status: 204), { $0.expectedStatuses = [200, 204] }, .passed),
        ("200 where only 204 is expected", .response(), { $0.expectedStatuses = [204] }, .refused),
        ("one worth another try", .response(status: 503), { $0.retriableStatuses = [503] }, .failed),
        (
            "expected counts before retriable", .response(status: 503),
            {
                $0.retriableStatuses = [503]
                $0.expectedStatuses = [503]
            }, .passed
        ),
        ("an error", .response(status: 500), { $0.retriableStatuses = [503] }, .refused),
        ("the body", .response(body: "I am OK, thanks"), { $0.expectedResponse = Array("OK".utf8) }, .passed),
        ("another body", .response(body: "I am ill"), { $0.expectedResponse = Array("OK".utf8) }, .refused),
        (
            "a body in chunks", .chunked(chunks: ["I am O", "K", ", thanks"]),
            { $0.expectedResponse = Array("OK".utf8) }, .passed
        ),
        (
            "only the beginning is looked at", .response(body: String(repeating: ".", count: 1023) + "OK"),
            { $0.expectedResponse = Array("OK".utf8) }, .refused
        ),
        (
            "a body up to the end of the connection",
            .raw("HTTP/1.1 200 OK\r\n\r\nall OK", thenClose: true), { $0.expectedResponse = Array("OK".utf8) }, .passed
        ),
        ("an interim answer before", .raw("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), { _ in }, .passed),
        ("no HTTP", .raw("hello\r\n\r\n"), { _ in }, .failed),
        ("no answer", .close, { _ in }, .failed),
        ("a reset", .reset, { _ in }, .failed),
    ]

    @Test("by HTTP", arguments: answers)
    func byHTTP(_ name: String, _ reply: Backend.Reply, _ change: Change, _ expected: ProbeSeries.Result) throws {
        let backend = try Backend { _ in reply }
        let outcome = try outcome(http(change), port: backend.port)
        #expect(outcome.result == expected, "\(name): \(outcome.reason)")
        #expect(outcome.reason.isEmpty == false)
    }

    @Test("what is asked by HTTP")
    func request() throws {
        let backend = try Backend()
        let plan = http {
            $0.method = "POST"
            $0.requestBody = Array("ping".utf8)
            $0.hostname = "shop.example"
            $0.routeHostname = "route.example"
        }
        #expect(try outcome(plan, port: backend.port, hostname: "endpoint.example").result == .passed)
        let request = try #require(backend.requests.first)
        #expect((request.method, request.target, request.version) == ("POST", "/healthz", "HTTP/1.1"))
        #expect(request.all("host") == ["shop.example"])
        #expect(request.text == "ping")
        #expect(request["user-agent"] == "Sluice/HC")
        #expect(request["connection"] == "close")
    }

    @Test("the host is the endpoint's own where none is written, else the route's, else the address")
    func host() throws {
        let backend = try Backend()
        let routed = http { $0.routeHostname = "route.example" }
        _ = try outcome(routed, port: backend.port, hostname: "endpoint.example")
        _ = try outcome(routed, port: backend.port)
        _ = try outcome(http(), port: backend.port)
        #expect(backend.requests.map { $0["host"] } == ["endpoint.example", "route.example", backend.address])
    }

    @Test("an endpoint that does not answer in time, and one that is not there")
    func absent() throws {
        let silent = try Backend { _ in .silence }
        var plan = http()
        plan.timeout = .milliseconds(50)
        let late = try outcome(plan, port: silent.port)
        #expect(late.result == .failed && late.reason == "timeout")
        let gone = try outcome(http(), port: Ports.free())
        #expect(gone.result == .failed && gone.reason.contains("refused"))
    }

    @Test("by TCP")
    func byTCP() throws {
        let backend = try Backend("tcp") { _, connection, _ in
            let line = try connection.readLine()
            try connection.send(line == "PING" ? "-\r\n+PONG\r\n" : "-ERR\r\n")
        }
        func check(_ send: String, _ receive: String) throws -> ProbeOutcome {
            try outcome(
                {
                    var plan = ActiveCheckPlan(.tcp(send: Array(send.utf8), receive: Array(receive.utf8)))
                    plan.timeout = .seconds(10)
                    return plan
                }(), port: backend.port)
        }
        #expect(try check("", "").result == .passed)
        #expect(try check("PING\n", "PONG").result == .passed)
        #expect(try check("PING\n", "").result == .passed)
        #expect(try check("WHAT\n", "PONG").result == .failed)
        let gone = try outcome(ActiveCheckPlan(.tcp(send: [], receive: [])), port: Ports.free())
        #expect(gone.result == .failed)
    }

    @Test("a PROXY header goes first, of a connection that no client stands behind")
    func proxyHeader() throws {
        let backend = try Backend("proxied") { backend, connection, number in
            let first = try connection.readLine()
            guard let request = try backend.readRequest(connection, number) else { return }
            try connection.send("HTTP/1.1 \(first == "PROXY UNKNOWN" ? 200 : 500) OK\r\nContent-Length: 0\r\n\r\n")
            _ = request
        }
        #expect(try outcome(http(), port: backend.port, .v1).result == .passed)
        let second = try Backend("proxied") { backend, connection, number in
            let header = try connection.read(16)
            _ = try backend.readRequest(connection, number)
            let isLocal = header.last(4) == [0x20, 0, 0, 0]
            try connection.send("HTTP/1.1 \(isLocal ? 200 : 500) OK\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(try outcome(http(), port: second.port, .v2).result == .passed)
    }

    @Test("by gRPC, and by HTTP/2")
    func byGRPC() throws {
        let backend = try EchoBackend()
        var plan = ActiveCheckPlan(.grpc(service: "shop.Orders"))
        plan.timeout = .seconds(10)
        let outcome = try outcome(plan, port: backend.port, over: .http2)
        #expect(outcome.result == .passed && outcome.reason == "SERVING")
        #expect(try self.outcome(http(), port: backend.port, over: .http2).result == .passed)
        let missing = try self.outcome(http { $0.path = "/status/404" }, port: backend.port, over: .http2)
        #expect(missing.result == .refused && missing.reason == "status 404")
        // One that speaks HTTP/1.1 alone.
        let plain = try Backend()
        #expect(try self.outcome(plan, port: plain.port, over: .http2).result == .failed)
    }

    static let messages: [(octets: [UInt8], serving: Int?)] = [
        ([0, 0, 0, 0, 2, 0x08, 0x01], 1), ([0, 0, 0, 0, 2, 0x08, 0x02], 2), ([0, 0, 0, 0, 0], 0),
        // Another field before it, which is left alone.
        ([0, 0, 0, 0, 4, 0x10, 0x05, 0x08, 0x01], 1),
        ([0, 0, 0, 0, 2, 0x08], nil), ([1, 0, 0, 0, 2, 0x08, 0x01], nil), ([0, 0, 0], nil),
        ([0, 0, 0, 0, 2, 0x0A, 0x01], nil), ([0, 0xFF, 0xFF, 0xFF, 0xFF, 0x08, 0x01], nil),
        ([0, 0, 0, 0, 11] + Array(repeating: 0x88, count: 11), nil),
    ]

    @Test("answers of grpc.health.v1", arguments: messages)
    func message(_ octets: [UInt8], _ serving: Int?) { #expect(GRPCHealthAnswer.serving(octets) == serving) }

    @Test(
        "grpc-status among trailers",
        arguments: [
            ("grpc-status: 0\r\n", 0), ("a: b\r\nGRPC-Status:14\r\ngrpc-message: x\r\n", 14), ("a: b\r\n", nil),
            ("grpc-status: x\r\n", -1), ("", nil),
        ] as [(String, Int?)])
    func trailers(_ lines: String, _ status: Int?) {
        #expect(lines.withView { GRPCHealthAnswer.status(inTrailers: $0) } == status)
    }

    @Test("numbers as gRPC writes them")
    func varint() {
        #expect(Probe.varint(1) == [1])
        #expect(Probe.varint(127) == [127])
        #expect(Probe.varint(300) == [0xAC, 0x02])
    }
}

extension [UInt8] {
    fileprivate func last(_ count: Int) -> [UInt8] { Array(suffix(count)) }
}
