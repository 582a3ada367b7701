import Config
import Core
import HTTP
import Routing
import Testing

typealias TestPredicate = AuthorizationPredicatePlan
typealias TestValue = AuthorizationValuePlan

/// Who calls, as a test writes it.
struct TestCaller: Sendable {
    var principal = ""
    var namespace = ""
    var account = ""
    var source = "10.1.2.3"
    var client = "192.0.2.7"
    var destination: String?
    var port: UInt16 = 80
    var serverName = ""

    static let verified = TestCaller(
        principal: "spiffe://cluster.local/ns/shop/sa/front", namespace: "shop", account: "front")
    static let byAddress = TestCaller(namespace: "shop")
    static let unknown = TestCaller()
}

/// Policies of one place, asked.
final class TestPolicies {
    let table: TestTable

    init(_ policies: [AuthorizationPolicyPlan], trustsAddresses: Bool = false, strict: StrictPlan? = nil) throws {
        var plan = GatewayPlan.matches([MatchPlan(path: .prefix("/"))])
        plan.authorizationPolicies = policies
        plan.sockets[0].listeners[0].authorization.policies = Array(policies.indices)
        plan.sockets[0].listeners[0].authorization.trustsAddresses = trustsAddresses
        plan.sockets[0].listeners[0].authorization.strict = strict
        table = try TestTable(plan)
    }

    var config: UnsafePointer<AuthorizationConfig> {
        let listener = table.snapshot[table.snapshot.header.pointee.listeners, 0]
        return table.snapshot[listener.pointee.authorization, 0]
    }

    func ask(_ caller: TestCaller, _ request: TestRequest?, isDryRun: Bool = false) -> AuthorizationVerdict {
        with(caller, request) { call, head, bytes in
            isDryRun
                ? table.table.rehearse(config, call, head, bytes) : table.table.authorize(config, call, head, bytes)
        }
    }

    /// Lends a call as the policies are asked about it.
    func with<R>(
        _ caller: TestCaller, _ request: TestRequest?, _ body: (AuthorizedCall, borrowing RequestHead, ByteView) -> R
    ) -> R {
        caller.principal.withView { principal in
            caller.namespace.withView { namespace in
                caller.account.withView { account in
                    caller.serverName.withView { serverName in
                        var call = AuthorizedCall()
                        call.principal = principal
                        call.namespace = namespace
                        call.account = account
                        call.serverName = serverName
                        call.source = caller.source.withView { IPAddress($0)! }
                        call.client = caller.client.withView { IPAddress($0)! }
                        call.destination = caller.destination.flatMap { $0.withView { IPAddress($0) } }
                        call.port = caller.port
                        guard let request else { return body(call, RequestHead(), .empty) }
                        return request.with { head, bytes, host, path in
                            call.isHTTP = true
                            call.method = head.methodRange.of(bytes)
                            call.host = host
                            call.authority = host
                            call.path = path
                            return body(call, head, bytes)
                        }
                    }
                }
            }
        }
    }
}

func policy(
    _ action: AuthorizationPolicyPlan.Action, dryRun: Bool = false, _ rules: AuthorizationRulePlan...
) -> AuthorizationPolicyPlan {
    var plan = AuthorizationPolicyPlan(name: "shop/p", action: action)
    plan.rules = rules
    plan.isDryRun = dryRun
    return plan
}

func rule(
    from: [[TestPredicate]] = [], to: [[TestPredicate]] = [], when: [TestPredicate] = []
) -> AuthorizationRulePlan {
    var rule = AuthorizationRulePlan()
    rule.sources = from
    rule.operations = to
    rule.conditions = when
    return rule
}

func text(_ attribute: TestPredicate.Attribute, _ values: String..., not: Bool = false, name: String = "")
    -> TestPredicate
{
    TestPredicate(attribute, name: name, isNegated: not, values.map { TestValue(pattern: $0) })
}

@Suite struct AuthorizationRules {
    // MARK: values

