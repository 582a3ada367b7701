import Core

/// A value in a manifest: the file and a number, 24 octets, copied freely.
///
/// Reading never fails: a field that is absent is a node with `exists == false`, whose fields are absent too, so
/// `node["spec"]["rules"].items` needs no unwrapping. What the schema gives a default has it here, without having been
/// written: `isDefault` tells. A field that is null counts as absent, as it does for an API server.
/// - Important: a node does not keep its file alive; it is valid as long as the ``ManifestSet`` that it came from.
public struct Node: @unchecked Sendable {
    unowned(unsafe) let file: ManifestFile
    unowned(unsafe) let shape: Shape
    /// The record: 0 and up in `file`, below that `~index` in the schema's defaults, `Int32.min` when absent.
    let index: Int32
    /// The innermost record of `file` that this node is, or is a default or an absentee of.
    let origin: Int32

    private static let absent = Int32.min

    init(_ file: ManifestFile, _ index: Int, _ shape: Shape) {
        self.file = file
        self.shape = shape
        self.index = Int32(index)
        origin = Int32(index)
    }

    private init(_ file: ManifestFile, shape: Shape, index: Int32, origin: Int32) {
        self.file = file
        self.shape = shape
        self.index = index
        self.origin = origin
    }

    private var store: ManifestFile { index >= 0 ? file : Schema.shared.defaults }
    private var slot: Int { index >= 0 ? Int(index) : Int(~index) }
    var record: NodeRecord { store.records[slot] }

    private func child(_ slot: Int, _ shape: Shape) -> Node {
        index >= 0
            ? Node(file, slot, shape) : Node(file, shape: shape, index: ~Int32(slot), origin: origin)
    }

    // MARK: what it is

    public var exists: Bool { index != Self.absent }
    /// True when the schema gave it, not the file.
    public var isDefault: Bool { index < 0 && exists }
    /// `.null` when it is absent.
    public var kind: NodeKind { exists ? record.kind : .null }

    // MARK: scalars

    /// A scalar's text, of numbers too; empty when there is none. Valid as long as the node.
    public var text: ByteView {
        guard exists else { return .empty }
        let record = record
        return record.isContainer ? .empty : store.scalarText(record)
    }

    /// The text of a string; nil for anything else.
    public var string: String? { kind == .string ? text.string : nil }

    /// The value of an integer, or of a number without a fraction (`8e1`); nil for anything else or past 64 bits.
    public var integer: Int64? {
        switch kind {
        case .integer: PlainScalar.integer(text) ?? whole
        case .float: whole
        default: nil
        }
    }

    /// ``integer`` as an `Int`, for fields whose bounds fit.
    public var int: Int? { integer.flatMap { Int(exactly: $0) } }

    private var whole: Int64? { number.flatMap { Int64(exactly: $0) } }

    /// The value of a number; nil for anything else.
    public var number: Double? {
        switch kind {
        case .integer: PlainScalar.integer(text).map(Double.init) ?? Double(digits)
        case .float: Double(digits)
        default: nil
        }
    }

    private var digits: String { text.string.filter { $0 != "_" } }

    public var boolean: Bool? {
        guard exists else { return nil }
        let record = record
        return record.kind == .boolean ? record.flags.contains(.isTrue) : nil
    }

    /// True when it is a string or number of just this text.
    public func equals(_ other: StaticString) -> Bool { exists && text.equals(other) }

    // MARK: lists and objects

    /// How many items or fields were written; 0 for anything else.
    public var count: Int {
        guard exists else { return 0 }
        let record = record
        return record.isContainer ? Int(record.length) : 0
    }

    /// The field `name` of an object, its default, or an absent node.
    public subscript(_ name: StaticString) -> Node {
        let wanted = ByteView(name)
        if exists, record.kind == .object {
            let store = store
            var at = slot + 1
            for _ in 0..<record.length {
                let field = store.records[at]
                if store.names.text(field.key).equals(wanted) {
                    guard field.kind != .null else { break }
                    return child(at, shape.field(wanted)?.shape ?? (shape.base == .map ? shape.items : .any))
                }
                at += field.span
            }
            if let field = shape.field(wanted) {
                if let given = field.defaultIndex {
                    return Node(file, shape: field.shape, index: ~Int32(given), origin: origin)
                }
                return Node(file, shape: field.shape, index: Self.absent, origin: origin)
            }
        }
        return Node(file, shape: .any, index: Self.absent, origin: origin)
    }

    /// Item number `position` of a list; absent past its end.
    public subscript(_ position: Int) -> Node {
        var items = items.makeIterator()
        for _ in 0..<max(0, position) where items.next() == nil { break }
        return items.next() ?? Node(file, shape: shape.items, index: Self.absent, origin: origin)
    }

    /// The items of a list in order; none for anything else.
    public var items: Items { Items(of: self) }
    /// The fields of an object as written, nulls left out; none for anything else. For maps such as labels.
    public var fields: Fields { Fields(of: self) }

    public struct Items: Sequence, IteratorProtocol {
        private let parent: Node
        private var at: Int
        private var left: Int

        fileprivate init(of parent: Node) {
            self.parent = parent
            at = parent.exists ? parent.slot + 1 : 0
            left = parent.kind == .list ? parent.count : 0
        }

        public mutating func next() -> Node? {
            guard left > 0 else { return nil }
            left -= 1
            let item = parent.child(at, parent.shape.items)
            at += parent.store.records[at].span
            return item
        }
    }

    public struct Fields: Sequence, IteratorProtocol {
        private let parent: Node
        private var at: Int
        private var left: Int

        fileprivate init(of parent: Node) {
            self.parent = parent
            at = parent.exists ? parent.slot + 1 : 0
            left = parent.kind == .object ? parent.count : 0
        }

        /// The name is valid as long as the node.
        public mutating func next() -> (name: ByteView, value: Node)? {
            while left > 0 {
                left -= 1
                let record = parent.store.records[at]
                let here = at
                at += record.span
                guard record.kind != .null else { continue }
                let name = parent.store.names.text(record.key)
                let shape = parent.shape.base == .map ? parent.shape.items : parent.shape.field(name)?.shape ?? .any
                return (name, parent.child(here, shape))
            }
            return nil
        }
    }

    // MARK: where it is

    /// Where its value begins; of an absent or default node, where the object begins that it would stand in.
    public var location: SourceLocation { file.location(of: Int(file.records[Int(origin)].offset)) }

    /// Where its key begins; of a list item or a root, where its value does.
    public var keyLocation: SourceLocation {
        let record = file.records[Int(origin)]
        return file.location(of: Int(record.offset) - Int(record.keyDistance))
    }

    /// Its line, from 1. Cheaper than ``location``.
    public var line: Int { file.place(of: Int(file.records[Int(origin)].offset)).line }

    /// Its place in the resource, as `spec.rules[0].matches[1]`; of an absent or default node, the object's.
    public var path: String { file.pathOfNode(Int(origin)) }
}
