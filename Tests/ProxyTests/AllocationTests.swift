import AllocationCount
import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// Nothing on the path of a request allocates once everything has its memory (docs/performance.md).
///
/// Counted exactly, call by call, on this test's thread alone: another test's allocations are another thread's.
@Suite struct AllocationTests {
    private let request = Array("GET /p?q=1 HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nUser-Agent: t\r\n\r\n".utf8)
    private let response = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi".utf8)

    @Test func aThousandExchangesAllocateNothing() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send(request)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        for _ in 0..<200 { exchange(harness, client, backend) }
        let rounds = (0..<3).map { _ in
            let before = allocation_count()
            for _ in 0..<1000 { exchange(harness, client, backend) }
            return allocation_count() - before
        }
        // A second after a change endpoints that are gone are looked for, once.
        #expect(rounds.count { $0 > 0 } <= 1, "\(rounds)")
        #expect(harness.statistics.requests == 3201)
    }

    /// The same over HTTP/2: streams, lanes, heads and the library's own objects are used again. What is left are the entries
    /// that enter HPACK's table now and then, as the Date of a new second does.
    @Test func aThousandStreamsAllocateNextToNothing() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        // Preface and settings; then GET / of example.com, in HPACK's static table and one literal that is not indexed.
        client.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
        let block: [UInt8] = [0x82, 0x86, 0x84, 0x01, 11] + Array("example.com".utf8)
        let size = UInt8(block.count)
        var frames = (0..<2000).map { i -> [UInt8] in
            let id = i * 2 + 1
            return [0, 0, size, 1, 5, 0, 0, UInt8(id >> 8), UInt8(id & 255)] + block
        }
        frames.reverse()
        client.send(frames.removeLast())
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        while !client.discard() { harness.loop.turn(limit: 1) }
        func exchange() {
            client.send(frames.removeLast())
            harness.loop.turn(limit: 100)
            while !backend.discard() { harness.loop.turn(limit: 1) }
            backend.send(response)
            harness.loop.turn(limit: 100)
            while !client.discard() { harness.loop.turn(limit: 1) }
        }
        for _ in 0..<400 { exchange() }
        let before = allocation_count()
        for _ in 0..<1000 { exchange() }
        #expect(allocation_count() - before < 100)
        #expect(harness.statistics.requests == 1401)
    }

    /// A tunnel in which nothing moves keeps the head of its request and no other block.
    @Test func quietTunnelsHoldOneBlockEach() throws {
        let harness = try WorkerHarness()
        let tunnels = 40
        var sockets: [RawSocket] = []
        let before = block_allocation_count()
        for _ in 0..<tunnels {
            let client = try harness.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            let backend = try harness.acceptBackend()
            while !backend.discard() { harness.loop.turn(limit: 1) }
            backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            while !client.discard() { harness.loop.turn(limit: 1) }
            client.send("hello")
            while !backend.discard() { harness.loop.turn(limit: 1) }
            sockets += [client, backend]
        }
        #expect(harness.total(.upgradesNow) == UInt64(tunnels))
        // One each, and what the pool lends to whoever is busy at the moment.
        #expect(block_allocation_count() - before <= UInt64(tunnels) + 4)
    }

    /// The counter itself works, so that nothing found means nothing there.
    @Test func anAllocationIsCounted() {
        let before = allocation_count()
        let array = [UInt8](repeating: 1, count: Int.random(in: 5000...6000))
        #expect(array.count >= 5000)
        #expect(allocation_count() > before)
    }

    private func exchange(_ harness: WorkerHarness, _ client: RawSocket, _ backend: RawSocket) {
        client.send(request)
        harness.loop.turn(limit: 100)
        while !backend.discard() { harness.loop.turn(limit: 1) }
        backend.send(response)
        harness.loop.turn(limit: 100)
        while !client.discard() { harness.loop.turn(limit: 1) }
    }
}
