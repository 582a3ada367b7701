import Config
import Testing

@Suite("HTTPRouteRule.matches: precedence") struct PrecedenceTests {
    /// The same matches in both orders: precedence must not come from their place.
    static let pairs: [(rule: String, winner: MatchPlan, loser: MatchPlan, request: TestRequest)] = [
        (
            "exact before a prefix of the same path", .init(path: .exact("/foo")), .init(path: .prefix("/foo")),
            .init("/foo")
        ),
        (
            "exact before everything else of the match", .init(path: .exact("/foo")),
            .init(path: .prefix("/foo"), method: "GET", headers: [.exact("a", "1")], queryParams: [.exact("q", "1")]),
            .init("/foo?q=1", headers: [("A", "1")])
        ),
        (
            "exact before expression", .init(path: .exact("/foo")), .init(path: .regularExpression("/f.*")),
            .init("/foo")
        ),
        (
            "expression before prefix", .init(path: .regularExpression("/f.*")), .init(path: .prefix("/foo/bar")),
            .init("/foo/bar")
        ),
        (
            "the longer expression first", .init(path: .regularExpression("/foo.*")),
            .init(path: .regularExpression("/f.*"), method: "GET"), .init("/foo")
        ),
        (
            "the longer prefix first", .init(path: .prefix("/foo/bar")), .init(path: .prefix("/foo"), method: "GET"),
            .init("/foo/bar/x")
        ),
        (
            "method before headers", .init(path: .prefix("/"), method: "GET"),
            .init(path: .prefix("/"), headers: [.exact("a", "1"), .exact("b", "1")]),
            .init("/", headers: [("a", "1"), ("b", "1")])
        ),
        (
            "headers before query parameters", .init(path: .prefix("/"), headers: [.exact("a", "1")]),
            .init(path: .prefix("/"), queryParams: [.exact("q", "1"), .exact("p", "1")]),
            .init("/?q=1&p=1", headers: [("a", "1")])
        ),
        (
            "more headers first", .init(path: .prefix("/"), headers: [.exact("a", "1"), .exact("b", "1")]),
            .init(path: .prefix("/"), headers: [.exact("a", "1")], queryParams: [.exact("q", "1")]),
            .init("/?q=1", headers: [("b", "1"), ("a", "1")])
        ),
        (
            "more query parameters first",
            .init(path: .prefix("/"), queryParams: [.exact("q", "1"), .exact("p", "1")]),
            .init(path: .prefix("/"), queryParams: [.exact("q", "1")]), .init("/?q=1&p=1")
        ),
    ]

    @Test(arguments: pairs)
    func prefers(rule: String, winner: MatchPlan, loser: MatchPlan, request: TestRequest) throws {
        #expect(try TestTable(.matches([winner, loser])).winner(request) == "r 0.0", "\(rule)")
        #expect(try TestTable(.matches([loser, winner])).winner(request) == "r 1.0", "\(rule), written last")
        let twoRoutes = GatewayPlan.oneListener([("old", [""], [[loser]]), ("new", [""], [[winner]])])
        #expect(try TestTable(twoRoutes).winner(request) == "new 0.0", "\(rule), across routes")
    }

    @Test func tieGoesToTheEarlierRouteThenRuleThenMatch() throws {
        let match = MatchPlan(path: .prefix("/a"))
        let plan = GatewayPlan.oneListener([("first", [""], [[match, match], [match]]), ("second", [""], [[match]])])
        #expect(try TestTable(plan).winner(.init("/a")) == "first 0.0")
        let other = MatchPlan(path: .prefix("/b"))
        let later = GatewayPlan.oneListener([
            ("first", [""], [[other], [other, match], [match]]), ("second", [""], [[match]]),
        ])
        #expect(try TestTable(later).winner(.init("/a")) == "first 1.1")
    }

    @Test func aLongerPrefixWhosePredicateFailsFallsToTheShorter() throws {
        let table = try TestTable(
            .matches([
                .init(path: .prefix("/")), .init(path: .prefix("/a/b"), headers: [.exact("v", "2")]),
                .init(path: .prefix("/a"), method: "POST"),
                .init(path: .exact("/a/b/c"), queryParams: [.exact("q", "1")]),
            ]))
        #expect(table.winner(.init("/a/b/c?q=1")) == "r 3.0")
        #expect(table.winner(.init("/a/b/c", headers: [("V", "2")])) == "r 1.0")
        #expect(table.winner(.init("/a/b/c", method: "POST")) == "r 2.0")
        #expect(table.winner(.init("/a/b/c")) == "r 0.0")
    }

    /// Matches as GRPCRoutes give them, and the specification's order: characters of the service, then of the method, then
    /// headers (GRPCRouteRule.matches).
    private static func grpc(_ path: MatchPlan.Path, rankLength: Int? = nil, headers: Int = 0) -> MatchPlan {
        var match = MatchPlan(path: path, method: "POST", headers: (0..<headers).map { .exact("h\($0)", "1") })
        match.rankLength = rankLength
        return match
    }

    static let callPairs: [(rule: String, winner: MatchPlan, loser: MatchPlan)] = [
        ("service and method before the service", grpc(.exact("/a.B/C")), grpc(.prefix("/a.B"), headers: 2)),
        ("service and method before the method", grpc(.exact("/a.B/C")), grpc(.lateExpression("/[^/]+/C"), headers: 2)),
        ("a service before a method", grpc(.prefix("/a.B")), grpc(.lateExpression("/[^/]+/C"), headers: 2)),
        ("a method before nothing", grpc(.lateExpression("/[^/]+/C")), grpc(.prefix("/"), headers: 2)),
        ("an expression before a method", grpc(.regularExpression("/a.*")), grpc(.lateExpression("/[^/]+/C"))),
        (
            "the longer of two expressions for services, whatever their methods",
            grpc(.regularExpression("/(?:a.[B])/(?:.)"), rankLength: 5 << 11 | 1),
            grpc(.regularExpression("/(?:a..)/(?:[A-Z]?[A-Z]?)"), rankLength: 3 << 11 | 14)
        ),
        (
            "the longer of two expressions for methods", grpc(.lateExpression("/[^/]+/(?:[C])"), rankLength: 3),
            grpc(.lateExpression("/[^/]+/(?:.)"), rankLength: 1, headers: 2)
        ),
        ("more headers", grpc(.lateExpression("/[^/]+/C"), headers: 2), grpc(.lateExpression("/[^/]+/C"), headers: 1)),
    ]

    @Test(arguments: callPairs) func prefersCalls(rule: String, winner: MatchPlan, loser: MatchPlan) throws {
        let call = TestRequest("/a.B/C", method: "POST", headers: [("h0", "1"), ("h1", "1")])
        #expect(try TestTable(.matches([winner, loser])).winner(call) == "r 0.0", "\(rule)")
        #expect(try TestTable(.matches([loser, winner])).winner(call) == "r 1.0", "\(rule), written last")
    }

    @Test func aMethodOfAnyServiceLeavesOtherMethodsAlone() throws {
        let table = try TestTable(.matches([Self.grpc(.lateExpression("/[^/]+/C")), Self.grpc(.prefix("/"))]))
        #expect(table.winner(TestRequest("/a.B/C", method: "POST")) == "r 0.0")
        #expect(table.winner(TestRequest("/a.B/CC", method: "POST")) == "r 1.0")
        #expect(table.winner(TestRequest("/a/B/C", method: "POST")) == "r 1.0")
    }
}
