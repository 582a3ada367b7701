import Core

/// The text of one of our annotations, with a way from a place in it to the line of the manifest.
struct AnnotationText {
    let name: StaticString
    /// The annotation's value in the manifest.
    let node: WrittenNode
    let text: String

    /// Nil when the resource has no such annotation.
    init?(_ name: StaticString, of resource: LoadedResource) {
        for (key, value) in resource.node[.metadata][.annotations].fields where key.equals(name) {
            guard let text = value.string else { return nil }
            self.name = name
            node = value
            self.text = text
            return
        }
        return nil
    }

    /// Where a place of the text stands, as far as it stands there as it is: in a block scalar (`|`) each line has a line of
    /// its own; of all other forms the beginning is told.
    /// - Parameters:
    ///   - line, column: in the text, from 1.
    func location(line: Int, column: Int) -> SourceLocation {
        let start = node.location
        let file = node.file
        let offset = Int(file.records[Int(node.origin)].offset)
        guard offset < file.text.count, file.text[offset] == UInt8(ascii: "|"),
            var at = file.text.firstIndex(of: ASCII.lf, from: offset)
        else { return start }
        // The first line says how far all are indented.
        at += 1
        var indent = 0
        while at + indent < file.text.count, file.text[at + indent] == ASCII.space { indent += 1 }
        return SourceLocation(file: start.file, line: start.line + line, column: indent + column)
    }

    /// What the text says, entry by entry: `rule=value`, or a value alone where the route has one rule. Entries are
    /// separated by commas or line ends.
    var entries: [(rule: String?, value: String, line: Int)] {
        var entries: [(rule: String?, value: String, line: Int)] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            for part in line.split(separator: ",") {
                let entry = Self.trimmed(part)
                guard !entry.isEmpty else { continue }
                if let equals = entry.firstIndex(of: "=") {
                    let value = Self.trimmed(entry[entry.index(after: equals)...])
                    entries.append((Self.trimmed(entry[..<equals]), value, number + 1))
                } else {
                    entries.append((nil, entry, number + 1))
                }
            }
        }
        return entries
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        var view = Substring(text)
        while let first = view.first, first == " " || first == "\t" || first == "\r" { view.removeFirst() }
        while let last = view.last, last == " " || last == "\t" || last == "\r" { view.removeLast() }
        return String(view)
    }
}
