import Core

@testable import Manifest

func dump(_ text: String, _ choice: DocumentReader.Choice) -> [String] { dump(Array(text.utf8), choice) }

/// One line for each node, in order: its place, key, kind and text.
func dump(_ text: [UInt8], _ choice: DocumentReader.Choice) -> [String] {
    text.withView { octets in
        let file = ManifestFile(path: "t", octets: octets, knownNames: Schema.shared.names)
        let isASCII = UTF8Scan.content(of: octets) == .ascii
        let (roots, problems) = DocumentReader.read(file, isASCII: isASCII, choice)
        // An empty document is a null to libyaml and nothing to the simple reader.
        let empty = Set(roots.filter { file.records[$0].kind == .null })
        var lines = problems.map { "problem at \($0.offset)" }
        for index in 0..<file.records.count where !empty.contains(index) {
            let record = file.records[index]
            let key = record.key == .none ? "-" : file.names.text(record.key).string
            let value = record.isContainer ? "\(record.length)" : file.scalarText(record).string
            lines.append(
                "\(roots.contains(index)) \(record.offset)-\(record.keyDistance) \(key) \(record.kind) \(value) "
                    + "\(record.flags.contains(.isTrue))")
        }
        return lines
    }
}