    static let values: [(pattern: String, kind: TestValue.Kind?, value: String, fits: Bool)] = [
        ("/a", nil, "/a", true), ("/a", nil, "/A", false), ("/a", nil, "/a/", false), ("/a*", nil, "/a", true),
        ("/a*", nil, "/abc", true), ("/a*", nil, "/", false), ("*.json", nil, "/x.json", true),
        ("*.json", nil, "/x.jsonp", false), ("*", nil, "/", true), ("**", nil, "/a*", true), ("**", nil, "/a", false),
        ("/{*}", .template, "/a", true), ("/{*}", .template, "/", false), ("/{*}", .template, "/a/", false),
        ("/{*}", .template, "/a/b", false), ("/a/{*}/c", .template, "/a/b/c", true),
        ("/a/{*}/c", .template, "/a//c", false), ("/a/{*}/c", .template, "/a/b/b/c", false),
        ("/a/{**}", .template, "/a/", true), ("/a/{**}", .template, "/a", false),
        ("/a/{**}", .template, "/a/b/c", true),
        ("/a/{**}/c", .template, "/a/b/b/c", true), ("/a/{**}/c", .template, "/a/c", false),
        ("/{*}/{**}/", .template, "/a/b/", true), ("/{*}/{**}/", .template, "/a/b", false),
        ("/{**}", .template, "/", true), ("/{*}", .template, "/\u{fc}\u{df}", true),
    ]

    @Test(arguments: values) func aPath(_ row: (pattern: String, kind: TestValue.Kind?, value: String, fits: Bool))
        throws
    {
        let value = row.kind.map { TestValue($0, row.pattern) } ?? TestValue(pattern: row.pattern)
        let policies = try TestPolicies([policy(.allow, rule(to: [[TestPredicate(.path, [value])]]))])
        let verdict = policies.ask(.unknown, TestRequest(row.value))
        #expect(verdict.isAllowed == row.fits, "\(row)")
    }

    static let globs: [(glob: String, namespace: String, fits: Bool)] = [
        ("dev-*", "dev-a", true), ("*-a", "dev-a", true), ("d*-*a", "dev-a", true), ("d*x*a", "dev-a", false),
        ("*", "a", true), ("*", "", false), ("a*b*a*b*a*b", "abababababababababababababababababa", false),
    ]

    @Test(arguments: globs) func aNamespace(_ row: (glob: String, namespace: String, fits: Bool)) throws {
        let policies = try TestPolicies(
            [policy(.allow, rule(from: [[TestPredicate(.sourceNamespace, [TestValue(.glob, row.glob)])]]))],
            trustsAddresses: true)
        var caller = TestCaller.byAddress
        caller.namespace = row.namespace
        #expect(policies.ask(caller, TestRequest("/")).isAllowed == row.fits, "\(row)")
    }

    static let predicates: [(name: String, predicate: TestPredicate, holds: Bool)] = [
        ("an address", TestPredicate(.sourceAddress, [TestValue(range: AddressRange("10.0.0.0/8")!)]), true),
        ("another address", TestPredicate(.sourceAddress, [TestValue(range: AddressRange("192.0.2.0/24")!)]), false),
        ("the client's", TestPredicate(.clientAddress, [TestValue(range: AddressRange("192.0.2.7")!)]), true),
        (
            "not the client's",
            TestPredicate(.clientAddress, isNegated: true, [TestValue(range: AddressRange("0.0.0.0/0")!)]), false
        ),
        ("a port", TestPredicate(.destinationPort, [TestValue(port: 81), TestValue(port: 80)]), true),
        ("not a port", TestPredicate(.destinationPort, isNegated: true, [TestValue(port: 80)]), false),
        ("a principal", text(.sourcePrincipal, "cluster.local/ns/shop/sa/front"), true),
        ("its end", text(.sourcePrincipal, "*/sa/front"), true),
        ("any principal", text(.sourcePrincipal, "*"), true),
        ("another principal", text(.sourcePrincipal, "cluster.local/ns/shop/sa/fron"), false),
        ("an account", TestPredicate(.sourceServiceAccount, [TestValue(.exact, "shop/front")]), true),
        ("half an account", TestPredicate(.sourceServiceAccount, [TestValue(.exact, "shop/fro")]), false),
        ("a trust domain", text(.sourceTrustDomain, "cluster.local"), true),
        ("half a trust domain", text(.sourceTrustDomain, "cluster"), false),
        ("its beginning", text(.sourceTrustDomain, "cluster*"), true),
        ("a host of any case", text(.host, "EXAMPLE.com"), true),
        ("a host's end", text(.host, "*.COM"), true),
        ("a method", text(.method, "GET"), true), ("a method of another case", text(.method, "get"), false),
        ("a header", text(.header, "v1", name: "x-version"), true),
        ("any header", text(.header, "*", name: "x-empty"), true),
        ("a header that is not there", text(.header, "*", name: "x-none"), false),
        ("not a header that is not there", text(.header, "*", not: true, name: "x-none"), true),
        ("a server name that is not there", text(.serverName, "*"), false),
        ("not a server name", text(.serverName, "a.b", not: true), true),
        (
            "an address that nobody named",
            TestPredicate(.destinationAddress, [TestValue(range: AddressRange("::/0")!)]), false
        ),
    ]

