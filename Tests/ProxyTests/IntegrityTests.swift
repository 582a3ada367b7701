import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// Bodies arrive octet for octet as they were sent, whatever the pieces they come in and however little either side takes
/// at a time. Sizes, pieces and framings come from a seed, which a failure names.
@Suite struct IntegrityTests {
    /// A message's octets and how its body is framed.
    private struct Message {
        var octets: [UInt8]
        var body: [UInt8]

        init(_ firstLine: String, _ random: inout SeededRandom) {
            let size = [0, 1, 100, 5000, 33_000, 70_000, 250_000][Int(random.next() % 7)]
            let start = UInt8(truncatingIfNeeded: random.next())
            body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 4) &+ start }
            let isChunked = random.next() % 2 == 0
            octets = Array((firstLine + "\r\nHost: a\r\n").utf8)
            guard isChunked else {
                octets += Array("Content-Length: \(size)\r\n\r\n".utf8) + body
                return
            }
            octets += Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
            var rest = body[...]
            while !rest.isEmpty {
                let chunk = rest.prefix(Int(random.next() % 40_000) + 1)
                rest = rest.dropFirst(chunk.count)
                octets += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + Array("\r\n".utf8)
            }
            octets += Array("0\r\n\r\n".utf8)
        }
    }

    /// The body of a whole message, out of its framing; nil: not whole yet.
    private static func body(of octets: [UInt8]) -> [UInt8]? {
        let end = Array("\r\n\r\n".utf8)
        guard let headEnd = octets.indices.first(where: { octets[$0...].starts(with: end) }) else { return nil }
        let head = String(decoding: octets[..<headEnd], as: UTF8.self)
        var rest = octets[(headEnd + 4)...]
        if let range = head.firstRange(of: "Content-Length: ") {
            guard let length = Int(head[range.upperBound...].prefix { $0.isNumber }), rest.count >= length else {
                return nil
            }
            return Array(rest)
        }
        var body: [UInt8] = []
        while true {
            guard let lineEnd = rest.firstIndex(of: 0x0D),
                let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16)
            else { return nil }
            rest = rest[(lineEnd + 2)...]
            if size == 0 { return rest.count == 2 ? body : nil }
            guard rest.count >= size + 2 else { return nil }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
    }

    private func pass(
        _ harness: WorkerHarness, _ message: Message, from sender: RawSocket, to receiver: RawSocket,
        _ random: inout SeededRandom, _ seed: UInt64
    ) {
        var unsent = message.octets[...]
        let greatestPiece = [50, 3000, 20_000, 100_000][Int(random.next() % 4)]
        // Small pieces of large bodies would take for ever; the last of them need no pacing.
        var paced = 300
        var looked = -1
        harness.until("a body of \(message.body.count), seed \(seed)") {
            paced -= 1
            let most = paced > 0 ? Int(random.next() % UInt64(greatestPiece)) + 1 : 200_000
            unsent = unsent.dropFirst(sender.send(Array(unsent.prefix(most))))
            receiver.receive(limit: paced > 0 ? Int(random.next() % UInt64(greatestPiece)) + 1 : .max)
            // Looked at when nothing new comes.
            guard unsent.isEmpty, receiver.bytes.count == looked else {
                looked = receiver.bytes.count
                return false
            }
            return Self.body(of: receiver.bytes) != nil
        }
        #expect(Self.body(of: receiver.bytes) == message.body, "seed \(seed)")
        receiver.forget()
    }

    @Test(arguments: [1, 101, 201]) func bodiesArriveAsTheyWereSent(firstSeed: UInt64) throws {
        let harness = try WorkerHarness(
            rules: [WorkerHarness.rule { $0.retry = RetryPlan(codes: [503], attempts: 1, backoff: .zero) }])
        let client = try harness.connect()
        var backend: RawSocket?
        for seed in firstSeed..<(firstSeed + 12) {
            var random = SeededRandom(seed: seed)
            let method = ["PUT", "POST"][Int(random.next() % 2)]
            let request = Message("\(method) /x HTTP/1.1", &random)
            if backend == nil {
                // The first connection is made when the first head is there.
                client.send("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n")
                let made = try harness.acceptBackend()
                harness.expect(made, toReceive: "\r\n\r\n")
                made.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                harness.expect(client, toReceive: "\r\n\r\n")
                made.forget()
                client.forget()
                backend = made
            }
            let endpoint = try #require(backend)
            pass(harness, request, from: client, to: endpoint, &random, seed)
            pass(harness, Message("HTTP/1.1 200 OK", &random), from: endpoint, to: client, &random, seed)
        }
        #expect(harness.total(.upstreamConnections) == 1)
        harness.expectNothingUnderWay()
    }
}
