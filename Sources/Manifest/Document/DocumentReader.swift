import Core

/// Cuts a file into its documents and has each read: by ``SimpleReader`` when it is simple, else by ``YAMLReader``.
/// One bad document does not hide what is wrong in the others.
enum DocumentReader {
    /// Which of the two may read; tests compare them.
    enum Choice {
        case both, simpleOnly, libyamlOnly
    }

    /// Reads all of `file`, whose text is valid UTF-8.
    /// - Returns: the root record of every document in order, and what could not be read.
    static func read(_ file: ManifestFile, isASCII: Bool, _ choice: Choice = .both)
        -> (roots: [Int], problems: [SyntaxProblem])
    {
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
                var isRead = false
                if isCut, choice != .libyamlOnly {
                    isRead = try readSimply(file, start..<next, &builder, &roots)
                }
                if !isRead, choice != .simpleOnly { try libyaml.read(start..<next, into: &builder, &roots) }
                start = next
            } catch {
                problems.append(error)
                start = isCut ? next : nextDocument(in: text, after: max(start, error.offset))
            }
        }
        return (roots, problems)
    }

    /// False, and nothing has changed, when the document is not simple.
    private static func readSimply(
        _ file: ManifestFile, _ range: Range<Int>, _ builder: inout NodeBuilder, _ roots: inout [Int]
    ) throws(SyntaxProblem) -> Bool {
        let records = file.records.count
        let found = roots.count
        var reader = SimpleReader(file.text, range)
        do throws(SimpleReader.Refusal) {
            try reader.read(into: &builder, &roots)
            return true
        } catch {
            builder.abandon(to: records)
            roots.removeLast(roots.count - found)
            switch error {
            case .notMine: return false
            case .problem(let problem): throw problem
            }
        }
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
