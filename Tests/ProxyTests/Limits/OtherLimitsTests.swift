import Config
import Core
import Testing
import Upstream

@testable import Proxy

@Suite("BackendTrafficPolicy.bandwidthLimit") struct BandwidthLimitTests {
    /// A response of 96 KiB in 64 KiB a second, of which the first second's worth is there at once.
    @Test(arguments: ["Content-Length: 98304\r\n", "Transfer-Encoding: chunked\r\n"])
    func aResponseTakesItsTime(framing: String) throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    $0.traffic.bandwidthLimit = BandwidthLimitPlan()
                    $0.traffic.bandwidthLimit?.response = 64 * 1024
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        let body = [UInt8](repeating: 0x61, count: 98304)
        let isChunked = framing.hasPrefix("T")
        backend.send("HTTP/1.1 200 OK\r\n\(framing)\r\n" + (isChunked ? "18000\r\n" : ""))
        var sent = 0
        let end = Array((isChunked ? "\r\n0\r\n\r\n" : "").utf8)
        let all = body + end
        let begin = harness.loop.now
        harness.until("the whole body") {
            if sent < all.count { sent += backend.send(Array(all[sent...])) }
            client.receive()
            return client.bytes.count { $0 == 0x61 } >= body.count
        }
        let taken = (harness.loop.now - begin).milliseconds
        #expect((400...1500).contains(taken), "\(taken) ms")
        harness.settle()
        harness.expectNothingUnderWay()
    }

    @Test func aRequestTakesItsTime() throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    $0.traffic.bandwidthLimit = BandwidthLimitPlan()
                    $0.traffic.bandwidthLimit?.request = 64 * 1024
                }
            ])
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 98304\r\n\r\n")
        let body = [UInt8](repeating: 0x62, count: 98304)
        var sent = 0
        let backend = try harness.acceptBackend()
        let begin = harness.loop.now
        harness.until("the whole body") {
            if sent < body.count { sent += client.send(Array(body[sent...])) }
            backend.receive()
            return backend.bytes.count { $0 == 0x62 } >= body.count
        }
        let taken = (harness.loop.now - begin).milliseconds
        #expect((400...1500).contains(taken), "\(taken) ms")
        backend.send(ExchangeTests.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
    }
}

@Suite("BackendTrafficPolicy.admissionControl, through a worker") struct AdmissionControlExchangeTests {
    private func site(_ change: (inout AdmissionControlPlan) -> Void = { _ in }) throws -> LimitedSite {
        var plan = AdmissionControlPlan()
        plan.samplingWindow = .seconds(3600)
        change(&plan)
        let site = try LimitedSite { $0.admissionControl = plan }
        site.harness.worker.random = SeededRandom(seed: 3)
        return site
    }

    private static let failure = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"

    @Test func failuresAreAnsweredByRefusals() throws {
        let site = try site()
        for _ in 0..<60 { try site.ask(answer: Self.failure) }
        let refused = site.harness.total(.admissionRejected)
        // With nothing but failures eight of ten are refused in the end.
        #expect((25...55).contains(refused), "\(refused)")
        #expect(site.harness.statistics.requests(.upstreamOverflow) == refused)
        site.harness.expectNothingUnderWay()
    }

    @Test func successesAreNot() throws {
        let site = try site()
        #expect(try site.passed() == 10)
        // A 404 speaks of the client.
        for _ in 0..<30 { try site.ask(answer: "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") }
        #expect(site.harness.total(.admissionRejected) == 0)
    }

    @Test func whatASuccessIsCanBeSaid() throws {
        let site = try site {
            $0.httpSuccesses = StatusSet()
            $0.httpSuccesses.insert(500)
        }
        for _ in 0..<30 { try site.ask(answer: Self.failure) }
        #expect(site.harness.total(.admissionRejected) == 0)
        for _ in 0..<60 { try site.ask() }
        #expect(site.harness.total(.admissionRejected) > 10)
    }
}

@Suite("Adaptive concurrency, through a worker") struct AdaptiveConcurrencyExchangeTests {
    @Test func oneTooManyIsAnswered503() throws {
        var plan = AdaptiveConcurrencyPlan()
        plan.minConcurrency = 2
        let harness = try WorkerHarness(rules: [WorkerHarness.rule { $0.traffic.adaptiveConcurrency = plan }])
        let clients = try (0..<3).map { _ in try harness.connect() }
        var backends: [RawSocket] = []
        for client in clients.prefix(2) {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            backends.append(try harness.acceptBackend())
            harness.expect(backends[backends.count - 1], toReceive: "\r\n\r\n")
        }
        clients[2].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(clients[2], toReceive: "\r\n\r\n")
        #expect(clients[2].received.hasPrefix("HTTP/1.1 503 "))
        #expect(harness.total(.concurrencyRejected) == 1)
        backends[0].send(ExchangeTests.ok)
        harness.expect(clients[0], toReceive: "\r\n\r\nhi")
        clients[2].forget()
        clients[2].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.expect(backends[0], toReceive: "\r\n\r\n")
        harness.until("the request to go up") {
            backends[0].receive()
            return backends[0].received.ranges(of: "GET / ").count == 2
        }
        // A client that goes gives its place back, too.
        backends[0].send(ExchangeTests.ok)
        harness.expect(clients[2], toReceive: "\r\n\r\nhi")
        clients[1].resetsWhenGone()
        backends[1].send(ExchangeTests.ok)
        harness.expect(clients[1], toReceive: "\r\n\r\nhi")
        harness.expectNothingUnderWay()
    }
}
