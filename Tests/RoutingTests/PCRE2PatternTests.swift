import Config
import Core
import Routing
import Testing

@Suite struct PCRE2PatternTests {
    @Test(arguments: [("a(b", 3), ("[a", 2), ("*a", 0), ("a\\", 2), ("(?P<n", 5), ("(*UTF)a", 6)])
    func tellsWhereAnExpressionIsWrong(expression: String, offset: Int) throws {
        let error = #expect(throws: PatternError.self) { try PCRE2Pattern(expression) }
        #expect(try #require(error).offset == offset)
        #expect(try !#require(error).message.isEmpty)
    }

    @Test func aPatternThatExplodesIsNoMatch() throws {
        let pattern = try PCRE2Pattern("(a+)+b|(?:a?){40}a{40}c")
        let hostile = Array(repeating: UInt8(ascii: "a"), count: 60) + [0x21]
        #expect(!hostile.withView(pattern.matches))
        #expect(pattern.limitHits == 1)
        #expect("aaab".withView(pattern.matches))
    }

    @Test func groupsThatRepeatAreFineOnTheLongestRequestLine() throws {
        let pattern = try PCRE2Pattern("(a|b|/c)*(?:x|y)?")
        #expect(Array(repeating: UInt8(ascii: "b"), count: 16 * 1024).withView(pattern.matches))
        #expect(pattern.limitHits == 0)
    }

    @Test func emptyAndLongValues() throws {
        let pattern = try PCRE2Pattern("[a-z]*")
        #expect(pattern.matches(.empty))
        #expect(Array(repeating: UInt8(ascii: "q"), count: 60_000).withView(pattern.matches))
        #expect(try PCRE2Pattern("").matches(.empty))
    }

    @Test(
        "RE2's usual constructs mean the same",
        arguments: [
            ("(?P<name>x)y", "xy", true), ("(?i:AB)c", "abc", true), ("\\Qa.b\\E", "a.b", true),
            ("\\Qa.b\\E", "axb", false),
            ("[[:alpha:]]+", "ab", true), ("a{2,3}", "aaaa", false), ("\\x41", "A", true), ("(?s).*", "a\nb", true),
            ("a$", "a\n", false),
            ("\\w+\\b", "a_1", true), ("^/api/(?:v1|v2)$", "/api/v2", true),
        ])
    func dialect(expression: String, value: String, matches: Bool) throws {
        #expect(value.withView(try PCRE2Pattern(expression).matches) == matches)
    }

    @Test func aReloadCompilesOnlyWhatIsNew() throws {
        let cache = PatternCache()
        func plan(_ expressions: [String]) -> GatewayPlan {
            .matches(expressions.map { .init(path: .regularExpression($0)) })
        }
        let first = try TestTable(plan(["[/]a.*", "[/]b.*", "[/]c.*"]), cache: cache)
        #expect(cache.compilations == 0)
        #expect(first.winner(.init("/cc")) == "r 2.0")
        #expect(cache.compilations == 3)
        let second = try TestTable(plan(["[/]d.*", "[/]c.*", "[/]a.*"]), cache: cache)
        #expect(second.winner(.init("/aa")) == "r 2.0")
        #expect(cache.compilations == 4)
        #expect(first.winner(.init("/bb")) == "r 1.0")
        #expect(cache.compilations == 4)
    }

    @Test func theCacheForgetsWhatNoTableUses() throws {
        let cache = PatternCache()
        for round in 0..<(PatternCache.spareLimit * 3 / 50) {
            let matches = (0..<50).map { MatchPlan(path: .regularExpression("/\(round)/\($0)")) }
            #expect(try TestTable(.matches(matches), cache: cache).winner(.init("/\(round)/49")) == "r 49.0")
        }
        #expect(cache.count <= PatternCache.spareLimit + 50)
    }

    @Test func anExpressionThatDoesNotCompileMatchesNothing() throws {
        let table = try TestTable(.matches([.init(path: .regularExpression("(")), .init(path: .prefix("/"))]))
        #expect(table.winner(.init("/(")) == "r 1.0")
    }
}
