import Config
import Testing

@Suite("HTTPHeaderMatch, HTTPQueryParamMatch, method") struct ValueMatchTests {
    private func holds(_ match: MatchPlan, _ request: TestRequest) throws -> Bool {
        try TestTable(.matches([match])).winner(request) == "r 0.0"
    }

    @Test(arguments: [
        ([("X-Version", "v2")], true), ([("x-version", "v2")], true), ([("X-VERSION", "v2")], true),
        ([("x-version", "V2")], false),
        ([("x-version", "v2 ")], false), ([("x-versio", "v2")], false), ([("x-version", "")], false), ([], false),
        ([("a", "b"), ("x-version", "v2"), ("c", "d")], true), ([("x-version", "v2"), ("x-version", "v2")], false),
        ([("x-version", "v1"), ("x-version", "v2")], false),
    ])
    func exactHeader(headers: [(String, String)], matches: Bool) throws {
        #expect(
            try holds(.init(path: .prefix("/"), headers: [.exact("x-version", "v2")]), .init("/", headers: headers))
                == matches)
    }

    @Test("Several lines are one value, joined in order (RFC 9110, section 5.3)") func joinedLines() throws {
        let lines = [("x", "a"), ("y", "-"), ("X", "b"), ("x", "c")]
        #expect(try holds(.init(path: .prefix("/"), headers: [.exact("x", "a,b,c")]), .init("/", headers: lines)))
        #expect(try holds(.init(path: .prefix("/"), headers: [.regex("x", "a,.*")]), .init("/", headers: lines)))
        #expect(try !holds(.init(path: .prefix("/"), headers: [.regex("x", "[abc]")]), .init("/", headers: lines)))
        let cookies = [("Cookie", "a=1"), ("cookie", "b=2")]
        #expect(
            try holds(.init(path: .prefix("/"), headers: [.exact("cookie", "a=1; b=2")]), .init("/", headers: cookies)))
    }

    @Test("A well-known field is found as any other") func wellKnown() throws {
        let request = TestRequest("/", headers: [("User-Agent", "curl/8"), ("ORIGIN", "https://a")])
        #expect(
            try holds(
                .init(path: .prefix("/"), headers: [.regex("user-agent", "curl/.*"), .exact("origin", "https://a")]),
                request))
        #expect(try !holds(.init(path: .prefix("/"), headers: [.exact("referer", "curl/8")]), request))
    }

    @Test(arguments: [
        ("v[0-9]+", "v12", true), ("v[0-9]+", "v12x", false), ("v[0-9]+", "xv12", false), (".*", "", true),
        ("a|ab", "ab", true),
        ("", "", true), ("", "a", false), ("(?i)ABC", "abc", true), ("\\d{2}", "12", true), (".", "\u{E4}", false),
        ("..", "\u{E4}", true),
    ])
    func expressionOnHeader(expression: String, value: String, matches: Bool) throws {
        let match = MatchPlan(path: .prefix("/"), headers: [.regex("x", expression)])
        #expect(try holds(match, .init("/", headers: [("x", value)])) == matches)
    }

    @Test(arguments: [
        ("/?q=1", true), ("/?p=0&q=1", true), ("/?q=1&q=2", true), ("/?q=2&q=1", false), ("/?Q=1", false),
        ("/?q=", false),
        ("/?q", false), ("/", false), ("/?", false), ("/?qq=1", false), ("/?q=1x", false), ("/?%71=%31", true),
        ("/?&q=1", true),
    ])
    func exactQueryParam(target: String, matches: Bool) throws {
        #expect(try holds(.init(path: .prefix("/"), queryParams: [.exact("q", "1")]), .init(target)) == matches)
    }

    @Test(arguments: [
        ("/?q=a+b", "a b", true), ("/?q=a%20b", "a b", true), ("/?q=a%20b", "a.b", true), ("/?q=a%2", "a%2", true),
        ("/?q", "", true), ("/?q=abc", "b", false),
    ])
    func expressionOnQueryParam(target: String, expression: String, matches: Bool) throws {
        let match = MatchPlan(path: .prefix("/"), queryParams: [.regex("q", expression)])
        #expect(try holds(match, .init(target)) == matches)
    }

    @Test(arguments: [
        ("GET", "GET", true), ("GET", "POST", false), ("GET", "get", false), ("PURGE", "PURGE", true),
        ("PURGE", "purge", false),
        ("PURGE", "BAN", false), ("PURGE", "GET", false), ("OPTIONS", "OPTIONS", true),
    ])
    func method(wanted: String, sent: String, matches: Bool) throws {
        #expect(try holds(.init(path: .prefix("/"), method: wanted), .init("/", method: sent)) == matches)
    }
}
