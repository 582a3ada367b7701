import Core
import Testing

@testable import Manifest

/// Reads one text as `t.yaml`; every finding as `line:column: path: message`.
func findings(_ text: String) -> [String] {
    ManifestReader.read(files: [("t.yaml", Array(text.utf8))]).findings.map {
        "\($0.location.line):\($0.location.column): \($0.path.isEmpty ? "" : $0.path + ": ")\($0.message)"
    }
}

@Suite struct DocumentForm {
    @Test func aDuplicateKeyIsRefusedWhereItStandsAgain() {
        #expect(findings("a: 1\nb: 2\na: 3\n") == ["3:1: the key 'a' stands twice in this object; keep one of them"])
    }
}
