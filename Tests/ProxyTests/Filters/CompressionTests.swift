import AllocationCount
import Config
import Core
import Telemetry
import Testing

@testable import Proxy

@Suite("BackendTrafficPolicy compressor") struct ResponseCompressionTests {
    private static let text = String(repeating: "the same text again and again ", count: 40)

    private static func response(_ lines: String = "Content-Type: text/plain\r\n", status: Int = 200) -> String {
        "HTTP/1.1 \(status) OK\r\n\(lines)Content-Length: \(text.utf8.count)\r\nETag: \"a\"\r\n\r\n\(text)"
    }

    private static func request(_ accepted: String?, method: String = "GET") -> String {
        "\(method) / HTTP/1.1\r\nHost: a\r\n" + (accepted.map { "Accept-Encoding: \($0)\r\n" } ?? "") + "\r\n"
    }

    private static let all = [CompressorPlan(.brotli), CompressorPlan(.gzip), CompressorPlan(.zstd)]

    private func head(
        _ request: String, _ response: String, _ offers: [CompressorPlan] = Self.all,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let pass = try FilterPass { $0.traffic.compression = offers }
        _ = try pass.toBackend(request, response, sourceLocation: sourceLocation)
        pass.harness.until("the end", sourceLocation: sourceLocation) { pass.harness.total(.requestsNow) == 0 }
        pass.harness.expectNothingUnderWay(sourceLocation: sourceLocation)
        pass.client.receive()
        let end = pass.client.bytes.indices.first { pass.client.bytes[$0...].starts(with: Array("\r\n\r\n".utf8)) }
        return String(decoding: pass.client.bytes[..<((end ?? 0) + 2)], as: UTF8.self)
    }

    @Test(
        arguments: [
            ("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br, zstd", "br"), ("gzip, br;q=0.9", "gzip"),
            ("*", "br"), ("br;q=0, *", "gzip"), ("deflate", ""), ("identity", ""), ("gzip;q=0", ""),
            ("identity, gzip;q=0.5", ""), (nil, ""),
        ] as [(String?, String)]) func whatTheClientTakes(_ accepted: String?, _ coding: String) throws
    {
        let head = try head(Self.request(accepted), Self.response())
        #expect(head.contains("\r\nContent-Encoding: \(coding)\r\n") == !coding.isEmpty)
        #expect(head.contains("\r\nContent-Length: ") == coding.isEmpty)
        #expect(head.contains("\r\nTransfer-Encoding: chunked\r\n") == !coding.isEmpty)
        #expect(head.contains("\r\nETag: ") == coding.isEmpty)
        // Another client would have got it otherwise.
        #expect(head.contains("\r\nVary: Accept-Encoding\r\n"))
    }

    @Test(arguments: [
        "Content-Type: image/png\r\n", "Content-Type: text/plain\r\nContent-Encoding: deflate\r\n",
        "Content-Type: text/plain\r\nCache-Control: public, no-transform\r\n",
        "Content-Type: text/plain\r\nContent-Range: bytes 0-9/10\r\n",
    ]) func whatIsLeftAlone(_ lines: String) throws {
        let head = try head(Self.request("gzip"), Self.response(lines))
        #expect(head.contains("\r\nContent-Length: ") && !head.contains("Vary"))
        #expect(!head.contains("Content-Encoding: gzip"))
    }

    @Test func partsAreLeftAlone() throws {
        #expect(try !head(Self.request("gzip"), Self.response(status: 206)).contains("gzip"))
    }

