import Config
import Core
import Telemetry
import Testing

@testable import Proxy

@Suite struct WatermarkTests {
    typealias Level = Watermark.Level

    /// Hundredths in use, one after the other, and the level after each.
    @Test(
        arguments: [
            [(0, .normal), (84, .normal), (85, .shedding), (80, .shedding), (79, .normal)],
            [(94, .shedding), (95, .refusing), (90, .refusing), (89, .shedding), (94, .shedding), (95, .refusing)],
            [(100, .refusing), (79, .normal)], [(500, .refusing), (84, .shedding), (85, .shedding), (79, .normal)],
        ] as [[(UInt64, Level)]]) func steps(_ steps: [(used: UInt64, level: Level)])
    {
        var mark = Watermark()
        for step in steps {
            let before = mark.level
            let hasChanged = mark.update(used: step.used, limit: 100)
            #expect(hasChanged == (before != step.level))
            #expect(mark.level == step.level)
        }
    }

    @Test func noLimit() {
        var mark = Watermark()
        var hasChanged = mark.update(used: .max, limit: 0)
        #expect(!hasChanged)
        hasChanged = mark.update(used: .max, limit: 1)
        #expect(hasChanged)
        #expect(mark.level == .refusing)
    }
}

@Suite struct OverloadTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func serve(_ harness: WorkerHarness, _ client: RawSocket) throws -> RawSocket {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        return backend
    }

    @Test func firstIdleConnectionsGoThenNewOnesAreRefused() throws {
        let harness = try WorkerHarness()
        let idle = try harness.connect()
        try serve(harness, idle).send(Self.ok)
        harness.expect(idle, toReceive: "\r\n\r\nhi")
        let busy = try harness.connect()
        busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.until("two requests") { harness.statistics.requests == 1 && harness.total(.requestsNow) == 1 }

        let overload = harness.worker.overload
        overload.look(memory: 86, limit: 100, descriptors: 0, limit: 100)
        #expect(overload.level == .shedding && harness.total(.overloadLevelNow) == 1)
        harness.expectEnd(idle)
        #expect(!idle.wasReset)
        // New ones are still welcome.
        let late = try harness.connect()
        harness.until("it is accepted") { harness.total(.downstreamConnectionsNow) == 2 }

        overload.look(memory: 50, limit: 100, descriptors: 96, limit: 100)
        #expect(overload.level == .refusing && harness.total(.overloadLevelNow) == 2)
        let refused = try harness.connect()
        refused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(refused, toReceive: "HTTP/1.1 503 ")
        #expect(refused.received.contains("connection: close\r\n") && refused.received.contains("overloaded"))
        harness.expectEnd(refused)
        #expect(!refused.wasReset && harness.total(.overloadRefusals) == 1)
        // What is under way is not touched.
        busy.receive()
        #expect(!busy.ended && harness.total(.requestsNow) == 1)

        overload.look(memory: 50, limit: 100, descriptors: 50, limit: 100)
        #expect(overload.level == .normal && harness.total(.overloadLevelNow) == 0)
        let welcome = try harness.connect()
        harness.until("it is accepted") { harness.total(.downstreamConnectionsNow) >= 2 }
        _ = (late, welcome)
    }

    /// Refusals that wait are bounded, and gone after a while.
    @Test func manyAreRefusedWithoutBeingHeld() throws {
        let harness = try WorkerHarness()
        harness.worker.overload.look(memory: 99, limit: 100, descriptors: 0, limit: 100)
        let clients = try (0..<(Refusals.limit + 20)).map { _ in try harness.connect() }
        harness.until("all are refused") { harness.total(.overloadRefusals) == UInt64(clients.count) }
        #expect(harness.worker.refusals.count == Refusals.limit)
        #expect(harness.total(.downstreamConnectionsNow) == 0)
        for client in clients { harness.expect(client, toReceive: "HTTP/1.1 503 ") }
        harness.until("nobody is held") { harness.worker.refusals.count == 0 }
    }
}
