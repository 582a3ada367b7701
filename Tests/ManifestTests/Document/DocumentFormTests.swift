import Core
import Testing

@testable import Manifest

func read(_ text: String) -> ManifestSet { ManifestReader.read(files: [("t.yaml", Array(text.utf8))]) }

/// Reads one text; every finding as `line:column: path: message`.
func findings(_ text: String) -> [String] {
    read(text).findings.map {
        "\($0.location.line):\($0.location.column): \($0.path.isEmpty ? "" : $0.path + ": ")\($0.message)"
    }
}

/// What makes a file malformed whatever is in it, with the place that is told.
@Suite struct DocumentForm {
    static let malformed: [(text: String, place: String, words: String)] = [
        ("a: 1\nb: 2\na: 3\n", "3:1", "the key 'a' stands twice"),
        ("a:\n  - {b: 1, c: 2, b: 3}\n", "2:18", "the key 'b' stands twice"),
        ("{\"a\": 1, \"a\": 2}", "1:10", "the key 'a' stands twice"),
        ("kind: A\n", "1:1", "no apiVersion"),
        ("# first\napiVersion: v1\n", "2:1", "no kind"),
        ("apiVersion: v1\nkind: 1\n", "2:7", "must be a string"),
        ("apiVersion: v1\nkind: ''\n", "2:7", "must be a string"),
        ("- a\n", "1:1", "must be an object"),
        ("just words\n", "1:1", "must be an object"),
        ("a: [1, 2\n", "2:1", "not valid YAML"),
        ("a: b: c\n", "1:5", "not valid YAML"),
        ("a:\n\tb: c\n", "2:1", "spaces, not tabs"),
        ("a: \"b\n", "2:1", "not valid YAML"),
        ("a: *b\n", "1:4", "no anchor '&b'"),
        ("a: &b [*b]\n", "1:8", "inside of what it repeats"),
        ("a: !!binary YQ==\n", "1:4", "the tag 'tag:yaml.org,2002:binary'"),
        ("a: !!int x\n", "1:4", "is not a number"),
        ("? [a]\n: b\n", "1:3", "a key must be text"),
        ("<<: 1\na: b\n", "1:5", "'<<' merges"),
        ("~: b\n", "1:1", "a key cannot be null"),
        ("é: 1\nü: 2\né: 3\n", "3:1", "the key 'é' stands twice"),
        ("aé: {b: 1, b: 2}\n", "1:12", "the key 'b' stands twice"),
        ("a: \u{7}\n", "1:4", "control characters"),
    ]

    @Test(arguments: malformed) func isToldWithItsPlace(_ text: String, _ place: String, _ words: String) throws {
        let set = read(text)
        let first = try #require(set.findings.first)
        #expect(set.isMalformed)
        #expect("\(first.location.line):\(first.location.column)" == place, "\(first)")
        #expect(first.message.contains(words), "\(first)")
    }

    @Test func whatIsNotUTF8IsToldWhereItStops() {
        let set = ManifestReader.read(files: [("t.yaml", Array("a: b\nc: ".utf8) + [0xFF, 0x0A])])
        #expect(set.findings.map(\.description) == ["t.yaml:2:4: error: the file is not UTF-8; save it as UTF-8"])
    }

    @Test func aFileOverTheLimitIsRefusedAsAWhole() {
        let text = [UInt8](repeating: 0x20, count: ManifestLimits.fileSize + 1)
        let set = ManifestReader.read(files: [("t.yaml", text)])
        #expect(set.findings.map(\.location) == [SourceLocation(file: "t.yaml", line: 1, column: 1)])
        #expect(ManifestReader.read(files: [("t.yaml", Array(text.dropLast()))]).findings.isEmpty)
    }

    @Test(arguments: [(64, false), (65, true)]) func nestingHasALimit(_ levels: Int, _ isRefused: Bool) {
        // The document itself is one level.
        let lists = String(repeating: "[", count: levels - 1) + String(repeating: "]", count: levels - 1)
        let told = findings("kind: A\napiVersion: b\nx: " + lists)
        #expect(told.contains { $0.contains("nested deeper than 64") } == isRefused)
        let blocks = (0..<levels).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(findings(blocks).contains { $0.contains("nested deeper than 64") } == isRefused)
    }

    @Test func aliasesCannotGrowWithoutBound() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let copies = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(copies)]\n"
        }
        let told = findings(text)
        #expect(told.count == 1 && told[0].contains("aliases expand this document past 16 MiB"), "\(told)")
    }

    @Test func nothingIsNoMistake() {
        for text in ["", "\n\n", "# only a comment\n", "---\n---\n", "--- # a\n...\n---\n", "\u{FEFF}", "null\n"] {
            #expect(findings(text).isEmpty, "\(text.debugDescription)")
        }
    }

    @Test func oneBadDocumentDoesNotHideTheNext() {
        let told = findings("a: [\n---\nb: 1\nb: 2\n---\nkind: X\napiVersion: v1\n---\nc: }\n")
        #expect(told.map { $0.prefix(3) } == ["2:1", "4:1", "6:7", "9:4"])
    }

    @Test func aByteOrderMarkAndCarriageReturnsAreNoContent() {
        let set = read("\u{FEFF}apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: a\r\n")
        #expect(set.findings.isEmpty)
        #expect(set.documents.map(\.name.string) == ["a"])
    }
}
