import Config
import Core
import Testing
import Upstream

@testable import Proxy

/// Asks through a worker and answers as its backend, one request after the other.
final class LimitedSite {
    let harness: WorkerHarness
    private var client: RawSocket
    private var backend: RawSocket?

    init(_ change: (inout RouteTrafficPlan) -> Void) throws {
        harness = try WorkerHarness(rules: [WorkerHarness.rule { change(&$0.traffic) }])
        client = try harness.connect()
    }

    func publish(_ rules: [RulePlan]) throws { try harness.publish(rules: rules) }

    /// - Parameter fields: whole lines of the head.
    /// - Returns: the response's head.
    @discardableResult func ask(
        _ target: String = "/", method: String = "GET", fields: String = "", answer: String = ExchangeTests.ok
    ) throws -> String {
        client.forget()
        client.send("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        harness.until("an answer to \(target), has '\(client.received)'") {
            if backend == nil { backend = try? harness.tryAcceptBackend() }
            if let backend {
                backend.receive()
                if backend.received.contains("\r\n\r\n") {
                    backend.forget()
                    backend.send(answer)
                }
            }
            client.receive()
            return client.received.contains("\r\n\r\n") && !client.received.hasPrefix("HTTP/1.1 100")
        }
        harness.settle()
        client.receive()
        return client.received
    }

    func status(_ target: String = "/", method: String = "GET", fields: String = "") throws -> Int {
        Int(try ask(target, method: method, fields: fields).dropFirst(9).prefix(3)) ?? 0
    }

    /// How many of ten requests pass.
    func passed(_ target: String = "/", method: String = "GET", fields: String = "") throws -> Int {
        try (0..<10).filter { _ in try status(target, method: method, fields: fields) == 200 }.count
    }
}

@Suite("BackendTrafficPolicy.rateLimit") struct RateLimitTests {
    static func rule(
        _ requests: UInt32, _ unit: TimeAmount = .seconds(3600), _ selectors: RateLimitSelectorPlan...,
        change: (inout RateLimitRulePlan) -> Void = { _ in }
    ) -> RateLimitRulePlan {
        var rule = RateLimitRulePlan(policy: "default/limits", requests: requests, unit: unit)
        rule.selectors = selectors
        change(&rule)
        return rule
    }

    static func selector(_ change: (inout RateLimitSelectorPlan) -> Void) -> RateLimitSelectorPlan {
        var selector = RateLimitSelectorPlan()
        change(&selector)
        return selector
    }

    static func local(_ rules: RateLimitRulePlan...) -> (inout RouteTrafficPlan) -> Void {
        {
            $0.rateLimit = RateLimitPlan()
            $0.rateLimit?.local = rules
        }
    }

    static func global(_ rules: RateLimitRulePlan...) -> (inout RouteTrafficPlan) -> Void {
        {
            $0.rateLimit = RateLimitPlan()
            $0.rateLimit?.global = rules
        }
    }

    @Test func whatIsPastTheLimitIsAnswered429AndSaidWhy() throws {
        let site = try LimitedSite(Self.local(Self.rule(3)))
        for left in [2, 1, 0] {
            let head = try site.ask()
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(
                head.contains("x-ratelimit-limit: 3\r\nx-ratelimit-remaining: \(left)\r\nx-ratelimit-reset: 3600\r\n"))
            #expect(!head.contains("x-envoy-ratelimited"))
        }
        let refused = try site.ask()
        #expect(refused.hasPrefix("HTTP/1.1 429 Too Many Requests\r\n"))
        #expect(refused.contains("x-envoy-ratelimited: true\r\n"))
        #expect(refused.contains("x-ratelimit-remaining: 0\r\n"))
        #expect(site.harness.statistics.requests(.rateLimited) == 1)
        site.harness.expectNothingUnderWay()
    }

