import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// HTTPRequestMirrorFilter: copies that neither hold up nor fail their original. Backend 1 is the mirror.
@Suite struct MirrorTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func harness(_ numerator: UInt32 = 100, _ denominator: UInt32 = 100) throws -> WorkerHarness {
        try WorkerHarness(
            backends: 2,
            rules: [
                WorkerHarness.rule {
                    $0.filters.mirrors = [MirrorPlan(cluster: 1, numerator: numerator, denominator: denominator)]
                }
            ])
    }

    @Test(arguments: ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"])
    func theMirrorGetsHeadAndBody(rest: String) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("POST /m HTTP/1.1\r\nHost: a\r\n" + rest)
        let backend = try harness.acceptBackend()
        let mirror = try harness.acceptBackend(1)
        let body = rest[(try #require(rest.firstRange(of: "\r\n\r\n"))).upperBound...]
        harness.expect(backend, toReceive: "\r\n\r\n" + body)
        harness.expect(mirror, toReceive: "\r\n\r\n" + body)
        #expect(mirror.received.hasPrefix("POST /m HTTP/1.1\r\nHost: a\r\n"))
        mirror.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(harness.total(.mirroredRequests) == 1)
        #expect(harness.total(.mirrorFailures) == 0)
        harness.settle()
        // The mirror's connection is kept like any other.
        #expect(harness.total(.upstreamPooledNow) == 2)
    }

    @Test func aMirrorThatNeverAnswersHoldsNobodyUp() throws {
        let harness = try harness()
        let client = try harness.connect()
        var backend: RawSocket?
        for path in ["/1", "/2"] {
            client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            if backend == nil { backend = try harness.acceptBackend() }
            harness.expect(try #require(backend), toReceive: "GET \(path) ")
            backend?.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            client.forget()
        }
    }

    @Test func aMirrorThatCannotBeReachedFailsNobody() throws {
        let harness = try WorkerHarness(
            rules: [WorkerHarness.rule { $0.filters.mirrors = [MirrorPlan(cluster: 1)] }], clusters: [[0], [9]])
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\nabc")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(harness.total(.mirrorFailures) == 1)
    }

    @Test func aSlowMirrorIsGivenUpAndTheOriginalGoesOn() throws {
        let harness = try harness()
        let client = try harness.connect()
        let size = 20_000_000
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
        let backend = try harness.acceptBackend()
        let mirror = try harness.acceptBackend(1)
        let block = [UInt8](repeating: 0x7A, count: 100_000)
        var sent = 0
        var received = 0
        harness.until("the whole body") {
            sent += client.send(Array(block.prefix(size - sent)))
            backend.receive()
            received += backend.bytes.count { $0 == 0x7A }
            if backend.received.contains("\r\n\r\n") || received > 0 { backend.forget() }
            return received >= size - 1000
        }
        #expect(harness.total(.mirrorFailures) == 1)
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        _ = mirror
    }

    /// The mirror's connection is still being made while the whole body passes, and what has piled up is more than one
    /// chunk can hold.
    @Test func whatPiledUpWhileTheMirrorConnectedIsSent() throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        let first = try harness.acceptBackend(1)
        harness.expect(first, toReceive: "\r\n\r\n")
        first.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        harness.expect(backend, toReceive: "GET /warm")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        let size = 50_000
        let body = String(repeating: "z", count: size)
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n\(body)\r\n0\r\n\r\n")
        let mirror = try harness.acceptBackend(1)
        harness.until("the mirror's body") {
            mirror.receive()
            return mirror.received.hasSuffix("0\r\n\r\n")
        }
        #expect(mirror.bytes.count { $0 == 0x7A } == size)
        #expect(harness.total(.mirrorFailures) == 0)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
    ]) func anyOrderlyAnswerOfTheMirrorIsNoFailure(response: String) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var mirror: RawSocket? = try harness.acceptBackend(1)
        harness.expect(try #require(mirror), toReceive: "\r\n\r\n")
        mirror?.send(response)
        mirror = nil
        harness.settle()
        #expect(harness.total(.mirrorFailures) == 0)
    }

    @Test(arguments: ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", ""])
    func aBrokenAnswerOfTheMirrorIsCountedAndNothingElse(response: String) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        var mirror: RawSocket? = try harness.acceptBackend(1)
        harness.expect(try #require(mirror), toReceive: "\r\n\r\n")
        mirror?.send(response)
        mirror = nil
        harness.until("the failure") { harness.total(.mirrorFailures) == 1 }
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
    }

    @Test func aRequestThatBreaksOffEndsItsMirror() throws {
        let harness = try harness()
        var client: RawSocket? = try harness.connect()
        client?.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\nab")
        let mirror = try harness.acceptBackend(1)
        harness.expect(mirror, toReceive: "\r\n\r\nab")
        client = nil
        harness.expectEnd(mirror)
        harness.expectNothingUnderWay()
    }

    /// Mirrors that hang must not pile up until no descriptor is left for anybody.
    @Test func mirrorsThatHangAreLimited() throws {
        let harness = try harness()
        harness.worker.limits.mirrors = 3
        let client = try harness.connect()
        var backend: RawSocket?
        var mirrors: [RawSocket] = []
        for index in 0..<6 {
            client.send("GET /\(index) HTTP/1.1\r\nHost: a\r\n\r\n")
            if backend == nil { backend = try harness.acceptBackend() }
            harness.expect(try #require(backend), toReceive: "GET /\(index) ")
            backend?.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            client.forget()
            if let mirror = try harness.tryAcceptBackend(1) { mirrors.append(mirror) }
        }
        #expect(harness.total(.mirroredRequests) == 3)
        #expect(harness.total(.mirrorFailures) == 3)
        #expect(harness.worker.mirrorsNow == 3)
        harness.worker.limits.mirrors = 4
        mirrors.removeAll()
        harness.until("room again") { harness.worker.mirrorsNow == 0 }
    }

    @Test func theShareIsAsConfigured() throws {
        let harness = try harness(1, 4)
        let client = try harness.connect()
        var backend: RawSocket?
        var mirrors: [RawSocket] = []
        let requests = 400
        for _ in 0..<requests {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            if backend == nil { backend = try harness.acceptBackend() }
            harness.expect(try #require(backend), toReceive: "\r\n\r\n")
            backend?.forget()
            backend?.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            client.forget()
            if let mirror = try harness.tryAcceptBackend(1) { mirrors.append(mirror) }
            for mirror in mirrors {
                mirror.receive()
                if mirror.received.contains("\r\n\r\n") {
                    mirror.forget()
                    mirror.send(Self.ok)
                }
            }
        }
        // Binomial with mean 100 and deviation 8.7: five deviations to either side.
        #expect((57...143).contains(Int(harness.total(.mirroredRequests))))
    }

    @Test func none() throws {
        let harness = try harness(0, 100)
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(harness.total(.mirroredRequests) == 0)
    }
}
