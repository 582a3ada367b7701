import Core
import Glibc
import IO
import Support
import Testing

/// SIGTERM and SIGINT, as interface.md promises them.
@Suite(.serialized) struct DrainTests {
    /// A backend that answers `/slow` only when it is told to.
    private func slowBackend(_ gate: Gate) throws -> Backend {
        try Backend { request in
            if request.target == "/slow" { gate.wait() }
            return .response(body: request.target)
        }
    }

    @Test(arguments: [SIGTERM, SIGQUIT])
    func busyExchangesEndAndIdleConnectionsClose(signal: CInt) throws {
        let gate = Gate()
        let backend = try slowBackend(gate)
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port), workers: 2)
        let idle = try (0..<8).map { _ in try Client(port: port) }
        for client in idle { #expect(try client.request().status == 200) }
        let busy = try Client(port: port)
        try busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the slow request") { backend.requests.contains { $0.target == "/slow" } }
        gateway.program.signal(signal)
        for client in idle { #expect(client.isClosedByPeer()) }
        try Wait.until("the port to be closed") { Ports.isClosed(port) }
        #expect(try gateway.admin("/readyz").status == 503)
        #expect(busy.isQuiet && gateway.program.death == nil)
        gate.open()
        let response = try busy.readResponse()
        #expect(response.status == 200 && response["connection"]?.lowercased() == "close")
        #expect(busy.isClosedByPeer())
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
    }

    /// Who asks just then cannot know of the drain: one that was idle, and one that has not asked before.
    @Test func requestsOnTheirWayInIdleConnectionsAreServed() throws {
        let gate = Gate()
        let backend = try slowBackend(gate)
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port), workers: 2)
        let clients = try (0..<8).map { _ in try Client(port: port) }
        for client in clients[4...] { #expect(try client.request().status == 200) }
        let busy = try Client(port: port)
        try busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the slow request") { backend.requests.contains { $0.target == "/slow" } }
        gateway.program.signal(SIGTERM)
        try Wait.until("the port to be closed") { Ports.isClosed(port) }
        for client in clients {
            let response = try client.request()
            #expect(response.status == 200 && response["connection"]?.lowercased() == "close")
            #expect(client.isClosedByPeer())
        }
        gate.open()
        #expect(try busy.readResponse().status == 200)
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
    }

    /// HTTP/2 by prior knowledge that begins just then is told to go, too.
    @Test func aConnectionThatBeginsHTTP2InADrainDoesNotHoldItUp() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [port], backend: backend.port)],
            options: ["--drain-timeout", "1h"])
        let client = try Client(port: port)
        // Another one's answer: the worker has accepted this one before.
        #expect(try Client(port: port).request().status == 200)
        gateway.program.signal(SIGTERM)
        try Wait.until("the port to be closed") { Ports.isClosed(port) }
        // Preface, SETTINGS, and HEADERS of stream 1: GET http://a/ (RFC 9113, section 3.4; RFC 7541, appendix A).
        try client.send(
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
                + [0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, 0x61])
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
        #expect(gateway.output.contains("\"GET / HTTP/2\"") || gateway.output.contains("GET \"/\" HTTP/2 200"))
    }

    @Test func whatIsLeftAtTheTimeoutIsCut() throws {
        let gate = Gate()
        let backend = try slowBackend(gate)
        let port = try Ports.free()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [port], backend: backend.port)],
            options: ["--drain-timeout", "1s"])
        let busy = try Client(port: port)
        try busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the slow request") { backend.requests.contains { $0.target == "/slow" } }
        let watch = Stopwatch()
        gateway.program.signal(SIGTERM)
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
        #expect(watch.elapsed >= .milliseconds(990))
        #expect(busy.isClosedByPeer())
        gate.open()
    }

    @Test func duringTheDelayEverythingGoesOn() throws {
        let backend = try Backend()
        let port = try Ports.free()
        let gateway = try Gateway(
            ["gateway.yaml": Manifests.simple(ports: [port], backend: backend.port)],
            options: ["--drain-delay", "2s"])
        gateway.program.signal(SIGTERM)
        try Wait.until("/readyz to be 503") { try gateway.admin("/readyz").status == 503 }
        #expect(try Client(port: port).request().status == 200)
        #expect(try gateway.program.waitForEnd() == .exited(code: 0))
        #expect(Ports.isClosed(port))
    }

    @Test(arguments: [[SIGINT], [SIGTERM, SIGTERM], [SIGTERM, SIGINT]])
    func quickExits(signals: [CInt]) throws {
        let gate = Gate()
        let backend = try slowBackend(gate)
        let port = try Ports.free()
        let gateway = try Gateway(Manifests.simple(ports: [port], backend: backend.port))
        let busy = try Client(port: port)
        try busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try Wait.until("the slow request") { backend.requests.contains { $0.target == "/slow" } }
        for (index, signal) in signals.enumerated() {
            if index > 0 { try Wait.until("the drain") { gateway.output.contains("drain began") } }
            gateway.program.signal(signal)
        }
        #expect(try gateway.program.waitForEnd(within: .seconds(10)) == .exited(code: 0))
        #expect(busy.isClosedByPeer())
        gate.open()
    }
}

/// Holds threads back until it is opened.
final class Gate: Sendable {
    private let fds: (reader: SharedFD, writer: SharedFD)

    init() {
        var ends: [CInt] = [-1, -1]
        precondition(pipe(&ends) == 0, "no pipe could be made")
        fds = (SharedFD(OwnedFD(adopting: ends[0])), SharedFD(OwnedFD(adopting: ends[1])))
    }

    /// At most a minute.
    func wait() {
        var question = pollfd(fd: fds.reader.raw, events: Int16(POLLIN), revents: 0)
        poll(&question, 1, 60_000)
    }

    func open() {
        var octet: UInt8 = 1
        _ = write(fds.writer.raw, &octet, 1)
    }
}
