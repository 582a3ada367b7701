import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// Attempts that a policy asks for (BackendTrafficPolicy `retry`).
@Suite struct RetryTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    private static func rule(
        _ triggers: RetryTriggers, codes: [UInt16] = [503], attempts: Int = 2,
        _ change: (inout RulePlan) -> Void = { _ in }
    ) -> RulePlan {
        WorkerHarness.rule {
            $0.traffic.retry = PolicyRetryPlan(
                retry: RetryPlan(
                    triggers: triggers, codes: codes, attempts: attempts,
                    backOff: RetryBackOff(base: .milliseconds(2))))
            change(&$0)
        }
    }

    private static func answer(_ status: Int, _ fields: String = "") -> String {
        "HTTP/1.1 \(status) Status\r\n\(fields)Content-Length: 4\r\n\r\nbody"
    }

    @Test(
        arguments: [
            (.serverError, answer(500), true), (.serverError, answer(499), false),
            (.gatewayError, answer(500), false), (.gatewayError, answer(502), true),
            (.retriable4xx, answer(409), true), (.retriable4xx, answer(404), false),
            (.retriableStatusCodes, answer(503), true), (.retriableStatusCodes, answer(500), false),
            (.unavailable, answer(200, "Content-Type: application/grpc\r\ngrpc-status: 14\r\n"), true),
            (.unavailable, answer(200, "Content-Type: application/grpc\r\ngrpc-status: 13\r\n"), false),
            (.internalError, answer(200, "Content-Type: application/grpc\r\nGrpc-Status: 13\r\n"), true),
            ([.reset, .connectFailure, .refusedStream], answer(503), false),
        ] as [(RetryTriggers, String, Bool)])
    func responses(_ triggers: RetryTriggers, _ response: String, _ isRetried: Bool) throws {
        let harness = try WorkerHarness(rules: [Self.rule(triggers)])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.forget()
        backend.send(response)
        if isRetried {
            harness.expect(backend, toReceive: "GET / ")
            backend.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
        } else {
            harness.expect(client, toReceive: "\r\n\r\nbody")
        }
        #expect(harness.total(.upstreamRetries) == (isRetried ? 1 : 0))
        harness.expectNothingUnderWay()
    }

    @Test(
        arguments: [(.reset, true), (.serverError, true), (.resetBeforeRequest, false), (.connectFailure, false)]
            as [(RetryTriggers, Bool)])
    func aConnectionThatDies(_ triggers: RetryTriggers, _ isRetried: Bool) throws {
        let harness = try WorkerHarness(rules: [Self.rule(triggers)])
        let client = try harness.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        var backend: RawSocket? = try harness.acceptBackend()
        harness.expect(try #require(backend), toReceive: "\r\n\r\nabc")
        backend = nil
        if isRetried {
            let second = try harness.acceptBackend()
            harness.expect(second, toReceive: "\r\n\r\nabc")
            second.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            #expect(harness.total(.retriesOfResets) == 1)
        } else {
            harness.expect(client, toReceive: "HTTP/1.1 503 ")
        }
        harness.expectNothingUnderWay()
    }

    @Test func theAttemptsNumberGoesUp() throws {
        let harness = try WorkerHarness(rules: [Self.rule(.serverError)])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Envoy-Attempt-Count: 77\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "X-Envoy-Attempt-Count: 1\r\n")
        harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(!backend.received.contains("Count: 77"))
        backend.forget()
        backend.send(Self.answer(500))
        harness.expect(backend, toReceive: "X-Envoy-Attempt-Count: 2\r\n")
        backend.forget()
        backend.send(Self.answer(500))
        harness.expect(backend, toReceive: "X-Envoy-Attempt-Count: 3\r\n")
        backend.send(Self.answer(500))
        harness.expect(client, toReceive: "\r\n\r\nbody")
        #expect(harness.statistics.requests(.upstreamRetryLimitExceeded) == 1)
    }

    /// Where no attempt but the first is asked for, the field is the client's.
    @Test func withoutAPolicyNothingIsCounted() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Envoy-Attempt-Count: 77\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "X-Envoy-Attempt-Count: 77\r\n")
    }

    @Test func aFifthOfTheRequestsIsAskedAgain() throws {
        let harness = try WorkerHarness(rules: [Self.rule(.serverError)])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        var asked = 0
        for request in 0..<600 {
            if request > 0 { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
            client.forget()
            harness.until("an answer") {
                backend.receive()
                if backend.received.hasSuffix("\r\n\r\n") {
                    asked += 1
                    backend.forget()
                    backend.send(Self.answer(503))
                }
                client.receive()
                return client.received.hasSuffix("body")
            }
        }
        #expect(asked == 720)
        #expect(harness.total(.retryBudgetExhausted) > 0)
    }

    @Test func retryAfterIsObeyed() throws {
        let harness = try WorkerHarness(rules: [Self.rule(.serverError)])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.forget()
        let asked = harness.loop.now
        backend.send(Self.answer(503, "Retry-After: 1\r\n"))
        harness.expect(backend, toReceive: "GET / ")
        #expect(harness.loop.now - asked >= .milliseconds(990))
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
    }

    /// The client gets the answer that says so, at once.
    @Test(arguments: ["10", "31", "Fri, 31 Dec 9999 23:59:59 GMT"]) func whatWouldBeTooLateIsNotWaitedFor(wait: String)
        throws
    {
        let harness = try WorkerHarness(
            rules: [Self.rule(.serverError) { if wait == "10" { $0.requestTimeout = .seconds(10) } }])
        let client = try harness.connect()
        let begun = harness.loop.now
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.answer(503, "Retry-After: \(wait)\r\n"))
        harness.expect(client, toReceive: "Retry-After: \(wait)\r\n")
        #expect(harness.loop.now - begun < .seconds(9))
        #expect(harness.total(.upstreamRetries) == 0)
    }

    /// Whatever chance makes of a back-off: past the request's deadline there is one answer.
    @Test func aBackOffPastTheDeadlineEndsThere() throws {
        let harness = try WorkerHarness(
            rules: [
                Self.rule(.serverError) {
                    $0.retry = RetryPlan(codes: [500], attempts: 1, backoff: .seconds(20))
                    $0.requestTimeout = .milliseconds(100)
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.answer(500))
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
    }

    /// The route's own word goes before the policy's.
    @Test func aRoutesRetryReplacesThePolicys() throws {
        let harness = try WorkerHarness(
            rules: [Self.rule(.serverError) { $0.retry = RetryPlan(codes: [418], attempts: 1, backoff: .zero) }])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.answer(500))
        harness.expect(client, toReceive: "HTTP/1.1 500 ")
        #expect(harness.total(.upstreamRetries) == 0)
    }

    // MARK: timeouts say who set them

    @Test(
        arguments: [
            ("spec.timeout.http.requestTimeout of BackendTrafficPolicy 'default/x' (x.yaml:12)", UInt16(504)),
            ("spec.timeout.http.streamIdleTimeout of BackendTrafficPolicy 'default/x' (x.yaml:12)", 504),
            ("spec.timeout.http.maxStreamDuration of BackendTrafficPolicy 'default/x' (x.yaml:12)", 504),
            ("spec.retry.perRetry.timeout of BackendTrafficPolicy 'default/x' (x.yaml:12)", 504),
        ])
    func aTimeoutNamesItsField(origin: String, status: UInt16) throws {
        let limit = TimeLimit(.milliseconds(120), origin: origin)
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule {
                    if origin.contains("requestTimeout") { $0.traffic.timeouts.request = limit }
                    if origin.contains("streamIdle") { $0.traffic.timeouts.streamIdle = limit }
                    if origin.contains("maxStream") { $0.traffic.timeouts.maxStreamDuration = limit }
                    if origin.contains("perRetry") {
                        $0.traffic.retry = PolicyRetryPlan(
                            retry: RetryPlan(triggers: .connectFailure, attempts: 1), attemptTimeout: limit)
                    }
                }
            ])
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 \(status) ")
        harness.expect(client, toReceive: "\r\n\r\nupstream timed out: \(origin) after 120ms\n")
        harness.expectNothingUnderWay()
    }

    @Test func aRoutesTimeoutNamesItsRoute() throws {
        let harness = try WorkerHarness()
        try harness.publish(rules: [WorkerHarness.rule { $0.requestTimeout = .milliseconds(120) }]) {
            $0.files = ["a.yaml"]
            $0.routes[0].rules[0].timeoutsPosition = SourcePosition(file: 0, line: 7, column: 3)
        }
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        harness.expect(
            client,
            toReceive: "timed out: spec.rules[0].timeouts.request of HTTPRoute 'default/test' (a.yaml:7) after 120ms\n")
    }
}
