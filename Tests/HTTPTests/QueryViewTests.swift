import Core
import HTTP
import Testing

@Suite("HTTPQueryParamMatch") struct QueryViewTests {
    private func pairs(_ query: String) -> [String] {
        query.withView { view in
            var pairs = QueryView(view)
            var found: [String] = []
            while let pair = pairs.next() { found.append("\(pair.name.string)>\(pair.value.string)") }
            return found
        }
    }

    @Test(
        arguments: [
            ("", []), ("a=1", ["a>1"]), ("a=1&b=2", ["a>1", "b>2"]), ("a", ["a>"]), ("a=", ["a>"]), ("=1", [">1"]),
            ("a==1", ["a>=1"]), ("&&a=1&&", ["a>1"]), ("a=1;b=2", ["a>1;b=2"]), ("a=1?b=2", ["a>1?b=2"]), ("=", [">"]),
        ] as [(String, [String])]) func iterates(_ query: String, _ expected: [String])
    { #expect(pairs(query) == expected) }

    @Test(
        arguments: [
            ("a=1&a=2", "a", "1"), ("b=0&a=1", "a", "1"), ("%61=1", "a", "1"), ("a+b=1", "a b", "1"), ("A=1", "a", nil),
            ("ab=1", "a", nil), ("a", "a", ""), ("x=a=1", "a", nil), ("", "a", nil), ("a%=1", "a%", "1"),
        ] as [(String, String, String?)]) func firstOccurrence(_ query: String, _ name: String, _ expected: String?)
    {
        let found = query.withView { view in
            name.withView { QueryView.firstValue(of: $0, in: view)?.string }
        }
        #expect(found == expected)
    }

    @Test(arguments: [
        ("a", "a", true), ("a+b", "a b", true), ("a%20b", "a b", true), ("a%2Bb", "a+b", true), ("a+b", "a+b", false),
        ("%c3%A9", "é", true), ("%4", "%4", true), ("%zz", "%zz", true), ("%", "%", true), ("a%2", "a%2", true),
        ("%2561", "%61", true), ("%2561", "a", false), ("", "", true), ("a", "", false), ("", "a", false),
        ("ab", "a", false), ("a", "ab", false), ("%00", "\0", true),
    ]) func decoding(_ encoded: String, _ text: String, _ same: Bool) {
        #expect(encoded.withView { view in text.withView { QueryView.decodes(view, to: $0) } } == same)
        var buffer = ByteBuffer()
        encoded.withView { QueryView.decode($0, into: &buffer) }
        #expect((buffer.view.array == Array(text.utf8)) == same)
    }
}
