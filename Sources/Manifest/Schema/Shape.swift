import Core

/// What a value must be: the schema's notation, and what ``Validator`` reads. Made once, shared, never changed.
///
///     static let backendReference = Shape.object([
///         required("name", .objectName),
///         optional("port", .port),
///         optional("kind", .kind, default: "Service"),
///     ], rules: [Rules.portOfService])
final class Shape: @unchecked Sendable {
    enum Base {
        /// Named fields and no others.
        case object
        /// Any names, with values of the shape `items`.
        case map
        case list, string, integer, number, boolean, integerOrString
        /// Anything at all, left as it is.
        case any
    }

    /// What makes two entries of a list the same; a list must not hold the same twice.
    enum Uniqueness {
        /// Entries may repeat.
        case atomic
        /// Equal values.
        case set
        /// Equal values in all of these fields.
        case map([StaticString])
    }

    let base: Base
    /// Characters of a string, items of a list, fields of a map, or the value of a number.
    let bounds: ClosedRange<Int64>
    let format: TextFormat?
    /// When not empty, one of these it must be. Integers are written as digits.
    let choices: [StaticString]
    let fields: [Field]
    let itemShape: Shape?
    let uniqueness: Uniqueness
    let rules: [Rule]
    /// Null is a value of its own, not an absence.
    let isNullable: Bool

    /// What is asked for every node; see ``ShapeTable``. Never freed: shapes live as long as the process.
    let table: UnsafeMutablePointer<ShapeTable>
    private var isRegistered = false

    init(
        _ base: Base, bounds: ClosedRange<Int64> = .min ... .max, format: TextFormat? = nil,
        choices: [StaticString] = [], fields: [Field] = [], items: Shape? = nil, uniqueness: Uniqueness = .atomic,
        rules: [Rule] = [], isNullable: Bool = false
    ) {
        // Which required fields were seen is kept in 64 bits.
        precondition(fields.count <= 64, "an object with more than 64 fields")
        self.base = base
        self.bounds = bounds
        self.format = format
        self.choices = choices
        self.fields = fields
        self.itemShape = items
        self.uniqueness = uniqueness
        self.rules = rules
        self.isNullable = isNullable
        table = .allocate(capacity: 1)
        let entries = UnsafeMutablePointer<ShapeTable.Entry>.allocate(capacity: max(1, fields.count))
        var mask: UInt64 = 0
        for (position, field) in fields.enumerated() {
            if field.isRequired { mask |= 1 << UInt64(position) }
            (entries + position).initialize(
                to: ShapeTable.Entry(name: ByteView(field.name), table: UnsafePointer(field.shape.table)))
        }
        table.initialize(
            to: ShapeTable(
                base: base, isNullable: isNullable, hasRules: !rules.isEmpty, fieldCount: fields.count,
                requiredMask: mask, entries: entries, items: UnsafePointer(items?.table ?? table),
                shape: Unmanaged.passRetained(self)))
    }

    static let any = Shape(.any)

    /// The shape of a list's items or a map's values.
    var items: Shape { itemShape ?? .any }

    /// Numbers the names of this shape and of all inside it. Called while the schema is made, by one thread.
    func register(_ names: NameTable) {
        guard !isRegistered else { return }
        isRegistered = true
        for (position, field) in fields.enumerated() {
            table.pointee.entries[position].id = names.intern(ByteView(field.name))
            field.shape.register(names)
        }
        itemShape?.register(names)
    }

    /// A field that has a default, and the shape that it belongs to.
    struct Defaulted {
        let owner: Shape
        let position: Int
        var field: Field { owner.fields[position] }
    }

    /// Everything below that has a default, to be read once all names are numbered.
    func collectDefaults(into found: inout [Defaulted], seen: inout Set<ObjectIdentifier>) {
        guard seen.insert(ObjectIdentifier(self)).inserted else { return }
        for (position, field) in fields.enumerated() {
            if field.defaultText != nil { found.append(Defaulted(owner: self, position: position)) }
            field.shape.collectDefaults(into: &found, seen: &seen)
        }
        itemShape?.collectDefaults(into: &found, seen: &seen)
    }

    /// The same with more rules.
    func with(rules more: [Rule]) -> Shape {
        Shape(
            base, bounds: bounds, format: format, choices: choices, fields: fields, items: itemShape,
            uniqueness: uniqueness, rules: rules + more, isNullable: isNullable)
    }
}

/// A field of an object.
struct Field: Sendable {
    let name: StaticString
    let shape: Shape
    let isRequired: Bool
    /// Strings: the text. Anything else: as a manifest would have it, on one line.
    let defaultText: StaticString?
}

/// A rule that a shape alone cannot say, asked once its value is right in form and its defaults are in place.
typealias Rule = @Sendable (_ value: Node, _ report: inout RuleReport) -> Void

/// A field that must be written.
func required(_ name: StaticString, _ shape: Shape) -> Field {
    Field(name: name, shape: shape, isRequired: true, defaultText: nil)
}

/// A field that may be left out.
func optional(_ name: StaticString, _ shape: Shape, default text: StaticString? = nil) -> Field {
    Field(name: name, shape: shape, isRequired: false, defaultText: text)
}

extension Shape {
    static func object(_ fields: [Field], rules: [Rule] = []) -> Shape {
        Shape(.object, fields: fields, rules: rules)
    }

    static func map(of values: Shape, _ count: ClosedRange<Int64> = 0 ... .max, rules: [Rule] = []) -> Shape {
        Shape(.map, bounds: count, items: values, rules: rules)
    }

    static func list(
        _ items: Shape, _ count: ClosedRange<Int64> = 0 ... .max, _ uniqueness: Uniqueness = .atomic,
        rules: [Rule] = []
    ) -> Shape {
        Shape(.list, bounds: count, items: items, uniqueness: uniqueness, rules: rules)
    }

    /// - Parameter length: in characters.
    static func text(_ length: ClosedRange<Int64> = 0 ... .max, _ format: TextFormat? = nil) -> Shape {
        Shape(.string, bounds: length, format: format)
    }

    static func choice(_ choices: StaticString...) -> Shape { Shape(.string, choices: choices) }

    static func integer(_ range: ClosedRange<Int64>) -> Shape { Shape(.integer, bounds: range) }
    static func integer(choices: StaticString...) -> Shape { Shape(.integer, choices: choices) }

    static let boolean = Shape(.boolean)
    static let int64 = Shape(.integer)
    static let number = Shape(.number)
    static let integerOrString = Shape(.integerOrString)
}
