import Core

/// Cuts a file into its documents and has each read by ``YAMLReader``: one bad document does not hide what is wrong in the
/// others.
enum DocumentReader {
    /// Reads all of `file`, whose text is valid UTF-8.
    /// - Returns: the root record of every document in order, and what could not be read.
    static func read(_ file: ManifestFile, isASCII: Bool) -> (roots: [Int], problems: [SyntaxProblem]) {
        let text = file.text
        let mark = ByteView("\u{FEFF}")
        var builder = NodeBuilder(file: file)
        var libyaml = YAMLReader(file, isASCII: isASCII)
        var roots: [Int] = []
        var problems: [SyntaxProblem] = []
        var start = text.hasPrefix(mark) ? mark.count : 0
        // A directive belongs to the document after it, so such a file is not cut but where it breaks off.
        let isCut = !hasDirective(text)
        while start < text.count {
            let next = isCut ? nextDocument(in: text, after: start) : text.count
            do throws(SyntaxProblem) {
                try libyaml.read(start..<next, into: &builder, &roots)
                start = next
            } catch {
                problems.append(error)
                start = isCut ? next : nextDocument(in: text, after: max(start, error.offset))
            }
        }
        return (roots, problems)
    }

    /// The offset of the next line that is `---`, after the line of `offset`, or the end. YAML allows that line nowhere
    /// but between documents, in block scalars neither (YAML 1.2.2, 9.1.2).
    static func nextDocument(in text: ByteView, after offset: Int) -> Int {
        var at = min(offset, text.count)
        while let end = text.firstIndex(of: ASCII.lf, from: at) {
            at = end + 1
            guard at + 3 <= text.count, text[at] == 0x2D, text[at + 1] == 0x2D, text[at + 2] == 0x2D else { continue }
            if at + 3 == text.count || text[at + 3] <= ASCII.space { return at }
        }
        return text.count
    }

    private static func hasDirective(_ text: ByteView) -> Bool {
        var at = 0
        while let found = text.firstIndex(of: ASCII.percent, from: at) {
            if found == 0 || text[found - 1] == ASCII.lf || text[found - 1] == ASCII.cr { return true }
            at = found + 1
        }
        return false
    }
}