    @Test func callsOfGRPCAreToldResourceExhausted() throws {
        let site = try LimitedSite(Self.local(Self.rule(0)))
        let head = try site.ask(
            "/a.B/C", method: "POST", fields: "Content-Type: application/grpc\r\nContent-Length: 0\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(head.contains("grpc-status: 8\r\n") && head.contains("x-envoy-ratelimited: true\r\n"))
    }

    @Test func fieldsMayBeSwitchedOff() throws {
        let site = try LimitedSite(Self.local(Self.rule(1) { $0.fields = .off }))
        #expect(try !site.ask().contains("x-ratelimit"))
        #expect(try !site.ask().contains("x-ratelimit"))
    }

    struct Case: CustomTestStringConvertible {
        var name: String
        var selector: RateLimitSelectorPlan
        /// Requests that the selector holds for, and others.
        var holds: [(String, String, String)]
        var others: [(String, String, String)]
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "header, exact",
            selector: selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann")] },
            holds: [("GET", "/", "X-User: ann\r\n")],
            others: [("GET", "/", "X-User: bob\r\n"), ("GET", "/", ""), ("GET", "/", "X-User: ann\r\nX-User: b\r\n")]),
        Case(
            name: "headers, all of them",
            selector: selector {
                $0.headers = [
                    .init(name: "x-user", kind: .exact, value: "one"), .init(name: "x-org", kind: .exact, value: "foo"),
                ]
            },
            holds: [("GET", "/", "x-user: one\r\nx-org: foo\r\n")], others: [("GET", "/", "x-user: one\r\n")]),
        Case(
            name: "header, inverted",
            selector: selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann", isInverted: true)] },
            holds: [("GET", "/", "x-user: bob\r\n"), ("GET", "/", "")], others: [("GET", "/", "x-user: ann\r\n")]),
        Case(
            name: "header, expression",
            selector: selector { $0.headers = [.init(name: "x-user", kind: .regularExpression, value: "a.*")] },
            holds: [("GET", "/", "x-user: ann\r\n")], others: [("GET", "/", "x-user: banana\r\n")]),
        Case(
            name: "methods, any of them",
            selector: selector { $0.methods = [.init(value: "POST"), .init(value: "PUT")] },
            holds: [("POST", "/", "Content-Length: 0\r\n"), ("PUT", "/", "Content-Length: 0\r\n")],
            others: [("GET", "/", "")]),
        Case(
            name: "method, inverted", selector: selector { $0.methods = [.init(value: "GET", isInverted: true)] },
            holds: [("DELETE", "/", "")], others: [("GET", "/", "")]),
        Case(
            name: "path, exact", selector: selector { $0.path = .init(kind: .exact, value: "/api/users") },
            holds: [("GET", "/api/users", ""), ("GET", "/api/users?a=b", ""), ("GET", "/api/./users", "")],
            others: [("GET", "/api/users/1", "")]),
        Case(
            name: "path, prefix", selector: selector { $0.path = .init(kind: .prefix, value: "/api") },
            holds: [("GET", "/api", ""), ("GET", "/api/x", "")], others: [("GET", "/apis", ""), ("GET", "/", "")]),
        Case(
            name: "path, expression, inverted",
            selector: selector { $0.path = .init(kind: .regularExpression, value: "/v[0-9]+/.*", isInverted: true) },
            holds: [("GET", "/", "")], others: [("GET", "/v1/a", "")]),
        Case(
            name: "sourceCIDR", selector: selector { $0.source = .init(range: AddressRange("127.0.0.0/8")!) },
            holds: [("GET", "/", "")], others: []),
        Case(
            name: "sourceCIDR, another", selector: selector { $0.source = .init(range: AddressRange("10.0.0.0/8")!) },
            holds: [], others: [("GET", "/", "")]),
        Case(
            name: "sourceCIDR, inverted",
            selector: selector { $0.source = .init(range: AddressRange("10.0.0.0/8")!, isInverted: true) },
            holds: [("GET", "/", "")], others: []),
        Case(
            name: "query parameter",
            selector: selector { $0.queryParams = [.init(name: "user id", kind: .exact, value: "a b")] },
            holds: [("GET", "/?user+id=a%20b", "")], others: [("GET", "/?user=a", ""), ("GET", "/", "")]),
    ]

    @Test("Selectors", arguments: cases) func selectors(test: Case) throws {
        let site = try LimitedSite(Self.local(Self.rule(0, .seconds(3600), test.selector)))
        for (method, target, fields) in test.holds {
            #expect(try site.status(target, method: method, fields: fields) == 429, "\(method) \(target) \(fields)")
        }
        for (method, target, fields) in test.others {
            #expect(try site.status(target, method: method, fields: fields) == 200, "\(method) \(target) \(fields)")
        }
    }

