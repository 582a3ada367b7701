import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// After a 101 (RFC 9110, section 15.2.2).
@Suite struct TunnelTests {
    private func open(_ harness: WorkerHarness, early: String = "") throws -> (client: RawSocket, backend: RawSocket) {
        let client = try harness.connect()
        client.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n\(early)"
        )
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        #expect(harness.total(.upgradesNow) == 1)
        return (client, backend)
    }

    @Test(arguments: [true, false]) func aResetOnOneSideEndsBoth(onClientsSide: Bool) throws {
        let harness = try WorkerHarness()
        var (client, backend): (RawSocket?, RawSocket?) = try open(harness)
        if onClientsSide {
            client?.resetsWhenGone()
            client = nil
            harness.expectEnd(try #require(backend))
        } else {
            backend?.resetsWhenGone()
            backend = nil
            harness.expectEnd(try #require(client))
        }
        harness.expectNothingUnderWay()
    }

    @Test func aResetAfterItsHalfCloseEndsTheTunnelToo() throws {
        let harness = try WorkerHarness()
        var (client, backend): (RawSocket?, RawSocket?) = try open(harness)
        client?.finish()
        harness.expectEnd(try #require(backend))
        client?.resetsWhenGone()
        client = nil
        harness.until("the tunnel's end") { harness.total(.upgradesNow) == 0 }
        backend = nil
        harness.expectNothingUnderWay()
    }

    @Test func whatTheClientSentBehindItsHeadIsTheTunnels() throws {
        let harness = try WorkerHarness()
        let (_, backend) = try open(harness, early: "early")
        harness.expect(backend, toReceive: "\r\n\r\nearly")
    }

    @Test func manyOctetsPassBothWaysAtOnce() throws {
        let harness = try WorkerHarness()
        let (client, backend) = try open(harness)
        client.forget()
        backend.forget()
        let size = 2_000_000
        let up = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let down = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 3) }
        var (sentUp, sentDown) = (0, 0)
        harness.until("both") {
            sentUp += client.send(Array(up[sentUp..<min(size, sentUp + 50_000)]))
            sentDown += backend.send(Array(down[sentDown..<min(size, sentDown + 50_000)]))
            client.receive()
            backend.receive()
            return client.bytes.count >= size && backend.bytes.count >= size
        }
        #expect(backend.bytes == up)
        #expect(client.bytes == down)
        #expect(harness.total(.upgradesNow) == 1)
    }

    @Test func aRefusedUpgradeIsAnOrdinaryResponse() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(!backend.received.contains("GET /2"))
        backend.send("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 400 No\r\n")
        harness.expect(backend, toReceive: "GET /2 HTTP/1.1\r\n")
        #expect(harness.total(.upgradesNow) == 0)
    }

    @Test func otherProtocolsAreNotOffered() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        )
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        let head = backend.received.lowercased()
        #expect(!head.contains("upgrade:") && !head.contains("http2-settings") && !head.contains("\r\nconnection:"))
    }
}
