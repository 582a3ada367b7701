import Config
import Core
import Telemetry
import Testing

@testable import Proxy

@Suite("HTTPRouteFilter directResponse") struct CustomResponseTests {
    @Test func aDirectResponse() throws {
        let pass = try FilterPass {
            $0.filters.directResponse = CustomResponsePlan(
                statusCode: 503, contentType: "application/json", body: [.text("{\"down\": true}")],
                headers: [
                    HeaderEditPlan(.set, name: "Retry-After", value: "60"),
                    HeaderEditPlan(.add, name: "X-A", value: "b"),
                ])
            $0.filters.responseHeaders = [HeaderEditPlan(.set, name: "X-Rule", value: "r")]
        }
        let answer = try pass.answer(FilterPass.get, until: "true}")
        #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\nserver: sluice\r\ndate: "))
        for line in [
            "content-type: application/json", "content-length: 14", "Retry-After: 60", "X-A: b", "X-Rule: r",
        ] {
            #expect(answer.contains("\r\n\(line)\r\n"), "\(line)")
        }
        #expect(answer.hasSuffix("\r\n\r\n{\"down\": true}"))
        // The connection goes on.
        pass.client.forget()
        #expect(try pass.answer(FilterPass.get, until: "true}").hasPrefix("HTTP/1.1 503 "))
        #expect(pass.harness.statistics.requests(.none) == 2)
        pass.harness.expectNothingUnderWay()
    }

    @Test(arguments: [
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", UInt16(200), "content-length: 4\r\n", ""),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 204, "HTTP/1.1 204 ", ""),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 304, "HTTP/1.1 304 ", ""),
        ("GET / HTTP/1.0\r\n\r\n", 200, "connection: close\r\n", "text"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "connection: keep-alive\r\n", "text"),
    ]) func framings(_ request: String, _ status: UInt16, _ line: String, _ body: String) throws {
        let pass = try FilterPass {
            $0.filters.directResponse = CustomResponsePlan(statusCode: status, body: [.text("text")])
        }
        let answer = try pass.answer(request)
        #expect(answer.contains(line))
        #expect(answer.hasSuffix("\r\n\r\n" + body))
        if status == 204 { #expect(!answer.contains("content-length")) }
    }

    /// Far more than a block, to a client that reads little by little.
    @Test func aLargeBodyGoesAsFastAsItsClientReads() throws {
        let body = String(repeating: "0123456789abcdef", count: 400_000)
        let pass = try FilterPass {
            $0.filters.directResponse = CustomResponsePlan(statusCode: 200, body: [.text(body)])
        }
        pass.client.send(FilterPass.get)
        pass.harness.until("the whole body") {
            pass.client.receive(limit: 100_000)
            return pass.client.bytes.count > body.utf8.count && pass.client.received.hasSuffix("\r\n\r\n" + body)
        }
        #expect(pass.harness.total(.responseBodyBytes) == UInt64(body.utf8.count))
        pass.harness.expectNothingUnderWay()
    }

    @Test func aBodyMadeOfTheRequest() throws {
        let pass = try FilterPass {
            $0.filters.directResponse = CustomResponsePlan(
                statusCode: 404,
                body: [
                    .text("<"), .value(CommandOperator(.responseCode)), .text(" "), .value(CommandOperator(.method)),
                    .text(" "), .value(CommandOperator(.host)), .text(" "), .value(CommandOperator(.path)), .text(" "),
                    .value(CommandOperator(.requestField, name: "x-a")), .text(" "),
                    .value(CommandOperator(.requestField, name: "x-none", alternative: "x-a", length: 2)), .text(" "),
                    .value(CommandOperator(.requestField, name: "x-none")), .text(" "),
                    .value(CommandOperator(.clientAddress)), .text(" "), .value(CommandOperator(.requestID)),
                    .text(" "), .value(CommandOperator(.protocol)), .text(" "), .value(CommandOperator(.routeName)),
                    .text(">"),
                ])
        }
        let answer = try pass.answer(
            "GET /p/../q?r HTTP/1.1\r\nHost: h.example:81\r\nX-A: abc\r\nX-Request-Id: id-1\r\n\r\n", until: ">")
        #expect(
            answer.hasSuffix("<404 GET h.example:81 /q?r abc ab - 127.0.0.1 id-1 HTTP/1.1 default/test>"))
        #expect(answer.contains("content-type: text/plain\r\n"))
    }

    @Test func callsOfGRPC() throws {
        let pass = try FilterPass {
            $0.filters.directResponse = CustomResponsePlan(statusCode: 403, body: [.text("not 100% allowed\n")])
        }
        let answer = try pass.answer(
            "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
        #expect(answer.contains("\r\ngrpc-status: 7\r\ngrpc-message: not 100%25 allowed%0a\r\n"))
    }
}

@Suite("BackendTrafficPolicy responseOverride") struct ResponseOverrideTests {
    private static func entry(
        _ codes: [ResponseOverridePlan.StatusRange], _ headers: [ResponseOverridePlan.HeaderMatch] = [],
        of source: ResponseOverridePlan.Source = .all, status: UInt16? = nil, body: String
    ) -> ResponseOverridePlan {
        ResponseOverridePlan(
            source: source, statusCodes: codes, responseHeaders: headers,
            action: .response(CustomResponsePlan(statusCode: status, body: body.isEmpty ? [] : [.text(body)])))
    }

