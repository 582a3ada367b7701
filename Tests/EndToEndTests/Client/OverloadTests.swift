import Core
import Glibc
import IO
import Support
import Testing

/// The program when something runs short: idle connections go, new ones are refused, what is under way and the admin
/// interface are left alone.
@Suite(.serialized) struct OverloadTests {
    /// RLIMIT_NOFILE that leaves a worker some thirty clients.
    private static let limit = 256

    @Test func withoutMemoryNewConnectionsAreRefused() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), options: ["--memory-limit", "1Mi"])
        let response = try Client(port: port).request()
        #expect(response.status == 503 && response.text.contains("overloaded"))
        #expect(response.all("connection") == ["close"])
        #expect(backend.requests.isEmpty)
        #expect(try gateway.admin("/readyz").status == 200)
        #expect(gateway.output.contains("overload: new connections are refused"))
        let metrics = try gateway.admin("/metrics").text
        #expect(metrics.contains("sluice_worker_overload_level{worker=\"0\"} 2"))
        #expect(metrics.contains("sluice_overload_refusals_total 1"))
    }

    @Test func enoughMemoryIsNoMatter() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), options: ["--memory-limit", "4Gi"])
        #expect(try Client(port: port).request().status == 200)
        #expect(!gateway.output.contains("overload"))
    }

    @Test func idleConnectionsGoFirstAndBusyOnesStay() throws {
        let gate = Gate()
        let backend = try Backend { request in
            if request.target == "/slow" { gate.wait() }
            return .response()
        }
        let port = try Ports.free()
        let gateway = try Gateway(
            Manifests.simple(ports: [port], backend: backend.port), descriptorLimit: Self.limit)
        var busy = try (0..<8).map { _ in try Client(port: port) }
        for client in busy { try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") }
        try Wait.until("the slow requests") { backend.requests.count == busy.count }
        // Many come, are served and stay idle: each finds a place.
        var idle: [Client] = []
        for _ in 0..<Self.limit {
            let client = try Client(port: port)
            #expect(try client.request().status == 200)
            idle.append(client)
        }
        #expect(idle.filter { !$0.isQuiet }.count > Self.limit / 2)
        // Now many that are busy: past the limit they are told.
        var more = try (0..<Self.limit).map { _ in try Client(port: port) }
        for client in more { try? client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") }
        try Wait.until("refusals") { gateway.output.contains("overload: new connections are refused") }
        #expect(try gateway.admin("/readyz").status == 200)
        gate.open()
        for client in busy { #expect(try client.readResponse().status == 200) }
        let answers = more.map { (try? $0.readResponse().status) ?? 0 }
        #expect(answers.contains(503) && answers.allSatisfy { $0 == 200 || $0 == 503 || $0 == 0 })
        // When they are gone there is room again.
        idle = []
        busy = []
        more = []
        try Wait.until("room") {
            guard let client = try? Client(port: port) else { return false }
            return (try? client.request().status) == 200
        }
        try Wait.until("the end of it") { gateway.output.contains("overload is over") }
    }
}