    @Test func headsOfHEADSayWhatTheyDependOn() throws {
        let head = try head(
            Self.request("gzip", method: "HEAD"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n")
        #expect(head.contains("Content-Length: 5000\r\n") && head.contains("Vary: Accept-Encoding\r\n"))
        #expect(!head.contains("Content-Encoding"))
    }

    @Test(arguments: [("Vary: Origin\r\n", 2), ("Vary: Origin, accept-encoding\r\n", 1), ("Vary: *\r\n", 1)])
    func varyIsSaidOnce(_ line: String, _ count: Int) throws {
        let head = try head(Self.request("gzip"), Self.response("Content-Type: text/css\r\n" + line))
        #expect(head.split(separator: "Vary:").count == count + 1)
    }

    @Test(arguments: [("\"a\"", false), ("W/\"a\"", true)]) func weakValidatorsStay(_ tag: String, _ stays: Bool) throws
    {
        let response = Self.response().replacing("ETag: \"a\"", with: "ETag: \(tag)")
        #expect(try head(Self.request("gzip"), response).contains("\r\nETag: ") == stays)
    }

    @Test func whatIsSmallStaysAsItIs() throws {
        let offers = [CompressorPlan(.gzip, minContentLength: UInt64(Self.text.utf8.count + 1)), CompressorPlan(.zstd)]
        #expect(try head(Self.request("gzip"), Self.response(), offers).contains("Content-Length: "))
        #expect(try head(Self.request("gzip, zstd"), Self.response(), offers).contains("Content-Encoding: zstd\r\n"))
        let small = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
        let head = try head(Self.request("gzip"), small)
        #expect(head.contains("Content-Length: 2\r\n") && !head.contains("Vary"))
    }

    /// What a backend streams is not held back; its trailers go on.
    @Test func streamsAreFlushed() throws {
        let pass = try FilterPass { $0.traffic.compression = [CompressorPlan(.gzip)] }
        pass.client.send(Self.request("gzip"))
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n")
        pass.harness.expect(pass.client, toReceive: "\r\n\r\n")
        for _ in 0..<5 {
            let before = pass.client.bytes.count
            backend.send("8\r\n{\"a\": 1}\r\n")
            pass.harness.until("a flushed piece") {
                pass.client.receive()
                // A sync flush of deflate ends in an empty stored block (RFC 1951, section 3.2.4).
                return pass.client.bytes.count > before && pass.client.bytes.suffix(6).starts(with: [0, 0, 255, 255])
            }
        }
        backend.send("0\r\nX-T: t\r\n\r\n")
        pass.harness.expect(pass.client, toReceive: "0\r\nX-T: t\r\n\r\n")
        pass.harness.expectNothingUnderWay()
    }

    @Test func aClientThatLeavesGivesItsCompressorBack() throws {
        let pass = try FilterPass { $0.traffic.compression = [CompressorPlan(.gzip)] }
        var leaving: RawSocket? = try pass.harness.connect()
        leaving?.send(Self.request("gzip"))
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        pass.harness.until { pass.harness.total(.responsesCompressed) == 1 }
        leaving?.resetsWhenGone()
        leaving = nil
        pass.harness.until { pass.harness.total(.requestsNow) == 0 }
        pass.harness.expectEnd(backend)
        let body = try #require(pass.harness.worker.compressedBodies.lease(.gzip))
        pass.harness.worker.compressedBodies.giveBack(body)
    }

    @Test func nothingIsAllocatedInTheSteadyState() throws {
        let pass = try FilterPass { $0.traffic.compression = [CompressorPlan(.gzip)] }
        let request = Array(Self.request("gzip").utf8)
        let response = Array(Self.response().utf8)
        pass.client.send(request)
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        while !pass.client.discard() { pass.harness.loop.turn(limit: 1) }
        func exchange() {
            pass.client.send(request)
            pass.harness.loop.turn(limit: 100)
            while !backend.discard() { pass.harness.loop.turn(limit: 1) }
            backend.send(response)
            pass.harness.loop.turn(limit: 100)
            while !pass.client.discard() { pass.harness.loop.turn(limit: 1) }
        }
        for _ in 0..<100 { exchange() }
        pass.harness.passSweep()
        let before = allocation_count()
        for _ in 0..<300 { exchange() }
        #expect(allocation_count() - before == 0)
        #expect(pass.harness.total(.responsesCompressed) == 401)
    }
}