    @Test(arguments: predicates) func aPredicate(_ row: (name: String, predicate: TestPredicate, holds: Bool)) throws {
        let request = TestRequest("/", headers: [("X-Version", "v1"), ("X-Empty", "")])
        let policies = try TestPolicies([policy(.allow, rule(when: [row.predicate]))])
        #expect(policies.ask(.verified, request).isAllowed == row.holds, "\(row.name)")
    }

    // MARK: order

    @Test func policiesInOrder() throws {
        let all = rule()
        let get = rule(to: [[text(.method, "GET")]])
        let cases: [([AuthorizationPolicyPlan], AuthorizationVerdict.Cause)] = [
            ([policy(.allow)], .noRule), ([policy(.allow, all)], .allowed), ([policy(.deny)], .allowed),
            ([policy(.deny, all)], .rule), ([policy(.allow, all), policy(.deny, get)], .rule),
            ([policy(.allow), policy(.allow, get)], .allowed),
            ([policy(.deny, rule(to: [[text(.method, "PUT")]]))], .allowed),
            ([policy(.allow, dryRun: true)], .allowed), ([policy(.deny, dryRun: true, all)], .allowed),
        ]
        for (policies, cause) in cases {
            #expect(try TestPolicies(policies).ask(.unknown, TestRequest("/")).cause == cause, "\(policies)")
        }
    }

    @Test func theRuleThatDecidedIsTold() throws {
        let policies = try TestPolicies([
            policy(.allow, rule()), policy(.deny, rule(to: [[text(.method, "PUT")]]), rule(to: [[text(.path, "/x")]])),
        ])
        #expect(policies.ask(.unknown, TestRequest("/x")) == AuthorizationVerdict(.rule, policy: 1, rule: 1))
        #expect(policies.ask(.unknown, TestRequest("/")) == AuthorizationVerdict(.allowed, policy: 0, rule: 0))
    }

    @Test func aRuleIsSourcesAndOperationsAndConditions() throws {
        let here = TestPredicate(.sourceAddress, [TestValue(range: AddressRange("10.0.0.0/8")!)])
        let away = TestPredicate(.sourceAddress, isNegated: true, [TestValue(range: AddressRange("10.0.0.0/8")!)])
        let get = text(.method, "GET")
        let put = text(.method, "PUT")
        let cases: [(AuthorizationRulePlan, Bool)] = [
            (rule(from: [[away], [here]], to: [[put], [get]]), true), (rule(from: [[away]], to: [[get]]), false),
            (rule(from: [[here, away]]), false), (rule(from: [[here]], to: [[put]]), false),
            (rule(from: [[here]], to: [[get]], when: [away]), false), (rule(when: [here, get]), true),
        ]
        for (rule, holds) in cases {
            #expect(try TestPolicies([policy(.allow, rule)]).ask(.unknown, TestRequest("/")).isAllowed == holds)
        }
    }

