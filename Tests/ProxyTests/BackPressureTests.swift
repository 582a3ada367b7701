import Config
import Connection
import Core
import Glibc
import Telemetry
import Testing

@testable import Proxy

/// Who does not read is not read for: what the gateway and the kernel hold between two sides has a bound, whatever the body.
@Suite struct BackPressureTests {
    /// One block each way, one pipe, and what the kernel keeps for four sockets of loopback at most (tcp(7)).
    private static let kernel = 2 * (most("tcp_wmem") + most("tcp_rmem"))
    private static let bound = 2 * ConnectionResources.blockSize + PipePool.capacity + kernel

    /// The beginning of a chunk that no test sees the end of.
    private let endlessChunk = "ffffffffffff\r\n"

    enum Framing: CaseIterable { case length, chunked, untilClose }

    @Test(arguments: Framing.allCases) func aClientThatDoesNotReadStopsItsBackend(framing: Framing) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        switch framing {
        case .length: backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        case .chunked: backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(endlessChunk)")
        case .untilClose: backend.send("HTTP/1.1 200 OK\r\n\r\n")
        }
        let taken = offer(harness, backend)
        #expect(taken < Self.bound)
        // And it goes on as soon as the client reads.
        harness.until("more") {
            client.receive()
            return offer(harness, backend, until: 1) > 0
        }
    }

    @Test(arguments: [Framing.length, .chunked]) func aBackendThatDoesNotReadStopsItsClient(framing: Framing) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send(
            framing == .length
                ? "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n"
                : "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(endlessChunk)")
        let backend = try harness.acceptBackend()
        let taken = offer(harness, client)
        #expect(taken < Self.bound)
        harness.until("more") {
            backend.receive()
            backend.forget()
            return offer(harness, client, until: 1) > 0
        }
    }

    /// The third number of such a setting: the most octets of one socket's buffer.
    private static func most(_ setting: String) -> Int {
        guard let file = fopen("/proc/sys/net/ipv4/\(setting)", "r") else { return 8 << 20 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, CInt(line.count), file) != nil else { return 8 << 20 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split { $0 == "\t" || $0 == " " || $0 == "\n" }.last.flatMap { Int($0) } ?? 8 << 20
    }

    /// Offers octets until the other side has not taken any for `patience` turns.
    private func offer(_ harness: WorkerHarness, _ socket: RawSocket, until most: Int = .max) -> Int {
        let block = [UInt8](repeating: 0x61, count: 16_384)
        var taken = 0
        var stuck = 0
        while stuck < 40, taken < most {
            let count = socket.send(block)
            taken += count
            stuck = count == 0 ? stuck + 1 : 0
            harness.loop.turn(limit: 1)
        }
        return taken
    }

    @Test func anAbortInTheMiddleOfALargeBodyLeavesNothing() throws {
        let harness = try WorkerHarness()
        for _ in 0..<10 {
            var client: RawSocket? = try harness.connect()
            client?.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let backend = try harness.acceptBackend()
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            _ = offer(harness, backend)
            client = nil
            harness.expectEnd(backend)
            harness.expectNothingUnderWay()
        }
        #expect(harness.worker.resources.pipes.lent == 0)
    }
}
