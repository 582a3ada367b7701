import AllocationCount
import Config
import Core
import HTTP
import Telemetry
import Testing
import Upstream

@testable import Proxy

/// A listener under a ClientTrafficPolicy: what it does to connections and requests.
@Suite struct ClientPolicyTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-From: b\r\nServer: s\r\n\r\nhi"
    static let get = "GET /p HTTP/1.1\r\nHost: a\r\n\r\n"

    private static func harness(
        rules: [RulePlan]? = nil, _ change: (inout ClientTrafficPlan) -> Void
    ) throws -> WorkerHarness {
        let harness = try WorkerHarness(rules: rules)
        try harness.publish(rules: rules) { change(&$0.sockets[0].listeners[0].client) }
        return harness
    }

    /// Sends `request` and answers with `response`; both heads as their receivers saw them.
    private func pass(
        _ request: String, _ response: String = ClientPolicyTests.ok, rules: [RulePlan]? = nil,
        _ change: (inout ClientTrafficPlan) -> Void
    ) throws -> (up: String, down: String) {
        let harness = try Self.harness(rules: rules, change)
        let client = try harness.connect()
        client.send(request)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\n")
        harness.expectNothingUnderWay()
        return (backend.received, client.received)
    }

    /// What the gateway answers itself.
    private func answer(_ request: String, _ change: (inout ClientTrafficPlan) -> Void) throws -> String {
        let harness = try Self.harness(change)
        let client = try harness.connect()
        client.send(request)
        harness.expect(client, toReceive: "\r\n\r\n")
        harness.expectNothingUnderWay()
        return client.received
    }

    // MARK: heads

    @Test func earlyEditsAreSeenByRoutesAndBackends() throws {
        var rule = WorkerHarness.rule("/")
        rule.matches[0].headers = [ValueMatchPlan(name: "x-tier", kind: .exact, value: "gold")]
        let (up, _) = try pass(
            "GET /p HTTP/1.1\r\nX-Secret: s\r\nHost: a\r\nX-Old-1: 1\r\nX-Keep: k\r\nX-Add: first\r\nX-There: t\r\n\r\n",
            rules: [rule]
        ) { plan in
            plan.earlyRequestHeaders.additions = [
                .init(.add, name: "X-Add", value: "second"), .init(.set, name: "X-Tier", value: "gold"),
                .init(.addIfAbsent, name: "X-There", value: "no"), .init(.addIfAbsent, name: "X-New", value: "yes"),
                .init(.add, name: "X-Secret", value: "again"),
            ]
            plan.earlyRequestHeaders.removals = ["x-secret"]
            plan.earlyRequestHeaders.removalMatches = [TextMatchPlan(kind: .regularExpression, value: "x-old-[0-9]+")]
        }
        #expect(
            up.contains("X-Keep: k\r\nX-Add: first\r\nX-There: t\r\nX-Add: second\r\nX-Tier: gold\r\nX-New: yes\r\n"))
        #expect(!up.contains("Secret") && !up.contains("X-Old") && !up.contains("X-There: no"))
        #expect(up.hasPrefix("GET /p HTTP/1.1\r\nHost: a\r\n"))
    }

    @Test func hostMayBeSetBeforeRouting() throws {
        let (up, _) = try pass("GET /p HTTP/1.1\r\nHost: a:81\r\nX: 1\r\n\r\n") {
            $0.earlyRequestHeaders.additions = [.init(.set, name: "host", value: "other.example:82")]
        }
        #expect(up.hasPrefix("GET /p HTTP/1.1\r\nHost: other.example:82\r\nX: 1\r\n"))
        #expect(up.contains("X-Forwarded-Host: other.example:82\r\n"))
    }

    @Test func whatHoldsTheMessageTogetherIsLeftAlone() throws {
        let (up, _) = try pass("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc") {
            $0.earlyRequestHeaders.removalMatches = [TextMatchPlan(kind: .regularExpression, value: ".*")]
        }
        #expect(up.contains("Host: a\r\nContent-Length: 3\r\n"))
    }

    @Test func lateEditsConcernEveryResponse() throws {
        let edit: (inout ClientTrafficPlan) -> Void = { plan in
            plan.lateResponseHeaders.additions = [
                .init(.set, name: "Server", value: "mine"), .init(.add, name: "X-Late", value: "1"),
                .init(.addIfAbsent, name: "X-From", value: "nobody"),
            ]
            plan.lateResponseHeaders.removalMatches = [TextMatchPlan(kind: .prefix, value: "x-int")]
            plan.lateResponseHeaders.removals = ["content-length"]
        }
        let (_, down) = try pass(
            Self.get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Int-A: 1\r\nX-From: b\r\nServer: s\r\n\r\nhi", edit)
        #expect(down.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-From: b\r\n"))
        #expect(down.contains("Server: mine\r\nX-Late: 1\r\n\r\nhi") && !down.contains("X-Int"))

        let own = try answer("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", edit)
        #expect(own.hasPrefix("HTTP/1.1 400 ") && own.contains("Server: mine\r\nX-Late: 1\r\nX-From: nobody\r\n\r\n"))
        #expect(!own.contains("server: sluice") && own.hasSuffix("\n"))
    }

    @Test func underscores() throws {
        let request = "GET /p HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.2.3.4\r\nX-B: 2\r\n\r\n"
        #expect(try pass(request) { $0.healthCheckPath = "/h" }.up.contains("X_Forwarded_For: 1.2.3.4\r\n"))
        let dropped = try pass(request) { $0.request.withUnderscoresAction = .dropHeader }.up
        #expect(!dropped.contains("X_") && dropped.contains("X-B: 2\r\n"))
        #expect(try answer(request) { $0.request.withUnderscoresAction = .rejectRequest }.hasPrefix("HTTP/1.1 400 "))
    }

    @Test(
        arguments: [
            (ClientRequestPlan.RequestID.preserveOrGenerate, "abc", "abc"), (.preserveOrGenerate, nil, "*"),
            (.preserve, "abc", "abc"), (.preserve, nil, nil), (.generate, "abc", "*"), (.generate, nil, "*"),
            (.disable, "abc", nil), (.disable, nil, nil),
        ] as [(ClientRequestPlan.RequestID, String?, String?)])
    func requestIDs(_ mode: ClientRequestPlan.RequestID, _ sent: String?, _ expected: String?) throws {
        let line = sent.map { "X-Request-Id: \($0)\r\n" } ?? ""
        let up = try pass("GET /p HTTP/1.1\r\nHost: a\r\n\(line)\r\n") {
            $0.request.requestID = mode
            $0.healthCheckPath = "/h"
        }.up
        let found = up.split(separator: "\r\n").first { $0.hasPrefix("X-Request-Id: ") }?.dropFirst(14)
        switch expected {
        case nil: #expect(found == nil)
        case "*": #expect(found?.utf8.count == RequestIDGenerator.octets)
        case let id?: #expect(found == id[...])
        }
    }

    @Test func aHostLosesItsDot() throws {
        let plan: (inout ClientTrafficPlan) -> Void = { $0.request.stripsTrailingHostDot = true }
        #expect(
            try pass("GET /p HTTP/1.1\r\nHost: a.b.:443\r\n\r\n", Self.ok, plan).up.hasPrefix(
                "GET /p HTTP/1.1\r\nHost: a.b:443\r\n"))
        #expect(
            try pass("GET /p HTTP/1.1\r\nHost: a.b.\r\n\r\n", Self.ok, plan).up.hasPrefix(
                "GET /p HTTP/1.1\r\nHost: a.b\r\n"))
        #expect(
            try pass("GET /p HTTP/1.1\r\nHost: a.b\r\n\r\n", Self.ok, plan).up.hasPrefix(
                "GET /p HTTP/1.1\r\nHost: a.b\r\n"))
    }

    @Test func envoyFieldsAreTheGateways() throws {
        let (up, down) = try pass(
            "GET /p HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 8.8.8.8\r\nX-Envoy-External-Address: 1.1.1.1\r\nX-Envoy-Forged: 1\r\n\r\n"
        ) {
            $0.request.enablesEnvoyHeaders = true
            $0.clientIP.method = .trustedHops
            $0.clientIP.numTrustedHops = 1
        }
        #expect(
            up.contains("X-Envoy-External-Address: 8.8.8.8\r\n") && !up.contains("Forged") && !up.contains("1.1.1.1"))
        #expect(down.contains("X-Envoy-Upstream-Service-Time: "))
    }

    @Test func oldRequestsGetAHost() throws {
        let (up, _) = try pass("GET /p HTTP/1.0\r\nX: 1\r\n\r\n") { $0.defaultHost = "www.example.com" }
        #expect(up.hasPrefix("GET /p HTTP/1.1\r\nHost: www.example.com\r\nX: 1\r\n"))
        #expect(
            try pass("GET /p HTTP/1.0\r\nHost: own\r\n\r\n") { $0.defaultHost = "www.example.com" }.up
                .contains("Host: own\r\n"))
    }

    @Test func anUpgradeCanBeIgnored() throws {
        let request =
            "GET /p HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
        let (up, down) = try pass(request) {
            $0.ignoredUpgradeTypes = [TextMatchPlan(kind: .suffix, value: "socket")]
        }
        #expect(!up.contains("Upgrade:") && !up.contains("Connection:"))
        #expect(down.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    // MARK: paths

    @Test(arguments: [
        (EscapedSlashesAction.keepUnchanged, "/a%2Fb//c", true, "/a%2Fb/c"),
        (.unescapeAndForward, "/a%2Fb//c", false, "/a/b//c"), (.unescapeAndForward, "/a%5cb", true, "/a/b"),
    ]) func pathsThatPass(_ action: EscapedSlashesAction, _ path: String, _ merges: Bool, _ seen: String) throws {
        let (up, _) = try pass("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n") {
            $0.request.escapedSlashesAction = action
            $0.request.mergesSlashes = merges
        }
        #expect(up.hasPrefix("GET \(seen) HTTP/1.1\r\n"))
    }

    @Test func pathsThatDoNot() throws {
        let path = "GET /a%2Fb//c HTTP/1.1\r\nHost: a\r\n\r\n"
        let refused = try answer(path) { $0.request.escapedSlashesAction = .rejectRequest }
        #expect(refused.hasPrefix("HTTP/1.1 400 "))
        let redirected = try answer(path) { $0.request.mergesSlashes = false }
        #expect(redirected.hasPrefix("HTTP/1.1 307 ") && redirected.contains("location: /a/b//c\r\n"))
    }

    // MARK: whose request it is

    @Test(
        arguments: [
            ("10.0.0.1, 10.0.0.2", true, "10.0.0.1, 10.0.0.2, 127.0.0.1"), ("", true, "127.0.0.1"),
            ("10.0.0.1", false, "10.0.0.1"), ("", false, nil),
        ] as [(String, Bool, String?)])
    func forwardedFor(_ sent: String, _ appends: Bool, _ expected: String?) throws {
        let line = sent.isEmpty ? "" : "X-Forwarded-For: \(sent)\r\n"
        let (up, _) = try pass("GET /p HTTP/1.1\r\nHost: a\r\n\(line)\r\n") {
            $0.healthCheckPath = "/h"
            $0.clientIP.appendsForwardedFor = appends
        }
        let found = up.split(separator: "\r\n").first { $0.hasPrefix("X-Forwarded-For: ") }?.dropFirst(17)
        #expect(found.map(String.init) == expected)
    }

    @Test func whoCannotBeToldIsRefused() throws {
        let closed: (inout ClientTrafficPlan) -> Void = {
            $0.clientIP.method = .customHeader
            $0.clientIP.headerName = "x-real"
            $0.clientIP.failsClosed = true
        }
        #expect(try answer(Self.get, closed).hasPrefix("HTTP/1.1 403 "))
        #expect(try answer("GET /p HTTP/1.1\r\nHost: a\r\nX-Real: nonsense\r\n\r\n", closed).hasPrefix("HTTP/1.1 403 "))
        #expect(
            try pass("GET /p HTTP/1.1\r\nHost: a\r\nX-Real: 9.9.9.9\r\n\r\n", Self.ok, closed).down.hasPrefix(
                "HTTP/1.1 200"))
        #expect(
            try pass(Self.get) {
                closed(&$0)
                $0.clientIP.failsClosed = false
            }.down.hasPrefix("HTTP/1.1 200"))
    }

    // MARK: the listener's own answers

    @Test func itSaysHowItIs() throws {
        let harness = try Self.harness { $0.healthCheckPath = "/healthz" }
        let client = try harness.connect()
        client.send("GET /healthz HTTP/1.1\r\nHost: nobody\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 200 OK\r\n")
        client.forget()
        // A connection that is busy when a drain begins is served on; here the request is on its way.
        client.send("GET /healthz HTTP/1.1\r\n")
        harness.settle()
        harness.worker.drain {}
        client.send("Host: nobody\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 503 ")
    }

    @Test func aPolicyThatCannotBeAppliedIs500() throws {
        #expect(try answer(Self.get) { $0.isInvalid = true }.hasPrefix("HTTP/1.1 500 "))
    }

    @Test func headsHaveTheirLimit() throws {
        let answer = try answer("GET /p HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 1024))\r\n\r\n") {
            $0.connection.maxRequestHeader = 1024
        }
        #expect(answer.hasPrefix("HTTP/1.1 431 "))
    }

    // MARK: connections

    @Test func aConnectionBringsSoManyRequests() throws {
        let harness = try Self.harness { $0.connection.maxRequestsPerConnection = 2 }
        let client = try harness.connect()
        client.send(Self.get)
        let backend = try harness.acceptBackend()
        for isLast in [false, true] {
            harness.expect(backend, toReceive: "\r\n\r\n")
            backend.forget()
            backend.send(Self.ok)
            harness.expect(client, toReceive: "\r\n\r\nhi")
            #expect(client.received.contains("Connection: close\r\n") == isLast)
            client.forget()
            if !isLast { client.send(Self.get) }
        }
        client.finish()
        harness.expectEnd(client)
    }

    @Test(arguments: [false, true]) func aConnectionLastsSoLong(closesAtDuration: Bool) throws {
        let harness = try Self.harness {
            $0.connection.maxConnectionDuration = .milliseconds(100)
            $0.connection.closesAtDuration = closesAtDuration
        }
        let client = try harness.connect()
        client.send(Self.get)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(!client.received.contains("Connection: close"))
        if closesAtDuration { return harness.expectEnd(client) }
        let begin = harness.loop.now
        harness.until("the end of its time") { harness.loop.now - begin > .milliseconds(120) }
        client.receive()
        #expect(!client.ended)
        backend.forget()
        client.forget()
        client.send(Self.get)
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(Self.ok)
        harness.expect(client, toReceive: "Connection: close\r\n")
    }

    @Test func aListenerHasSoManyConnections() throws {
        let harness = try Self.harness {
            $0.connection.connectionLimit = 2
            $0.connection.closeDelay = .milliseconds(100)
        }
        let first = try harness.connect()
        do {
            // One that has come and gone does not count.
            let passing = try harness.connect()
            harness.until("two") { harness.total(.downstreamConnectionsNow) == 2 }
            passing.finish()
            harness.until("one") { harness.total(.downstreamConnectionsNow) == 1 }
        }
        let second = try harness.connect()
        harness.until("two") { harness.total(.downstreamConnectionsNow) == 2 }
        let third = try harness.connect()
        harness.until("a refusal") { harness.total(.connectionLimitRefusals) == 1 }
        third.receive()
        #expect(!third.ended)
        harness.expectEnd(third)
        #expect(third.bytes.isEmpty)
        for client in [first, second] {
            client.receive()
            #expect(!client.ended)
        }
        #expect(harness.worker.refusals.count == 0)
    }

    @Test func trailersCanBeDropped() throws {
        let request =
            "POST /p HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: up\r\n\r\n"
        for passes in [true, false] {
            let harness = try Self.harness {
                $0.connection.passesTrailers = passes
                $0.healthCheckPath = "/h"
            }
            let client = try harness.connect()
            client.send(request)
            let backend = try harness.acceptBackend()
            harness.expect(backend, toReceive: "\r\n0\r\n")
            backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\nX-T: down\r\n\r\n")
            harness.expect(client, toReceive: "\r\n0\r\n")
            harness.settle()
            backend.receive()
            client.receive()
            #expect(backend.received.contains("X-T: up\r\n") == passes)
            #expect(client.received.contains("X-T: down\r\n") == passes)
        }
    }

    // MARK: time

    @Test func aRequestMustComeInTime() throws {
        let harness = try Self.harness { $0.request.receivedTimeout = TimeoutPlan(.milliseconds(100)) }
        let client = try harness.connect()
        client.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        harness.expect(client, toReceive: "HTTP/1.1 408 ")
        #expect(harness.statistics.requests(.durationTimeout) == 1)
        harness.expectNothingUnderWay()
    }

    @Test func aRequestThatCameMayTakeItsTime() throws {
        let harness = try Self.harness { $0.request.receivedTimeout = TimeoutPlan(.milliseconds(50)) }
        let client = try harness.connect()
        client.send(Self.get)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        let begin = harness.loop.now
        harness.until("some time") { harness.loop.now - begin > .milliseconds(100) }
        backend.send(Self.ok)
        harness.expect(client, toReceive: "HTTP/1.1 200 OK")
    }

    @Test func aStreamLastsSoLong() throws {
        let harness = try Self.harness { $0.request.maxStreamDuration = TimeoutPlan(.milliseconds(100)) }
        let client = try harness.connect()
        client.send(Self.get)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        harness.expect(client, toReceive: "\r\n\r\nx")
        harness.expectEnd(client)
        #expect(client.wasReset)
        #expect(harness.statistics.requests(.durationTimeout) == 1)
    }

    @Test func silenceHasItsLimit() throws {
        let harness = try Self.harness { $0.request.streamIdleTimeout = TimeoutPlan(.milliseconds(60)) }
        let client = try harness.connect()
        client.send(Self.get)
        let backend = try harness.acceptBackend()
        harness.expect(client, toReceive: "HTTP/1.1 504 ")
        #expect(harness.statistics.requests(.streamIdleTimeout) == 1)
        harness.expectEnd(backend)
    }

    @Test func idleConnectionsGo() throws {
        let harness = try Self.harness { $0.connection.idleTimeout = TimeoutPlan(.milliseconds(60)) }
        let client = try harness.connect()
        harness.expectEnd(client)
    }

    // MARK: what it costs

    /// No policy, nothing to pay: not one allocation, and the record of the socket is all that is asked.
    @Test func withoutAPolicyNothingIsAsked() throws {
        let harness = try WorkerHarness()
        let configuration = try #require(harness.worker.configuration)
        #expect(!configuration.managesClients)
        let header = configuration.snapshot.header
        #expect(!configuration.snapshot[header.pointee.sockets, 0].pointee.client.hasPolicies)
        #expect(configuration.snapshot[header.pointee.listeners, 0].pointee.client.isEmpty)
    }

    /// With every kind of edit a thousand exchanges allocate nothing once the memory is there.
    @Test func aThousandEditedExchangesAllocateNothing() throws {
        let harness = try Self.harness { plan in
            plan.earlyRequestHeaders.additions = [
                .init(.set, name: "X-A", value: "1"), .init(.add, name: "X-B", value: "2"),
            ]
            plan.earlyRequestHeaders.removalMatches = [TextMatchPlan(kind: .prefix, value: "x-drop")]
            plan.lateResponseHeaders.additions = [.init(.set, name: "Server", value: "mine")]
            plan.clientIP.method = .trustedHops
            plan.clientIP.numTrustedHops = 1
            plan.request.withUnderscoresAction = .dropHeader
        }
        let request = Array("GET /p HTTP/1.1\r\nHost: a\r\nX-Drop-1: x\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n".utf8)
        let response = Array(Self.ok.utf8)
        let client = try harness.connect()
        client.send(request)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        func exchange() {
            client.send(request)
            while !backend.discard() { harness.loop.turn(limit: 1) }
            backend.send(response)
            while !client.discard() { harness.loop.turn(limit: 1) }
        }
        for _ in 0..<200 { exchange() }
        harness.passSweep()
        for _ in 0..<200 { exchange() }
        let before = allocation_count()
        for _ in 0..<1000 { exchange() }
        #expect(allocation_count() - before == 0)
    }
}
