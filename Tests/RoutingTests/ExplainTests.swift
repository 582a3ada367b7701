import Config
import Routing
import Testing

@Suite struct ExplainTests {
    private func table() throws -> TestTable {
        var plan = GatewayPlan.oneListener([
            ("canary", ["shop.example.com"], [[.init(path: .prefix("/cart"), headers: [.exact("x-version", "v2")])]]),
            (
                "shop", ["shop.example.com", "*.example.com"],
                [[.init(path: .prefix("/cart")), .init(path: .exact("/health"))]]
            ),
            ("any", [""], [[.init(path: .prefix("/"), queryParams: [.exact("debug", "1")])]]),
        ])
        plan.sockets[0].listeners.append(
            .test("other", hostname: "other.example.org", [.init(hostnames: ["other.example.org"], route: 1)]))
        return try TestTable(plan)
    }

    private func lines(_ explanation: RouteExplanation, _ table: TestTable) -> [String] {
        explanation.candidates.map { candidate in
            let rule = table.snapshot[table.snapshot.header.pointee.rules, Int(candidate.match.pointee.rule)].pointee
            let route = table.snapshot[table.snapshot.header.pointee.routes, Int(rule.route)].pointee
            let verdict =
                switch candidate.verdict {
                case .won: "won"
                case .outranked: "outranked"
                case .lost(let predicate): RouteExplanation.describe(predicate, in: table.snapshot)
                }
            return
                "\(candidate.hostname) \(table.snapshot.text(route.name).string) \(candidate.match.pointee.match): \(verdict)"
        }
    }

    @Test func everyLoserSaysWhy() throws {
        let table = try table()
        #expect(
            lines(table.explain(.init("/cart/1?debug=1", host: "shop.example.com")), table) == [
                "shop.example.com shop 1: path", "shop.example.com canary 0: header 'x-version'",
                "shop.example.com shop 0: won",
                "*.example.com shop 1: path", "*.example.com shop 0: outranked", " any 0: outranked",
                "other.example.org shop 1: listener hostname", "other.example.org shop 0: listener hostname",
            ])
    }

    @Test func noRouteNamesEveryReason() throws {
        let table = try table()
        let explanation = table.explain(.init("/", host: "a.example.com"))
        #expect(explanation.decision.outcome == .noRoute)
        #expect(
            lines(explanation, table) == [
                "shop.example.com shop 1: route hostname", "shop.example.com canary 0: route hostname",
                "shop.example.com shop 0: route hostname", "*.example.com shop 1: path", "*.example.com shop 0: path",
                " any 0: query parameter 'debug'", "other.example.org shop 1: listener hostname",
                "other.example.org shop 0: listener hostname",
            ])
    }

    @Test func aLimitKeepsTheWinnerAndCountsTheRest() throws {
        let table = try table()
        for limit in 1...8 {
            let explanation = table.explain(.init("/cart", host: "shop.example.com"), limit: limit)
            #expect(explanation.candidates.count == limit)
            #expect(explanation.omitted == 8 - limit)
            #expect(explanation.candidates.contains { $0.verdict == .won })
        }
    }

    @Test func candidatesKnowWhereTheyWereWritten() throws {
        var plan = GatewayPlan.matches([
            .init(path: .prefix("/"), position: SourcePosition(file: 0, line: 12, column: 9))
        ])
        plan.files = ["shop.yaml"]
        let explanation = try TestTable(plan).explain(.init("/"))
        #expect(explanation.candidates[0].match.pointee.position == SourcePosition(file: 0, line: 12, column: 9))
    }
}