    @Test func aDryRunIsRehearsed() throws {
        let get = rule(to: [[text(.method, "GET")]])
        let policies = try TestPolicies([policy(.allow, rule()), policy(.deny, dryRun: true, get)])
        #expect(policies.ask(.unknown, TestRequest("/")).isAllowed)
        #expect(
            policies.ask(.unknown, TestRequest("/"), isDryRun: true) == AuthorizationVerdict(.rule, policy: 1, rule: 0))
        let allowing = try TestPolicies([policy(.allow, dryRun: true, get)])
        #expect(allowing.ask(.unknown, TestRequest("/", method: "PUT")).isAllowed)
        #expect(
            allowing.ask(.unknown, TestRequest("/", method: "PUT"), isDryRun: true)
                == AuthorizationVerdict(.noRule, policy: 0))
        // What another policy allows would still be allowed.
        let wider = try TestPolicies([policy(.allow, rule()), policy(.allow, dryRun: true, get)])
        #expect(wider.ask(.unknown, TestRequest("/", method: "PUT"), isDryRun: true).isAllowed)
    }

    // MARK: callers

    static let identities:
        [(
            name: String, action: AuthorizationPolicyPlan.Action, predicate: TestPredicate, verified: Bool,
            byAddress: Bool,
            trusted: Bool, unknown: Bool
        )] = [
            // Whether the rule holds.
            ("ALLOW its namespace", .allow, text(.sourceNamespace, "shop"), true, false, true, false),
            ("ALLOW others", .allow, text(.sourceNamespace, "bad", not: true), true, false, true, false),
            ("DENY its namespace", .deny, text(.sourceNamespace, "shop"), true, true, true, false),
            ("DENY all but it", .deny, text(.sourceNamespace, "shop", not: true), false, true, false, true),
            ("ALLOW any principal", .allow, text(.sourcePrincipal, "*"), true, false, false, false),
            ("ALLOW all but a principal", .allow, text(.sourcePrincipal, "x", not: true), true, false, false, false),
            ("DENY any principal", .deny, text(.sourcePrincipal, "*"), true, false, false, false),
            ("DENY without principal", .deny, text(.sourcePrincipal, "*", not: true), false, true, true, true),
        ]

    @Test(arguments: identities) func callersWithoutCertificate(
        _ row: (
            name: String, action: AuthorizationPolicyPlan.Action, predicate: TestPredicate, verified: Bool,
            byAddress: Bool,
            trusted: Bool, unknown: Bool
        )
    ) throws {
        func holds(_ caller: TestCaller, trusts: Bool) throws -> Bool {
            let policies = try TestPolicies(
                [policy(row.action, rule(from: [[row.predicate]]))], trustsAddresses: trusts)
            return policies.ask(caller, TestRequest("/")).isAllowed == (row.action == .allow)
        }
        #expect(try holds(.verified, trusts: false) == row.verified, "verified: \(row.name)")
        #expect(try holds(.byAddress, trusts: false) == row.byAddress, "by address: \(row.name)")
        #expect(try holds(.byAddress, trusts: true) == row.trusted, "trusted: \(row.name)")
        #expect(try holds(.unknown, trusts: true) == row.unknown, "unknown: \(row.name)")
    }

    @Test func strictAsksForACertificate() throws {
        let strict = StrictPlan(policy: "shop/mtls", position: SourcePosition(file: 0, line: 3, column: 1))
        let policies = try TestPolicies([], trustsAddresses: true, strict: strict)
        #expect(policies.ask(.verified, TestRequest("/")).isAllowed)
        #expect(policies.ask(.byAddress, TestRequest("/")).cause == .unverified)
        #expect(policies.ask(.unknown, nil).cause == .unverified)
    }

    // MARK: connections

    @Test func onConnectionsWhatAsksForRequestsIsStricter() throws {
        let port = TestPredicate(.destinationPort, [TestValue(port: 80)])
        let other = TestPredicate(.destinationPort, [TestValue(port: 81)])
        let path = text(.path, "/x")
        let cases: [(AuthorizationPolicyPlan, Bool)] = [
            (policy(.allow, rule(to: [[port]])), true),
            // One part that asks for a request takes the whole rule away.
            (policy(.allow, rule(to: [[port], [path]])), false), (policy(.allow, rule(to: [[port, path]])), false),
            (policy(.deny, rule(to: [[path]])), false), (policy(.deny, rule(to: [[port, path]])), false),
            (policy(.deny, rule(to: [[other, path]])), true),
            (policy(.deny, rule(to: [[other]], when: [text(.header, "a", not: true, name: "b")])), true),
        ]
        for (policy, isAllowed) in cases {
            #expect(try TestPolicies([policy]).ask(.unknown, nil).isAllowed == isAllowed, "\(policy)")
        }
        var caller = TestCaller.unknown
        caller.serverName = "a.example"
        caller.destination = "10.9.9.9"
        let named = policy(
            .allow,
            rule(when: [
                text(.serverName, "*.Example"),
                TestPredicate(.destinationAddress, [TestValue(range: AddressRange("10.9.0.0/16")!)]),
            ]))
        #expect(try TestPolicies([named]).ask(caller, nil).isAllowed)
    }

    // MARK: much

    @Test func aThousandRulesOfManyValues() throws {
        var plan = policy(.allow)
        for number in 0..<1000 {
            let paths = (0..<50).map { TestValue(.exact, "/\(number)/\($0)") }
            plan.rules.append(rule(to: [[TestPredicate(.path, paths)]]))
        }
        let policies = try TestPolicies([plan])
        #expect(policies.ask(.unknown, TestRequest("/999/49")) == AuthorizationVerdict(.allowed, policy: 0, rule: 999))
        #expect(policies.ask(.unknown, TestRequest("/999/50")).cause == .noRule)
    }
}

extension AddressRange {
    fileprivate init?(_ text: String) {
        guard let range = text.withView({ AddressRange($0) }) else { return nil }
        self = range
    }
}
