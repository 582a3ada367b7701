import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// What becomes of heads on their way: forwarding fields, limits, interim responses, and the filters.
@Suite struct HeadTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-From: b\r\n\r\nhi"

    /// Sends `request`, answers with `response`; returns both heads as their receivers saw them.
    private func pass(
        _ request: String, _ response: String = HeadTests.ok, rule: (inout RulePlan) -> Void = { _ in }
    ) throws -> (up: String, down: String) {
        let harness = try WorkerHarness(rules: [WorkerHarness.rule("/", to: 0, rule)])
        let client = try harness.connect()
        client.send(request)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\n")
        return (backend.received, client.received)
    }

    @Test func namesKeepTheirCaseAndOrder() throws {
        let lines = "aCCept: 1\r\nX-B: 2\r\nx-a:3\r\nX-B:   4  \r\nCookie: c=d\r\n"
        let (up, down) = try pass(
            "GET /p HTTP/1.1\r\nhOST: a\r\n\(lines)\r\n",
            "HTTP/1.1 200 All Right\r\nserVer: s\r\nX-Z: 1\r\ncontent-LENGTH: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: now\r\n\r\n"
        )
        #expect(up.hasPrefix("GET /p HTTP/1.1\r\nHost: a\r\n" + lines))
        #expect(
            down
                == "HTTP/1.1 200 All Right\r\nserVer: s\r\nX-Z: 1\r\ncontent-LENGTH: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: now\r\n\r\n"
        )
    }

    @Test func theGatewaySaysWhoTheClientIs() throws {
        let (up, _) = try pass(
            "GET / HTTP/1.1\r\nHost: h:81\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-For: 10.0.0.2\r\n\r\n"
        )
        #expect(up.contains("X-Forwarded-For: 10.0.0.1, 10.0.0.2, 127.0.0.1\r\n"))
        #expect(up.contains("X-Forwarded-Proto: http\r\n") && up.contains("X-Forwarded-Host: h:81\r\n"))
        #expect(!up.contains("evil") && !up.contains("https"))
    }

    @Test func aUsableRequestIdStays() throws {
        #expect(
            try pass("GET / HTTP/1.1\r\nHost: a\r\nx-request-id: abc-1\r\n\r\n").up.contains("X-Request-Id: abc-1\r\n"))
    }

    @Test(arguments: ["", "X-Request-Id:\r\n", "X-Request-Id: \(String(repeating: "x", count: 129))\r\n"])
    func otherwiseItIsMade(line: String) throws {
        let (up, _) = try pass("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n")
        let start = try #require(up.firstRange(of: "X-Request-Id: ")).upperBound
        let id = up[start...].prefix { $0 != "\r\n" }
        #expect(id.utf8.count == RequestIDGenerator.octets)
        #expect(up.split(separator: "X-Request-Id").count == 2)
    }

    @Test func hopByHopFieldsStayBehind() throws {
        let (up, down) = try pass(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n")
        for name in ["\r\nconnection:", "x-mine", "keep-alive", "proxy-connection", "\r\nte:"] {
            #expect(!up.lowercased().contains(name), "\(name)")
        }
        #expect(!down.contains("X-Hop") && !down.contains("Keep-Alive") && down.contains("Connection: close\r\n"))
    }

    @Test func anAbsoluteTargetDecidesTheHost() throws {
        let (up, _) = try pass("GET http://real.example:8080/p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(up.hasPrefix("GET /p?q HTTP/1.1\r\nHost: real.example:8080\r\n"))
        #expect(!up.contains("other"))
    }

    @Test func interimResponsesAreNotForHTTP10() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + Self.ok)
        harness.expect(client, toReceive: "\r\n\r\nhi")
        #expect(!client.received.contains("103") && client.received.contains("Connection: keep-alive\r\n"))
        client.forget()
        client.send("GET /2 HTTP/1.0\r\n\r\n")
        harness.expect(backend, toReceive: "GET /2 ")
    }

    /// However many interim responses a backend sends at once: others have their turn between them.
    @Test func interimResponsesWithoutEndDoNotKeepTheLoop() throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        let count = 500
        backend.send(String(repeating: interim, count: count) + Self.ok)
        var turns = 0
        while !client.received.hasSuffix("\r\n\r\nhi"), turns < 1000 {
            harness.loop.turn(limit: 2)
            client.receive()
            turns += 1
        }
        #expect(turns > 10 && turns < 1000)
        #expect(client.received.split(separator: "103 Early").count == count + 1)
    }

    @Test func aLengthThatIsWrittenOddlyIsMadePlain() throws {
        let (up, _) = try pass("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc")
        #expect(up.contains("Content-Length: 3\r\n") && !up.contains(": 003"))
        let (_, down) = try pass("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No\r\nContent-Length: 0, 0\r\n\r\n")
        #expect(!down.lowercased().contains("content-length"))
    }

    // MARK: limits

    @Test(arguments: [
        ("GET /\(String(repeating: "x", count: 17_000)) HTTP/1.1\r\nHost: a\r\n\r\n", "414"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 62_000))\r\n\r\n", "431"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: 1\r\n", count: 101))\r\n", "431"),
    ]) func whatIsTooLargeIsRefused(request: String, status: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send(request)
        harness.expect(client, toReceive: "HTTP/1.1 \(status) ")
        harness.expect(client, toReceive: "connection: close\r\n")
        client.finish()
        harness.expectEnd(client)
        #expect(!client.wasReset)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 140_000))\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\(String(repeating: "X: 1\r\n", count: 201))\r\n", "HTTP/1.1 200 OK\nX: 1\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]) func aBackendsNonsenseIsA502(response: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        var rest = ArraySlice(Array(response.utf8))
        harness.until("the answer") {
            rest = rest.dropFirst(backend.send(Array(rest)))
            client.receive()
            return client.received.hasPrefix("HTTP/1.1 502 ")
        }
        harness.expectEnd(backend)
        #expect(harness.total(.upstreamPooledNow) == 0)
        harness.expectNothingUnderWay()
    }

    // MARK: filters

    @Test func headerEditsOfRuleAndBackend() throws {
        let (up, down) = try pass(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Set: old\r\nx-remove: 1\r\nX-Add: 1\r\nX-Keep: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Set: old\r\nServer: b\r\n\r\n"
        ) {
            $0.filters.requestHeaders = [
                HeaderEditPlan(.set, name: "X-Set", value: "new"), HeaderEditPlan(.add, name: "X-Add", value: "2"),
                HeaderEditPlan(.remove, name: "X-Remove"),
            ]
            $0.filters.responseHeaders = [
                HeaderEditPlan(.set, name: "X-Set", value: "new"), HeaderEditPlan(.remove, name: "server"),
            ]
            $0.backends[0].filters.requestHeaders = [HeaderEditPlan(.add, name: "X-Backend", value: "v")]
            $0.backends[0].filters.responseHeaders = [HeaderEditPlan(.add, name: "X-Backend", value: "v")]
        }
        #expect(up.contains("X-Add: 1\r\nX-Keep: 1\r\n"))
        for line in ["X-Set: new\r\n", "X-Add: 2\r\n", "X-Backend: v\r\n"] { #expect(up.contains(line), "\(line)") }
        #expect(!up.contains("old") && !up.lowercased().contains("x-remove"))
        #expect(down.contains("X-Set: new\r\n") && down.contains("X-Backend: v\r\n"))
        #expect(!down.contains("old") && !down.contains("Server"))
    }

    /// Whatever a manifest says: what goes up has one Host, and no second framing.
    @Test(arguments: [HeaderEditPlan.Action.set, .add, .remove]) func editsCannotBreakTheFraming(
        action: HeaderEditPlan.Action
    ) throws {
        let (up, down) = try pass(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        ) {
            let edits = [
                ("Host", "b"), ("Content-Length", "7"), ("Transfer-Encoding", "chunked"), ("Connection", "close"),
                ("Upgrade", "x"),
            ]
            .map { HeaderEditPlan(action, name: $0.0, value: action == .remove ? "" : $0.1) }
            $0.filters.requestHeaders = edits
            $0.filters.responseHeaders = edits
        }
        #expect(up.contains("\r\nHost: a\r\n"))
        #expect(up.lowercased().split(separator: "\r\nhost:").count == 2)
        for head in [up, down] {
            #expect(head.contains("Content-Length: ") && !head.contains("Length: 7") && !head.contains("chunked"))
            #expect(!head.lowercased().contains("connection:") && !head.lowercased().contains("upgrade"))
        }
    }

    @Test func theGatewaysOwnFieldsCanBeEdited() throws {
        let (up, _) = try pass("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n") {
            $0.filters.requestHeaders = [
                HeaderEditPlan(.set, name: "X-Forwarded-Proto", value: "https"),
                HeaderEditPlan(.remove, name: "x-forwarded-for"),
            ]
        }
        #expect(up.contains("X-Forwarded-Proto: https\r\n") && !up.contains("Proto: http\r\n"))
        #expect(!up.lowercased().contains("x-forwarded-for"))
    }

    @Test(arguments: [
        (RewritePlan(hostname: "new.example", path: nil), "GET /a/b?c HTTP/1.1\r\nHost: new.example\r\n"),
        (RewritePlan(hostname: nil, path: .replaceFullPath("/x")), "GET /x?c HTTP/1.1\r\nHost: old\r\n"),
        (RewritePlan(hostname: nil, path: .replacePrefixMatch("/x")), "GET /x/b?c HTTP/1.1\r\nHost: old\r\n"),
        (RewritePlan(hostname: nil, path: .replacePrefixMatch("/")), "GET /b?c HTTP/1.1\r\nHost: old\r\n"),
    ]) func urlRewrite(plan: RewritePlan, expected: String) throws {
        let (up, _) = try pass("GET /a/b?c HTTP/1.1\r\nHost: old\r\n\r\n") {
            $0.matches = [MatchPlan(path: .prefix("/a"))]
            $0.filters.rewrite = plan
        }
        #expect(up.hasPrefix(expected))
        #expect(up.contains("X-Forwarded-Host: old\r\n"))
    }

    @Test func redirect() throws {
        let harness = try WorkerHarness(
            rules: [
                WorkerHarness.rule("/a") {
                    $0.filters.redirect = RedirectPlan(
                        scheme: "https", hostname: "new.example", path: .replacePrefixMatch("/b"), port: nil,
                        statusCode: 301)
                }
            ])
        let client = try harness.connect()
        client.send("GET /a/c?d HTTP/1.1\r\nHost: old:99\r\n\r\n")
        harness.expect(client, toReceive: "HTTP/1.1 301 ")
        #expect(client.received.contains("\r\nlocation: https://new.example/b/c?d\r\n"))
        #expect(try harness.tryAcceptBackend() == nil)
        #expect(harness.statistics.requests(.none) == 1)
    }

    @Test func corsPreflightAndActual() throws {
        let cors = CORSPlan(
            allowOrigins: ["https://a.example"], allowCredentials: true, allowMethods: ["GET", "PUT"],
            allowHeaders: ["X-A"], exposeHeaders: ["X-E"], maxAge: 60)
        let harness = try WorkerHarness(rules: [WorkerHarness.rule { $0.filters.cors = cors }])
        let client = try harness.connect()
        client.send(
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        for text in [
            "HTTP/1.1 204 ", "access-control-allow-origin: https://a.example\r\n",
            "access-control-allow-credentials: true\r\n", "access-control-allow-methods: GET, PUT\r\n",
            "access-control-allow-headers: X-A\r\n", "access-control-max-age: 60\r\n",
        ] { #expect(client.received.contains(text), "\(text)") }
        #expect(try harness.tryAcceptBackend() == nil)
        client.forget()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n")
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
        harness.expect(client, toReceive: "\r\n\r\n")
        #expect(client.received.contains("access-control-allow-origin: https://a.example\r\n"))
        #expect(
            client.received.contains("access-control-expose-headers: X-E\r\n") && !client.received.contains("Origin: *")
        )
    }

    @Test func sharesAreExactOverAHundredRequests() throws {
        let harness = try WorkerHarness(
            backends: 2,
            rules: [
                WorkerHarness.rule {
                    $0.backends = [
                        BackendPlan(target: .cluster(0), weight: 90, name: "a"),
                        BackendPlan(target: .cluster(1), weight: 10, name: "b"),
                    ]
                }
            ])
        let client = try harness.connect()
        var backends: [RawSocket?] = [nil, nil]
        var counts = [0, 0]
        for _ in 0..<100 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try harness.until("an answer") {
                for index in 0..<2 {
                    if let socket = try harness.tryAcceptBackend(index) { backends[index] = socket }
                    backends[index]?.receive()
                    if backends[index]?.received.contains("\r\n\r\n") == true {
                        counts[index] += 1
                        backends[index]?.forget()
                        backends[index]?.send(Self.ok)
                    }
                }
                client.receive()
                return client.received.hasSuffix("hi")
            }
            client.forget()
        }
        #expect(counts == [90, 10])
    }
}
