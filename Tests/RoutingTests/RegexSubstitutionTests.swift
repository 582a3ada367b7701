import Core
import Testing

@testable import Routing

@Suite("RE2, GlobalReplace") struct RegexSubstitutionTests {
    private static func replace(_ value: String, _ pattern: String, _ substitution: String) throws -> String? {
        let pattern = try PCRE2Pattern(pattern, .anywhere)
        var output = ByteBuffer()
        let outcome = value.withView { value in
            substitution.withView { RegexSubstitution.replaceAll(pattern, in: value, by: $0, to: &output) }
        }
        switch outcome {
        case .unmatched: return nil
        case .replaced: return output.view.string
        case .givenUp: return "given up"
        }
    }

    @Test(
        arguments: [
            ("abc", "b", "x", "axc"), ("aaa", "a", "b", "bbb"), ("abc", "z", "x", nil), ("", "^", "x", "x"),
            ("baac", "a*", "x", "xbxcx"), ("abc", "", "-", "-a-b-c-"), ("/a/b", "^/a", "/x", "/x/b"),
            ("/a/a", "^/a", "/x", "/x/a"), ("abcd", "(b)(c)", "\\2\\1\\0", "acbbcd"), ("a", "(a)|(b)", "[\\2]", "[]"),
            ("ab", "b$", "\\\\", "a\\"), ("x1y22", "[0-9]+", "<\\0>", "x<1>y<22>"),
            ("abc", "(?<=a)b", "x", "axc"),
        ] as [(String, String, String, String?)]) func results(
            _ value: String, _ pattern: String, _ substitution: String, _ expected: String?
        ) throws
    {
        #expect(try Self.replace(value, pattern, substitution) == expected)
    }

    @Test func limits() throws {
        let many = String(repeating: "a", count: RegexSubstitution.replacementLimit)
        #expect(try Self.replace(many, "a", "b") == String(repeating: "b", count: many.utf8.count))
        #expect(try Self.replace(many + "a", "a", "b") == "given up")
        let long = String(repeating: "x", count: 1000)
        #expect(try Self.replace("aaaaaaaaaaaaaaaaaa", "a", long) == "given up")
        // A hostile value: each step tries everything again.
        #expect(try Self.replace(String(repeating: "a", count: 64) + "!", "(a|aa)+$", "x") == "given up")
    }

    @Test(arguments: [
        ("", 0, true), ("abc", 0, true), ("\\0", 0, true), ("\\1", 1, true), ("\\1", 0, false), ("\\9", 8, false),
        ("a\\", 0, false), ("\\\\", 0, true), ("\\\\1", 0, true), ("\\a", 3, false), ("$1", 0, true),
    ]) func substitutions(_ text: String, _ groups: Int, _ isFine: Bool) {
        #expect((text.withView { RegexSubstitution.problem($0, groups: groups) } == nil) == isFine)
    }
}
