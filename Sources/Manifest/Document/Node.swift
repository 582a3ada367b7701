import Core

/// A value in a manifest: the file and a number, 24 octets, copied freely.
///
/// Reading never fails: a field that is absent is a node with `exists == false`, whose fields are absent too, so
/// `node["spec"]["rules"].items` needs no unwrapping. What the schema gives a default has it here, without having been
/// written: `isDefault` tells. A field that is null counts as absent, as it does for an API server.
/// - Important: a node does not keep its file alive; it is valid as long as the ``ManifestSet`` that it came from.
public struct Node: @unchecked Sendable {
    let arena: UnsafePointer<NodeArena>
    let shape: UnsafePointer<ShapeTable>
    /// The record: 0 and up in `arena`, below that `~index` in the schema's defaults, `Int32.min` when absent.
    let index: Int32
    /// The innermost record of `arena` that this node is, or is a default or an absentee of.
    let origin: Int32

    private static let absent = Int32.min

    init(_ file: ManifestFile, _ index: Int, _ shape: Shape) {
        self.init(UnsafePointer(file.arena), UnsafePointer(shape.table), Int32(index), origin: Int32(index))
    }

    private init(
        _ arena: UnsafePointer<NodeArena>, _ shape: UnsafePointer<ShapeTable>, _ index: Int32, origin: Int32
    ) {
        self.arena = arena
        self.shape = shape
        self.index = index
        self.origin = origin
    }

    private var store: UnsafePointer<NodeArena> { index >= 0 ? arena : Schema.defaultArena }
    private var slot: Int { index >= 0 ? Int(index) : Int(~index) }
    var record: NodeRecord { store.pointee.records[slot] }

    private func child(_ slot: Int, _ shape: UnsafePointer<ShapeTable>) -> Node {
        let slot = Int32(slot)
        return index >= 0 ? Node(arena, shape, slot, origin: slot) : Node(arena, shape, ~slot, origin: origin)
    }

    private func absentee(_ shape: UnsafePointer<ShapeTable>) -> Node {
        Node(arena, shape, Self.absent, origin: origin)
    }

    private func name(_ record: NodeRecord) -> ByteView {
        store.pointee.file._withUnsafeGuaranteedRef { $0.names.text(record.key) }
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
        return record.isContainer ? .empty : store.pointee.scalarText(record)
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
        guard exists else { return absentee(shape.pointee.table(of: wanted)) }
        let record = record
        guard record.kind == .object else { return absentee(ShapeTable.any) }
        guard let position = shape.pointee.position(of: wanted) else { return unknownField(wanted, record) }
        let entry = shape.pointee.entries[position]
        var at = slot + 1
        for _ in 0..<record.length {
            let field = store.pointee.records[at]
            if field.key == entry.id {
                guard field.kind != .null else { break }
                return child(at, entry.table)
            }
            at += field.span
        }
        if entry.defaultIndex >= 0 { return Node(arena, entry.table, ~entry.defaultIndex, origin: origin) }
        return absentee(entry.table)
    }

    /// A field of a map, or of an object whose shape is not known.
    private func unknownField(_ wanted: ByteView, _ record: NodeRecord) -> Node {
        let shape = shape.pointee.table(of: wanted)
        var at = slot + 1
        for _ in 0..<record.length {
            let field = store.pointee.records[at]
            if name(field).equals(wanted) {
                guard field.kind != .null else { break }
                return child(at, shape)
            }
            at += field.span
        }
        return absentee(shape)
    }

    /// Item number `position` of a list; absent past its end.
    public subscript(_ position: Int) -> Node {
        guard kind == .list, position >= 0, position < count else { return absentee(shape.pointee.items) }
        var at = slot + 1
        for _ in 0..<position { at += store.pointee.records[at].span }
        return child(at, shape.pointee.items)
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
            let item = parent.child(at, parent.shape.pointee.items)
            at += parent.store.pointee.records[at].span
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
                let record = parent.store.pointee.records[at]
                let here = at
                at += record.span
                guard record.kind != .null else { continue }
                let name = parent.name(record)
                return (name, parent.child(here, parent.shape.pointee.table(of: name)))
            }
            return nil
        }
    }

    // MARK: where it is

    var file: ManifestFile { arena.pointee.file.takeUnretainedValue() }

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
