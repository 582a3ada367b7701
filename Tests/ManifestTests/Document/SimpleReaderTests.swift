import Core
import Testing

@testable import Manifest

/// Both readers must make the same of everything that ``SimpleReader`` takes.
@Suite struct SimpleReaderAgreesWithLibyaml {
    static let taken = [
        "",
        "# nothing\n",
        "---\n",
        "a: b",
        "a: b\n---\nc: d\n",
        "---\na: 1\n---\n---\nb: 2\n",
        "a:\n  b: c\n  d:\n  - e\n  - f: g\n    h: i\n  -\n  - - j\n    - k\nl: m\n",
        "a:\n- b\n- c\nd: e\n",
        "a:\n\n  # a comment\n  b: c   # another\n\nd:\n",
        "a: 'b c'\nb: \"d: e # f\"\nc: 'it is'\n",
        "'a b': 1\n\"c:d\": 2\n",
        "a: {b: c, d: [1, 2, {e: f}], g: 'h, i'}\n",
        "a: [ ]\nb: { }\nc: [a, b, ]\n",
        "a: {b: c,\n    d: e}\nf: 1\n",
        "{\"a\": {\"b\": [1, true, null, \"x\"]}, \"c\":1}\n",
        "{\n  \"a\" : \"b\",\n  \"c\": [\n    1,\n    2\n  ]\n}\n",
        "a: yes\nb: 0x10\nc: 017\nd: 1e3\ne: ~\nf: -1\ng: .5\nh: 1_000\ni: 2026-01-01\n",
        "a: http://example.com:80/x?y=1\nb: a b  c\nc: x#y\nd: $(a)\n",
        "- a\n- b: c\n- [d]\n",
        "  a: b\n  c: d\n",
        "a: \"\\u00e9\\n\\t\\\"\\\\\"\n",
        "a: grüße 漢字 🦊\nb: ü\n",
        "yes: a\n1: b\n0x10: c\n",
        "a: /b\nb: ~c\nc: (d)\n",
        "a:\n  b:\n  c: d\n",
        "a:\n  - b\n  -\n    c: d\n",
    ]

    @Test(arguments: taken) func theSameNodes(_ text: String) {
        let simple = dump(text, .simpleOnly)
        #expect(simple == dump(text, .libyamlOnly))
        #expect(!simple.isEmpty || text.allSatisfy { "-# nothing\n".contains($0) })
    }

    /// What the simple reader must leave to libyaml, whatever that makes of it.
    static let left = [
        "a: |\n  b\n", "a: >-\n  b\n", "a: &x b\nc: *x\n", "a: !!str 1\n", "a:\tb\n", "a: b\n  c\n", "a: b\n c: d\n",
        "a: b: c\n", "a: 'b\n  c'\n", "a: 'it\'\'s'\n", "a: \"\\x41\"\n", "? a\n: b\n", "a: [b: c]\n", "a: {b}\n",
        "a: b\r\nc: d\n", "--- a\n", "--- {a: b}\n", "a: b\n...\n", "a\n", "'a'\n", "a: @b\n", "a: %b\n", "a: `b\n",
        "- a\nb: c\n", "a:\n  - b\n c: d\n", "a: {b: c} d\n", "a: 'b' c\n", "a: \u{7F}\n", "a: \u{85}b\n",
        "a: [b, # c\n d]\n", "{\"a\":1} x\n", "a: \u{2028}\n", "<<: a\n", "a: - b\n", "a: [, b]\n", "a: {b: , c: d}\n",
    ]

    @Test(arguments: left) func isLeft(_ text: String) {
        #expect(dump(text, .simpleOnly) == [])
        // Together they say what libyaml says.
        #expect(dump(text, .both) == dump(text, .libyamlOnly))
    }

    /// Manifests put together at random: whatever the simple reader takes, libyaml reads alike.
    @Test func randomTexts() {
        var random = SeededRandom(seed: 7)
        let parts = [
            "a: ", "b:", "- ", "  ", "    ", "\n", "\n", "\n  ", "x", "1", "true", "'q'", "\"d\"", "{", "}", "[", "]",
            ", ", ": ", "#", " # c", "---\n", "é", "c: d", "e:\n", "\\n", "-", ".", "/p", "~",
        ]
        var taken = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...14, using: &random)).map { _ in parts.randomElement(using: &random)! }
                .joined()
            if !dump(text, .simpleOnly).isEmpty { taken += 1 }
            #expect(dump(text, .both) == dump(text, .libyamlOnly), "\(text.debugDescription)")
        }
        #expect(taken > 500)
    }
}