    @Test func distinctValuesHaveBucketsOfTheirOwn() throws {
        let distinct = Self.selector {
            $0.headers = [.init(name: "x-user", kind: .distinct)]
            $0.queryParams = [.init(name: "k", kind: .distinct)]
        }
        let site = try LimitedSite(Self.local(Self.rule(2, .seconds(3600), distinct)))
        #expect(try site.passed("/?k=1", fields: "x-user: ann\r\n") == 2)
        #expect(try site.passed("/?k=1", fields: "x-user: bob\r\n") == 2)
        #expect(try site.passed("/?k=2", fields: "x-user: ann\r\n") == 2)
        // Two values together are no other two that look alike.
        #expect(try site.passed("/?k=11", fields: "x-user: an\r\n") == 2)
        #expect(try site.passed("/", fields: "x-user: ann\r\n") == 10)
    }

    @Test func theRuleWithoutSelectorsIsForWhomNoOtherHolds() throws {
        let ann = Self.selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann")] }
        let site = try LimitedSite(Self.local(Self.rule(2), Self.rule(5, .seconds(3600), ann)))
        #expect(try site.passed(fields: "x-user: ann\r\n") == 5)
        #expect(try site.passed() == 2)
    }

    @Test func ofSeveralThatHoldTheStrictestRefusesAndTheOthersLoseNothing() throws {
        let ann = Self.selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann")] }
        let any = Self.selector { $0.path = .init(kind: .prefix, value: "/") }
        let site = try LimitedSite(Self.local(Self.rule(3, .seconds(3600), ann), Self.rule(7, .seconds(3600), any)))
        #expect(try site.passed(fields: "x-user: ann\r\n") == 3)
        #expect(try site.passed() == 4)
    }

    @Test func globalRulesAllCount() throws {
        let ann = Self.selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann")] }
        let site = try LimitedSite(Self.global(Self.rule(3, .seconds(3600), ann), Self.rule(15)))
        #expect(try site.passed(fields: "x-user: ann\r\n") == 3)
        // The ten of before, refused ones included, are counted.
        #expect(try site.passed() == 5)
        #expect(try site.ask().contains("x-ratelimit-limit: 15, 15;w=3600\r\n"))
    }

    @Test func shadowsCountAndRefuseNothing() throws {
        let site = try LimitedSite(Self.local(Self.rule(2) { $0.isShadow = true }))
        #expect(try site.passed() == 10)
    }

    @Test func costsOfRequestsAndResponses() throws {
        let site = try LimitedSite(
            Self.global(
                Self.rule(10) {
                    $0.requestCost = 0
                    $0.responseCost = 4
                }))
        // Known when the response is over: 4, 8, 12.
        #expect(try site.passed() == 3)
        let dear = try LimitedSite(Self.local(Self.rule(10) { $0.requestCost = 4 }))
        #expect(try dear.passed() == 2)
    }

    @Test func bucketsOutliveReloadsWhateverTheirPlace() throws {
        let ann = Self.selector { $0.headers = [.init(name: "x-user", kind: .exact, value: "ann")] }
        let site = try LimitedSite(Self.local(Self.rule(4)))
        #expect(try site.passed() == 4)
        // Another rule stands before it, and another rule of the route too; the limit is higher now.
        try site.publish([
            WorkerHarness.rule("/other"),
            WorkerHarness.rule { Self.local(Self.rule(1, .seconds(3600), ann), Self.rule(6))(&$0.traffic) },
        ])
        #expect(try site.passed() == 2)
    }

    @Test func aRouteSharesItsBucketsAmongItsRules() throws {
        let harness = try LimitedSite(Self.local(Self.rule(4)))
        try harness.publish(
            ["/a", "/b"].map { path in WorkerHarness.rule(path) { Self.local(Self.rule(4))(&$0.traffic) } })
        #expect(try harness.passed("/a") == 4)
        #expect(try harness.passed("/b") == 0)
    }
}
