import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// A second attempt at another endpoint while the first is slow (`sluice.dev/hedge`).
@Suite struct HedgeTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private func harness(_ change: (inout RulePlan) -> Void = { _ in }) throws -> WorkerHarness {
        try WorkerHarness(
            backends: 2,
            rules: [
                WorkerHarness.rule {
                    $0.traffic.hedge = HedgePlan(delay: .milliseconds(30))
                    change(&$0)
                }
            ], clusters: [[0, 1]])
    }

    /// Which of the two backends is asked next, and on which connection.
    private func attempt(_ harness: WorkerHarness) throws -> (backend: Int, socket: RawSocket) {
        var found: (Int, RawSocket)?
        try harness.until("an attempt") {
            for index in 0..<2 {
                if let socket = try harness.tryAcceptBackend(index) { found = (index, socket) }
            }
            return found != nil
        }
        let (index, socket) = try #require(found)
        harness.expect(socket, toReceive: "\r\n\r\n")
        return (index, socket)
    }

    @Test(arguments: [true, false]) func theFirstHeadWins(hedgeIsFaster: Bool) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try attempt(harness)
        let second = try attempt(harness)
        #expect(first.backend != second.backend)
        #expect(first.socket.received.contains("X-Envoy-Attempt-Count: 1\r\n"))
        #expect(second.socket.received.contains("X-Envoy-Attempt-Count: 2\r\n"))
        let (winner, loser) = hedgeIsFaster ? (second.socket, first.socket) : (first.socket, second.socket)
        winner.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectEnd(loser)
        #expect(harness.total(.hedges) == 1)
        #expect(harness.total(.hedgesWon) == (hedgeIsFaster ? 1 : 0))
        harness.expectNothingUnderWay()
        // The winner's connection is whole, and kept.
        winner.forget()
        client.forget()
        #expect(harness.total(.upstreamPooledNow) == 1)
    }

    @Test func aBodyThatIsKeptIsSentTwice() throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        let first = try attempt(harness)
        let second = try attempt(harness)
        harness.expect(second.socket, toReceive: "\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        second.socket.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        // Its end would be the backend's, and the exchange's too.
        withExtendedLifetime(first) { harness.expectNothingUnderWay() }
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
    ])
    func whatCannotBeRepeatedIsNot(request: String) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send(request)
        let first = try attempt(harness)
        let begun = harness.loop.now
        while harness.loop.now - begun < .milliseconds(80) { harness.loop.turn(limit: 5) }
        #expect(harness.total(.hedges) == 0)
        first.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        harness.expect(client, toReceive: "\r\n\r\nhi")
    }

    /// Whoever is left is waited for.
    @Test(arguments: [true, false]) func oneThatDiesLeavesTheOther(firstDies: Bool) throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var first: RawSocket? = try attempt(harness).socket
        var second: RawSocket? = try attempt(harness).socket
        if firstDies { first = nil } else { second = nil }
        harness.settle()
        (first ?? second)?.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        harness.expectNothingUnderWay()
    }

    @Test func bothDyingIsA503() throws {
        let harness = try harness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var first: RawSocket? = try attempt(harness).socket
        var second: RawSocket? = try attempt(harness).socket
        #expect(first != nil && second != nil)
        first = nil
        harness.settle()
        second = nil
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
        harness.expectNothingUnderWay()
    }

    /// A response that would be asked for again does not win while the other attempt may do better.
    @Test(arguments: [true, false]) func aRetriableResponseDoesNotWin(isHedges: Bool) throws {
        let harness = try harness {
            $0.traffic.retry = PolicyRetryPlan(retry: RetryPlan(triggers: .serverError, attempts: 1))
        }
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try attempt(harness).socket
        let second = try attempt(harness).socket
        (isHedges ? second : first).send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        harness.settle()
        (isHedges ? first : second).send(Self.ok)
        harness.expect(client, toReceive: "HTTP/1.1 200 OK\r\n")
        harness.expectNothingUnderWay()
    }

    @Test func theRequestsTimeEndsBoth() throws {
        let harness = try harness { $0.requestTimeout = .milliseconds(150) }
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try attempt(harness).socket
        let second = try attempt(harness).socket
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
        harness.expectEnd(first)
        harness.expectEnd(second)
        harness.expectNothingUnderWay()
    }

    /// Hedges are in the budget of retries: few requests have a hundred in ten seconds.
    @Test func aHedgeIsTakenFromTheBudget() throws {
        let harness = try harness { $0.traffic.hedge = HedgePlan(delay: .milliseconds(2)) }
        let client = try harness.connect()
        for number in 1...120 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            var sockets: [RawSocket] = []
            var isAnswered = false
            try harness.until("an answer") {
                for index in 0..<2 {
                    if let socket = try harness.tryAcceptBackend(index) { sockets.append(socket) }
                }
                // Hedged, or not, for want of a budget.
                let decided = harness.total(.hedges) + harness.total(.retryBudgetExhausted)
                if decided == UInt64(number), !isAnswered, let first = sockets.first {
                    isAnswered = true
                    first.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
                }
                client.receive()
                return client.received.contains("\r\n\r\nhi")
            }
            client.forget()
            if harness.total(.retryBudgetExhausted) > 0 { break }
        }
        #expect(harness.total(.hedges) == 100)
        #expect(harness.total(.retryBudgetExhausted) == 1)
        harness.expectNothingUnderWay()
    }
}
