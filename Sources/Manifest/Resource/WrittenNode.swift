import Config
import Core

/// A value as it stands in a file, for reading resources quickly: it finds fields by number and knows neither shapes nor
/// defaults, which the typed resources fill in themselves. A field that is null counts as absent.
/// - Important: valid as long as the ``ManifestSet`` that it came from, as a ``Node`` is.
struct WrittenNode: @unchecked Sendable {
    private let owner: Unmanaged<ManifestFile>
    /// The record, or ``absent``.
    let index: Int32
    /// The innermost record that this is, or is missing from.
    let origin: Int32

    private static let absent: Int32 = -1

    /// - Parameter node: one that stands in its file.
    init(_ node: Node) {
        owner = Unmanaged.passUnretained(node.file)
        index = node.index >= 0 ? node.index : Self.absent
        origin = node.origin
    }

    private init(_ owner: Unmanaged<ManifestFile>, index: Int32, origin: Int32) {
        self.owner = owner
        self.index = index
        self.origin = origin
    }

    var file: ManifestFile { owner.takeUnretainedValue() }
    var exists: Bool { index >= 0 }
    /// The same place without a value.
    var missing: WrittenNode { WrittenNode(owner, index: Self.absent, origin: origin) }

    /// Asks the file without counting a reference to it: nodes are read by the hundred thousand.
    @inline(__always) private func ask<R>(_ question: (ManifestFile) -> R) -> R {
        owner._withUnsafeGuaranteedRef(question)
    }

    /// The field `key` of an object, or an absent node.
    subscript(_ key: FieldKey) -> WrittenNode {
        guard index >= 0 else { return self }
        let found = Int32(ask { $0.field(key, of: Int(index)) })
        return found < 0 ? missing : WrittenNode(owner, index: found, origin: found)
    }

    /// Item number `position` of a list; absent past its end.
    subscript(_ position: Int) -> WrittenNode {
        var left = position
        for item in items {
            if left == 0 { return item }
            left -= 1
        }
        return missing
    }

    // MARK: scalars

    /// `.null` when it is absent.
    var kind: NodeKind { index < 0 ? .null : ask { $0.kind(at: Int(index)) } }
    /// A scalar's text, of numbers too; empty when there is none.
    var text: ByteView { index < 0 ? .empty : ask { $0.scalarText(at: Int(index)) } }
    /// The text of a string; nil for anything else.
    var string: String? {
        kind == .string ? text.string : nil
    }
    var integer: Int64? {
        switch kind {
        case .integer: return PlainScalar.integer(text)
        // `8e1` is a whole number too; such spellings are rare enough for the slow way.
        case .float: return Node(file, Int(index), .any).integer
        default: return nil
        }
    }
    var number: Double? { index < 0 ? nil : Node(file, Int(index), .any).number }
    var boolean: Bool? { index < 0 ? nil : ask { $0.boolean(at: Int(index)) } }

    // MARK: lists and objects

    /// The items of a list in order; none for anything else.
    var items: Items { Items(self) }

    struct Items: Sequence, IteratorProtocol {
        private let parent: WrittenNode
        private var at: Int32
        private var left: Int32

        init(_ parent: WrittenNode) {
            self.parent = parent
            at = parent.index + 1
            left = parent.index < 0 ? 0 : Int32(parent.ask { $0.itemCount(at: Int(parent.index)) })
        }

        mutating func next() -> WrittenNode? {
            guard left > 0 else { return nil }
            left -= 1
            let here = at
            at += Int32(parent.ask { $0.records[Int(here)].span })
            return WrittenNode(parent.owner, index: here, origin: here)
        }
    }

    /// The fields of an object in order, nulls left out; none for anything else.
    var fields: Fields { Fields(self) }

    struct Fields: Sequence, IteratorProtocol {
        private let parent: WrittenNode
        private var at: Int32
        private var left: Int32

        init(_ parent: WrittenNode) {
            self.parent = parent
            at = parent.index + 1
            left = parent.index < 0 ? 0 : Int32(parent.ask { $0.fieldCount(at: Int(parent.index)) })
        }

        /// The name is valid as long as the node.
        mutating func next() -> (name: ByteView, value: WrittenNode)? {
            while left > 0 {
                left -= 1
                let here = at
                let record = parent.ask { $0.records[Int(here)] }
                at += Int32(record.span)
                if record.kind == .null { continue }
                return (parent.file.names.text(record.key), WrittenNode(parent.owner, index: here, origin: here))
            }
            return nil
        }
    }

    /// The text under `key` of a map, such as an annotation; nil when there is none.
    func entry(_ key: String) -> String? {
        for (name, value) in fields where name.string == key { return value.string }
        return nil
    }

    // MARK: where it is

    /// Where it begins, for findings.
    var location: SourceLocation { file.location(of: Int(file.records[Int(origin)].offset)) }
    /// Its place in the resource, as `spec.rules[0]`.
    var path: String { file.pathOfNode(Int(origin)) }
    /// Where it begins, for the plan.
    func position(in fileNumber: UInt32) -> SourcePosition {
        let (line, column) = ask { $0.place(of: Int($0.records[Int(origin)].offset)) }
        return SourcePosition(file: fileNumber, line: UInt32(clamping: line), column: UInt32(clamping: column))
    }
}

/// The name of a field, with its number among the schema's names.
struct FieldKey {
    let id: NameID

    init(id: NameID) { self.id = id }

    init(_ name: StaticString) {
        guard let id = Schema.shared.names.find(ByteView(name)) else {
            preconditionFailure("the schema has no field '\(name)'")
        }
        self.id = id
    }
}

extension ManifestFile {
    /// The record of the field `key` of the object at `index`; -1 when there is none.
    fileprivate func field(_ key: FieldKey, of index: Int) -> Int {
        let record = records[index]
        guard record.kind == .object else { return -1 }
        var at = index + 1
        for _ in 0..<record.length {
            let field = records[at]
            if field.key == key.id { return field.kind == .null ? -1 : at }
            at += field.span
        }
        return -1
    }

    fileprivate func scalarText(at index: Int) -> ByteView {
        let record = records[index]
        return record.isContainer ? .empty : scalarText(record)
    }

    fileprivate func kind(at index: Int) -> NodeKind { records[index].kind }
    fileprivate func boolean(at index: Int) -> Bool? {
        let record = records[index]
        return record.kind == .boolean ? record.flags.contains(.isTrue) : nil
    }

    fileprivate func fieldCount(at index: Int) -> Int {
        let record = records[index]
        return record.kind == .object ? Int(record.length) : 0
    }

    fileprivate func itemCount(at index: Int) -> Int {
        let record = records[index]
        return record.kind == .list ? Int(record.length) : 0
    }
}
