import Core
import Testing

@testable import Config

@Suite struct LiteralPrefixTests {
    @Test(arguments: [
        ("/api/v[0-9]+", "/api/v"), ("^/api", "/api"), ("/a|/b", ""), ("/v(1|2)/x", "/v"), ("/ab?c", "/a"),
        ("/ab*", "/a"),
        ("/ab+", "/a"), ("/ab{0,1}", "/a"), ("/a.b", "/a"), (".*", ""), ("", ""), ("^", ""), ("(?i)/a", ""),
        ("/a(?i)b", "/a"),
        ("/a\\.b", "/a"), ("/a[|]b", "/a"), ("/a[]|]b", "/a"), ("/a[^]|]b|c", ""), ("/a\\|b", "/a"), ("/a\\(b|c", ""),
        ("/a\\Q(\\E|b", ""), ("/a(?#()|b", ""), ("/a[[:alpha:]]|b", ""), ("/a$", "/a"), ("/a[\\]|]b", "/a"),
        ("/a)|b", ""),
        ("?", ""), ("a", "a"), ("/a[\\Q]\\E]|b", ""), ("^^a", ""), ("/~x_y-z", "/~x_y-z"),
    ])
    func isWhatEveryMatchBeginsWith(expression: String, prefix: String) {
        #expect(expression.withView { LiteralPrefix.of($0).string } == prefix)
    }
}
