import Config
import Core
import HTTP
import Routing
import Testing

/// What each policy says by itself: AUDIT, and the reasons that `explain` gives.
@Suite struct AuthorizationFindings {
    private func audited(_ policies: TestPolicies, _ caller: TestCaller, _ request: TestRequest?) -> [String] {
        policies.with(caller, request) { call, head, bytes in
            var found: [String] = []
            policies.table.table.audit(policies.config, call, head, bytes) { found.append("\($0).\($1)") }
            return found
        }
    }

    private static func auditing(_ rules: AuthorizationRulePlan...) -> AuthorizationPolicyPlan {
        var plan = policy(.audit)
        plan.rules = rules
        return plan
    }

    @Test func anAuditDecidesNothing() throws {
        let get = rule(to: [[text(.method, "GET")]])
        let policies = try TestPolicies([
            Self.auditing(rule(to: [[text(.method, "PUT")]]), get), policy(.deny, get), Self.auditing(rule()),
            Self.auditing(),
        ])
        #expect(audited(policies, .unknown, TestRequest("/")) == ["0.1", "2.0"])
        #expect(policies.ask(.unknown, TestRequest("/")) == AuthorizationVerdict(.rule, policy: 1, rule: 0))
        #expect(audited(policies, .unknown, TestRequest("/", method: "HEAD")) == ["2.0"])
        #expect(policies.ask(.unknown, TestRequest("/", method: "HEAD")).isAllowed)
        #expect(policies.config.pointee.hasAudit && !policies.config.pointee.hasAllow)
        #expect(try !TestPolicies([policy(.deny, get)]).config.pointee.hasAudit)
    }

    /// On connections the parts that ask for requests are passed over, as in DENY rules: rather more is audited than less.
    @Test func anAuditOfConnections() throws {
        let port = TestPredicate(.destinationPort, [TestValue(port: 80)])
        let policies = try TestPolicies([
            Self.auditing(rule(to: [[port, text(.path, "/x")]])),
            Self.auditing(rule(to: [[TestPredicate(.destinationPort, [TestValue(port: 81)])]])),
        ])
        #expect(audited(policies, .unknown, nil) == ["0.0"])
    }

    /// Each policy is asked, whoever decides, and says what stood in its way.
    @Test func whyRulesDoNotHold() throws {
        var broken = rule(to: [[text(.method, "GET")]])
        broken.neverHolds = true
        let policies = try TestPolicies([
            policy(
                .allow, rule(from: [[text(.sourcePrincipal, "a")]]),
                rule(to: [[text(.method, "PUT")], [text(.path, "/y")]]),
                rule(to: [[text(.method, "GET")]], when: [text(.header, "v2", name: "x-version")]), broken),
            policy(.deny, rule(to: [[text(.path, "/x")]])), Self.auditing(rule()),
        ])
        func say(_ caller: TestCaller, _ request: TestRequest?) -> [String] {
            policies.with(caller, request) { call, head, bytes in
                policies.table.table.examine(policies.config, call, head, bytes).map { finding in
                    if finding.holds { return "\(finding.policy) rule \(finding.rule)" }
                    return "\(finding.policy) " + finding.obstacles.map(name).joined(separator: " ")
                }
            }
        }
        #expect(
            say(.unknown, TestRequest("/x"))
                == ["0 sourcePrincipal path header unreadable", "1 rule 0", "2 rule 0"])
        #expect(
            say(.verified, TestRequest("/y"))
                == ["0 rule 1", "1 path", "2 rule 0"])
        #expect(say(.unknown, nil) == ["0 sourcePrincipal ofRequests ofRequests unreadable", "1 rule 0", "2 rule 0"])
    }

    private func name(_ obstacle: AuthorizationFinding.Obstacle) -> String {
        switch obstacle {
        case .unreadable: "unreadable"
        case .ofRequests: "ofRequests"
        case .predicate(let predicate): "\(predicate.pointee.attribute)"
        }
    }

    @Test func verdictsInWords() throws {
        let policies = try TestPolicies([
            policy(.deny, rule(to: [[text(.path, "/x")]])), policy(.allow, rule(to: [[text(.method, "GET")]])),
            policy(.allow),
        ])
        func words(_ request: TestRequest) -> String {
            var words = ByteBuffer()
            policies.table.table.describe(policies.ask(.unknown, request), policies.config, to: &words)
            return words.view.string
        }
        #expect(words(TestRequest("/x")) == "denied by AuthorizationPolicy shop/p")
        #expect(words(TestRequest("/")) == "allowed by AuthorizationPolicy shop/p")
        #expect(
            words(TestRequest("/", method: "PUT"))
                == "denied: no rule holds of AuthorizationPolicy shop/p, nor of 1 more that allow")
    }

    @Test func waysOutOfAGroup() throws {
        var plan = GatewayPlan.matches([MatchPlan(path: .prefix("/"))])
        plan.groups = [GroupPlan(namespace: "shop", name: "group")]
        plan.sockets[0].listeners[0].group = 0
        plan.routes.append(RoutePlan.test("tls", [[]]))
        plan.routes[1].kind = "TLSRoute"
        plan.sockets[0].listeners[0].attachments.append(.init(hostnames: ["*.payments.example"], route: 1))
        for egress in [EgressDefault.deny, .allow] {
            plan.groups[0].egress = egress
            let table = try TestTable(plan)
            let listener = table.snapshot[table.snapshot.header.pointee.listeners, 0]
            #expect(table.table.wayOut(to: ByteView("eu.payments.example"), by: listener) == .asWritten(1))
            let other: OutwardWay = egress == .deny ? .denied : .asAsked
            #expect(table.table.wayOut(to: ByteView("payments.example"), by: listener) == other)
            // The route of requests is for every host, and for no connection.
            #expect(table.table.wayOut(to: .empty, by: listener) == other)
        }
    }
}
