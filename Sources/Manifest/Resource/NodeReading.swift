import Config
import Core

extension Node {
    /// The text under `key` of a map, such as an annotation; nil when there is none.
    func entry(_ key: String) -> String? {
        for (name, value) in fields where name.string == key { return value.string }
        return nil
    }

    /// Where it begins, for the plan.
    func position(in fileNumber: UInt32) -> SourcePosition {
        let (line, column) = file.place(of: Int(file.records[Int(origin)].offset))
        return SourcePosition(file: fileNumber, line: UInt32(clamping: line), column: UInt32(clamping: column))
    }
}
