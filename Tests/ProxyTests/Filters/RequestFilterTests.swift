import Config
import Core
import Telemetry
import Testing

@testable import Proxy

@Suite("HTTPRouteFilter urlRewrite") struct RewriteTests {
    private static func path(_ pattern: String, _ substitution: String) -> RewritePlan {
        RewritePlan(hostname: nil, path: .replaceRegexMatch(pattern: pattern, substitution: substitution))
    }

    @Test(arguments: [
        ("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api", "/v1/api/instance/foo"),
        ("one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz"),
        ("^(.*?)one(.*)$", "\\1two\\2", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/one/zzz"),
        ("(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb"),
        ("^/none", "/x", "/a", "/a"), ("^/a?", "/b?c=1", "/a?d=2", "/b?c=1&d=2"), ("^/a", "/b", "/a?d=2", "/b?d=2"),
        // What comes out is normalised again, and cannot break the line.
        ("^/a/", "/../../", "/a/b", "/b"), ("^/a", "/x y", "/a", "/x%20y"), ("/", "//", "/a/b", "/a/b"),
    ]) func paths(_ pattern: String, _ substitution: String, _ target: String, _ expected: String) throws {
        let pass = try FilterPass { $0.filters.rewrite = Self.path(pattern, substitution) }
        let up = try pass.toBackend("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(up.hasPrefix("GET \(expected) HTTP/1.1\r\n"))
    }

    @Test func aPathThatIsNone() throws {
        let pass = try FilterPass { $0.filters.rewrite = Self.path("^/a(.*)", "\\1") }
        #expect(try pass.answer("GET /ab HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    }

    @Test(arguments: [
        (RewritePlan.HostSource.header("x-host"), "X-Host: new.example:81\r\n", "new.example:81"),
        (.header("x-host"), "", "old.example"), (.header("x-host"), "X-Host: a b\r\n", "old.example"),
        (.header("x-host"), "X-Host: a/../b\r\n", "old.example"),
        (.pathRegex(pattern: "^/tenant/([a-z0-9-]+)/.*", substitution: "\\1.internal"), "", "t-1.internal"),
        (.pathRegex(pattern: "^/other/(.*)", substitution: "\\1"), "", "old.example"),
        (.pathRegex(pattern: "^/tenant(.*)", substitution: "\\1"), "", "old.example"), (.backend, "", "old.example"),
    ]) func hosts(_ source: RewritePlan.HostSource, _ lines: String, _ expected: String) throws {
        var plan = RewritePlan(hostname: nil, path: nil)
        plan.hostSource = source
        let pass = try FilterPass { $0.filters.rewrite = plan }
        let up = try pass.toBackend("GET /tenant/t-1/x HTTP/1.1\r\nHost: old.example\r\n\(lines)\r\n")
        #expect(up.hasPrefix("GET /tenant/t-1/x HTTP/1.1\r\nHost: \(expected)\r\n"))
        #expect(up.contains("X-Forwarded-Host: old.example\r\n"))
    }

    @Test func theNameOfTheBackend() throws {
        var plan = RewritePlan(hostname: nil, path: nil)
        plan.hostSource = .backend
        let rule = WorkerHarness.rule { $0.filters.rewrite = plan }
        let harness = try WorkerHarness(rules: [rule])
        try harness.publish(rules: [rule]) {
            $0.clusters[0].endpoints[0].hostname = "api.example.net"
        }
        let client = try harness.connect()
        client.send(FilterPass.get)
        let backend = try harness.acceptBackend()
        harness.expect(backend, toReceive: "Host: api.example.net\r\n")
    }

    @Test func theOldHostNeedNotBeTold() throws {
        var plan = RewritePlan(hostname: "new.example", path: nil)
        plan.appendXForwardedHost = false
        let up = try FilterPass { $0.filters.rewrite = plan }.toBackend(FilterPass.get)
        #expect(up.contains("Host: new.example\r\n") && !up.contains("X-Forwarded-Host"))
    }
}

@Suite("HTTPRouteFilter credentialInjection") struct CredentialTests {
    @Test(arguments: [
        ("Authorization", false, "", "Authorization: Bearer s3cret\r\n", true),
        ("Authorization", false, "authorization: Basic own\r\n", "authorization: Basic own\r\n", false),
        ("Authorization", true, "authorization: Basic own\r\n", "Authorization: Bearer s3cret\r\n", true),
        ("X-Api-Key", true, "x-api-key: own\r\nX-API-KEY: more\r\n", "X-Api-Key: Bearer s3cret\r\n", true),
        ("X-Api-Key", false, "X-Other: a\r\n", "X-Api-Key: Bearer s3cret\r\n", true),
    ]) func fields(_ header: String, _ overwrite: Bool, _ lines: String, _ expected: String, _ isInjected: Bool) throws
    {
        let pass = try FilterPass {
            $0.filters.credentialInjection = CredentialInjectionPlan(
                header: header, value: "Bearer s3cret", overwrite: overwrite)
        }
        let up = try pass.toBackend("GET / HTTP/1.1\r\nHost: a\r\n\(lines)X-Z: z\r\n\r\n")
        #expect(up.contains(expected) && up.contains("X-Z: z\r\n"))
        #expect(up.contains("s3cret") == isInjected)
        #expect(up.contains("own") != isInjected && !up.contains("more"))
    }

    @Test func theBackendsGoesBeforeTheRules() throws {
        let pass = try FilterPass {
            $0.filters.credentialInjection = CredentialInjectionPlan(header: "X-A", value: "rule", overwrite: true)
            $0.backends[0].filters.credentialInjection = CredentialInjectionPlan(
                header: "X-A", value: "backend", overwrite: true)
        }
        let up = try pass.toBackend(FilterPass.get)
        #expect(up.contains("X-A: backend\r\n") && !up.contains("rule"))
    }

    @Test func theValueIsNotPrinted() {
        let plan = CredentialInjectionPlan(header: "Authorization", value: "s3cret", overwrite: true)
        var text = "\(plan) \(String(reflecting: plan))"
        dump(plan, to: &text)
        #expect(!text.contains("s3cret"))
    }
}

@Suite("BackendTrafficPolicy requestBuffer") struct RequestBufferTests {
    private static func buffer(_ limit: UInt64) throws -> FilterPass {
        try FilterPass { $0.traffic.requestBuffer = RequestBufferPlan(limit: limit) }
    }

    @Test func theWholeRequestIsAwaited() throws {
        let pass = try Self.buffer(1000)
        pass.client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        pass.harness.settle()
        #expect(try pass.harness.tryAcceptBackend() == nil)
        pass.client.send("def")
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\nabcdef")
        backend.send(HeadTests.ok)
        pass.harness.expect(pass.client, toReceive: "hi")
        #expect(pass.harness.total(.requestBodyBytes) == 6)
        pass.harness.expectNothingUnderWay()
    }

    @Test func chunksAndTrailers() throws {
        let pass = try Self.buffer(1000)
        pass.client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        pass.harness.settle()
        #expect(try pass.harness.tryAcceptBackend() == nil)
        pass.client.send("3\r\ndef\r\n0\r\nX-T: t\r\n\r\n")
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "6\r\nabcdef\r\n0\r\nX-T: t\r\n\r\n")
    }

    /// Larger than any block.
    @Test func aLargeRequest() throws {
        let body = String(repeating: "0123456789", count: 50_000)
        let pass = try Self.buffer(1 << 20)
        var rest = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)[...]
        pass.harness.until("the request is sent") {
            rest = rest.dropFirst(pass.client.send(Array(rest)))
            return rest.isEmpty
        }
        let backend = try pass.harness.acceptBackend()
        pass.harness.until("the whole body") {
            backend.receive()
            return backend.received.hasSuffix("\r\n\r\n" + body)
        }
        backend.send(HeadTests.ok)
        pass.harness.expect(pass.client, toReceive: "hi")
        pass.harness.expectNothingUnderWay()
    }

    @Test(arguments: [
        "Content-Length: 11\r\n\r\n", "Content-Length: 11\r\n\r\nabcdefghijk",
        "Transfer-Encoding: chunked\r\n\r\nb\r\nabcdefghijk\r\n",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n",
    ]) func moreThanTheLimit(_ rest: String) throws {
        let pass = try Self.buffer(10)
        let answer = try pass.answer("POST / HTTP/1.1\r\nHost: a\r\n" + rest, until: "buffer\n")
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        pass.harness.expectNothingUnderWay()
    }

    @Test func exactlyTheLimit() throws {
        let up = try Self.buffer(10).toBackend(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
        #expect(up.hasSuffix("\r\n\r\n0123456789"))
    }

    /// A client that waits for leave would wait for ever.
    @Test func leaveToSend() throws {
        let pass = try Self.buffer(10)
        pass.client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        pass.harness.expect(pass.client, toReceive: "HTTP/1.1 100 Continue\r\n\r\n")
        pass.client.send("abc")
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\nabc")
        #expect(!backend.received.contains("Expect"))
    }

    /// The body is kept for another attempt, however long: a connection that was closed meanwhile costs nothing.
    @Test func aBodyIsSentAgain() throws {
        let body = String(repeating: "x", count: 100_000)
        let pass = try Self.buffer(1 << 20)
        _ = try pass.toBackend(FilterPass.get)
        pass.harness.settle()
        pass.client.receive()
        pass.client.forget()
        var rest = Array("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)[...]
        pass.harness.until("the request is sent") {
            rest = rest.dropFirst(pass.client.send(Array(rest)))
            return rest.isEmpty
        }
        // The first connection has been closed by its backend.
        let backend = try pass.harness.acceptBackend()
        pass.harness.until("the whole body") {
            backend.receive()
            return backend.received.hasSuffix("\r\n\r\n" + body)
        }
    }

    @Test func aClientThatBreaksOff() throws {
        let pass = try Self.buffer(1000)
        var leaving: RawSocket? = try pass.harness.connect()
        leaving?.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        pass.harness.settle()
        leaving?.finish()
        pass.harness.until { pass.harness.total(.requestsNow) == 0 }
        leaving = nil
        #expect(try pass.harness.tryAcceptBackend() == nil)
        #expect(pass.harness.statistics.requests(.downstreamTermination) == 1)
    }
}

@Suite("BackendTrafficPolicy httpUpgrade") struct UpgradeTests {
    private static func request(_ type: String, _ method: String = "GET") -> String {
        "\(method) / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: \(type)\r\n\r\n"
    }

    @Test(arguments: [(["spdy/3.1"], "websocket"), ([], "WebSocket")]) func whatIsNotAllowed(
        _ types: [String], _ asked: String
    ) throws {
        let pass = try FilterPass { $0.traffic.httpUpgrade = HTTPUpgradePlan(types: types) }
        #expect(try pass.answer(Self.request(asked)).hasPrefix("HTTP/1.1 403 "))
    }

    @Test func buffersAllowNone() throws {
        let pass = try FilterPass { $0.traffic.requestBuffer = RequestBufferPlan(limit: 10) }
        #expect(try pass.answer(Self.request("websocket")).hasPrefix("HTTP/1.1 403 "))
    }

    @Test func aProtocolThatNobodyNamedIsIgnored() throws {
        let up = try FilterPass { $0.traffic.httpUpgrade = HTTPUpgradePlan(types: ["websocket"]) }.toBackend(
            Self.request("foo/1"))
        #expect(!up.lowercased().contains("upgrade"))
    }

    @Test(arguments: ["websocket", "spdy/3.1", "SPDY/3.1"]) func tunnels(_ type: String) throws {
        let pass = try FilterPass {
            $0.traffic.httpUpgrade = HTTPUpgradePlan(types: ["spdy/3.1", "websocket"])
        }
        pass.client.send(Self.request(type, type == "websocket" ? "GET" : "POST"))
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\n")
        #expect(backend.received.contains("Connection: upgrade\r\nUpgrade: \(type.lowercased())\r\n"))
        backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: \(type)\r\n\r\nhello")
        pass.harness.expect(pass.client, toReceive: "\r\n\r\nhello")
        #expect(pass.client.received.contains("\r\nConnection: upgrade\r\nUpgrade: \(type.lowercased())\r\n"))
        pass.client.send("octets")
        pass.harness.expect(backend, toReceive: "octets")
    }

    @Test func anAnswerThatWasNotAskedFor() throws {
        let pass = try FilterPass { $0.traffic.httpUpgrade = HTTPUpgradePlan(types: ["spdy/3.1"]) }
        _ = try pass.toBackend(
            Self.request("spdy/3.1"),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(pass.client.received.hasPrefix("HTTP/1.1 502 "))
    }
}
