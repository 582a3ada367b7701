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
        // Two stand before the winner and five after it.
        for limit in 0...6 {
            let explanation = table.explain(.init("/cart", host: "shop.example.com"), limit: limit)
            #expect(explanation.candidates.count == 1 + min(2, limit) + min(5, limit))
            #expect(explanation.omittedBefore == max(0, 2 - limit))
            #expect(explanation.omittedAfter == max(0, 5 - limit))
            #expect(explanation.candidates[min(2, limit)].verdict == .won)
        }
        let nobody = table.explain(.init("/", host: "a.example.com"), limit: 3)
        #expect(nobody.candidates.count == 3 && nobody.omittedBefore == 5 && nobody.omittedAfter == 0)
    }

    /// Of many, those are told that a person would look at: what met the most, and the paths most like the request's.
    @Test func theNearestAreKept() throws {
        let table = try table()
        #expect(
            lines(table.explain(.init("/cart/1", host: "shop.example.com"), limit: 1), table) == [
                "shop.example.com canary 0: header 'x-version'", "shop.example.com shop 0: won",
                "*.example.com shop 0: outranked",
            ])
        #expect(
            lines(table.explain(.init("/", host: "a.example.com"), limit: 2), table)
                == ["*.example.com shop 1: path", " any 0: query parameter 'debug'"])
        let paths = ["/", "/a", "/health/deep/path", "/healthy", "/heal", "/x"]
        let many = try TestTable(.matches(paths.map { .init(path: .exact($0)) }))
        let found = many.explain(.init("/health/x"), limit: 2)
        #expect(
            found.candidates.map { many.snapshot.text($0.match.pointee.path).string }
                == ["/health/deep/path", "/healthy"])
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
