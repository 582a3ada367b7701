/// What a node is, once YAML's plain scalars have been given their type.
public enum NodeKind: UInt8, BitwiseCopyable, Sendable {
    case null, boolean, integer, float, string, list, object

    /// As a message names it.
    public var text: StaticString {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .integer, .float: "a number"
        case .string: "a string"
        case .list: "a list"
        case .object: "an object"
        }
    }
}

/// One node in a file's arena: 20 octets. A tree lies in pre-order, so an object's first field is the next record, and
/// a subtree can be skipped, copied or cut out as one run.
struct NodeRecord: BitwiseCopyable {
    var kind: NodeKind
    var flags: Flags
    /// Octets from the first of the key to the first of the value; 0 when there is no key or it is further away.
    var keyDistance: UInt16
    /// The field's name, or ``NameID/none`` for list items and roots.
    var key: NameID
    /// First octet of the value in the file, quotes and brackets included.
    var offset: UInt32
    /// Scalars: octets of text. Lists and objects: how many items or fields.
    var length: UInt32
    /// Scalars: where the text begins, in the file or, when `.unescaped` is set, in the file's side text.
    /// Lists and objects: how many records the subtree has, this one included; 0 while it is still being read.
    var link: UInt32

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// The text differs from what stands in the file (escapes, folded lines) and lies in the side text.
        static let unescaped = Flags(rawValue: 1)
        /// The value of a boolean.
        static let isTrue = Flags(rawValue: 2)
    }

    var isContainer: Bool { kind == .list || kind == .object }
    /// Records in this node's subtree.
    var span: Int { isContainer ? Int(link) : 1 }
}

/// A field name, interned: equal ids are equal names within one file. Names of the schema have the same id everywhere.
struct NameID: Hashable, BitwiseCopyable, Sendable {
    var raw: UInt32
    static let none = NameID(raw: .max)
}