    @Test(arguments: [
        ("404 Not Found", "", "404", "first"), ("500 Oops", "", "500", "range"), ("511 N", "", "511", "range"),
        ("512 N", "", "512", "hi"), ("200 OK", "", "200", "hi"), ("403 No", "", "401", ""),
        ("200 OK", "X-E: up-1\r\n", "200", "prefix"), ("200 OK", "x-e: down-1\r\n", "200", "hi"),
        ("200 OK", "X-R: us-east\r\nX-S: a\r\n", "200", "both"), ("200 OK", "X-R: us-east\r\n", "200", "hi"),
        ("200 OK", "X-R: eu\r\nX-S: a\r\n", "200", "hi"),
    ]) func ofBackends(_ status: String, _ lines: String, _ code: String, _ body: String) throws {
        let pass = try FilterPass {
            $0.traffic.responseOverride = [
                Self.entry([.init(404, 404)], body: "first"), Self.entry([.init(404, 404)], body: "second"),
                Self.entry([.init(500, 500), .init(501, 511)], body: "range"),
                Self.entry([.init(403, 403)], status: 401, body: ""),
                Self.entry([], [.init(name: "x-e", kind: .prefix, value: "up-")], of: .backend, body: "prefix"),
                Self.entry(
                    [],
                    [
                        .init(name: "x-r", kind: .regularExpression, value: "us-.*"),
                        .init(name: "x-s", kind: .exact, value: "a"),
                    ], body: "both"),
            ]
        }
        _ = try pass.toBackend(
            FilterPass.get, "HTTP/1.1 \(status)\r\nContent-Length: 2\r\nSet-Cookie: c\r\n\(lines)\r\nhi")
        pass.harness.settle()
        pass.client.receive()
        #expect(pass.client.received.hasPrefix("HTTP/1.1 \(code) "))
        #expect(pass.client.received.hasSuffix("\r\n\r\n" + body))
        #expect(pass.client.received.contains("Set-Cookie") == (body == "hi"))
        pass.harness.expectNothingUnderWay()
    }

    /// The body was there, so the connection to the backend serves on.
    @Test func theConnectionIsKept() throws {
        let pass = try FilterPass { $0.traffic.responseOverride = [Self.entry([.init(404, 404)], body: "mine")] }
        pass.client.send(FilterPass.get)
        let backend = try pass.harness.acceptBackend()
        for _ in 0..<3 {
            pass.harness.expect(backend, toReceive: "\r\n\r\n")
            backend.forget()
            backend.send("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntheir\r\n0\r\n\r\n")
            pass.harness.expect(pass.client, toReceive: "mine")
            pass.client.forget()
            pass.client.send(FilterPass.get)
        }
        #expect(pass.harness.total(.upstreamReuses) == 2)
        #expect(pass.harness.total(.responsesOverridden) == 3)
    }

    /// A body that is still to come is not waited for.
    @Test func theRestOfABodyIsNotWaitedFor() throws {
        let pass = try FilterPass { $0.traffic.responseOverride = [Self.entry([.init(404, 404)], body: "mine")] }
        pass.client.send(FilterPass.get)
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "\r\n\r\n")
        backend.send("HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\nbegin")
        pass.harness.expect(pass.client, toReceive: "mine")
        pass.harness.expectEnd(backend)
        pass.harness.expectNothingUnderWay()
    }

    @Test(arguments: [
        (ResponseOverridePlan.Source.local, true), (.all, true), (.backend, false),
    ]) func ofTheGatewayItself(_ source: ResponseOverridePlan.Source, _ isOverridden: Bool) throws {
        let pass = try FilterPass {
            $0.backends[0].target = .answer(500)
            $0.traffic.responseOverride = [Self.entry([.init(500, 500)], of: source, status: 503, body: "sorry")]
        }
        let answer = try pass.answer(FilterPass.get)
        #expect(answer.hasPrefix(isOverridden ? "HTTP/1.1 503 " : "HTTP/1.1 500 "))
        #expect(answer.hasSuffix("sorry") == isOverridden)
        #expect(pass.harness.statistics.requests(.noCluster) == 1)
    }

    @Test func localAnswersAreNotTheBackends() throws {
        let pass = try FilterPass {
            $0.traffic.responseOverride = [Self.entry([.init(404, 404)], of: .local, body: "mine")]
        }
        _ = try pass.toBackend(FilterPass.get, "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\ntheir")
        pass.harness.expect(pass.client, toReceive: "their")
    }

    @Test func redirects() throws {
        let pass = try FilterPass {
            $0.traffic.responseOverride = [
                ResponseOverridePlan(
                    source: .all, statusCodes: [.init(301, 404)], responseHeaders: [],
                    action: .redirect(
                        RedirectPlan(
                            scheme: "https", hostname: "login.example", path: .replaceFullPath("/in"), port: 8443,
                            statusCode: 302)))
            ]
        }
        _ = try pass.toBackend(FilterPass.get, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        #expect(pass.client.received.hasPrefix("HTTP/1.1 302 "))
        #expect(pass.client.received.contains("\r\nlocation: https://login.example:8443/in?b\r\n"))
        pass.harness.expectNothingUnderWay()
    }

    /// The request's body is not whole when the response is overridden: the connection cannot go on.
    @Test func aRequestThatIsStillComing() throws {
        let pass = try FilterPass { $0.traffic.responseOverride = [Self.entry([.init(403, 403)], body: "mine")] }
        pass.client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        let backend = try pass.harness.acceptBackend()
        pass.harness.expect(backend, toReceive: "abc")
        backend.send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        pass.harness.expect(pass.client, toReceive: "mine")
        #expect(pass.client.received.contains("connection: close\r\n"))
        pass.harness.expectEnd(pass.client)
    }
}
