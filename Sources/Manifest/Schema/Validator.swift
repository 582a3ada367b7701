import Core

/// Holds one resource against its shape and says what an API server would refuse.
///
/// The rules of a value are asked only when the value and all in it are right in form, as an API server does; so they
/// may take for granted that required fields exist and have their type.
struct Validator {
    let file: ManifestFile
    /// What is wrong; whose it is, the caller adds.
    private(set) var findings: [Finding] = []
    private let root: Int
    private var report = RuleReport()

    init(_ file: ManifestFile, root: Int) {
        self.file = file
        self.root = root
    }

    mutating func check(_ shape: Shape) { check(root, UnsafePointer(shape.table)) }

    // MARK: values

    private mutating func check(_ index: Int, _ table: UnsafePointer<ShapeTable>) {
        let record = file.records[index]
        let before = findings.count
        switch table.pointee.base {
        case .any: return
        case .object:
            guard expect(.object, record, index) else { return }
            checkFields(index, record, table)
        case .map:
            guard expect(.object, record, index) else { return }
            checkMap(index, record, table)
        case .list:
            guard expect(.list, record, index) else { return }
            checkItems(index, record, table)
        case .string:
            guard expect(.string, record, index) else { return }
            table.pointee.shape._withUnsafeGuaranteedRef { checkText(index, record, $0) }
        case .integer, .number:
            table.pointee.shape._withUnsafeGuaranteedRef { checkNumber(index, record, $0) }
        case .boolean:
            guard expect(.boolean, record, index) else { return }
        case .integerOrString:
            guard record.kind == .string || Node(file, index, .any).integer != nil else {
                return refuse(index, "is \(record.kind.text), but must be a whole number or a string")
            }
            // Bounds and formats are those of the text.
            if record.kind == .string { table.pointee.shape._withUnsafeGuaranteedRef { checkText(index, record, $0) } }
        }
        if table.pointee.hasRules, findings.count == before {
            table.pointee.shape._withUnsafeGuaranteedRef { ask($0, index) }
        }
    }

    private mutating func expect(_ kind: NodeKind, _ record: NodeRecord, _ index: Int) -> Bool {
        if record.kind == kind { return true }
        var message = "is \(record.kind.text), but must be \(kind.text)"
        if kind == .string, !record.isContainer {
            message += record.kind == .null ? "" : "; put quotes around '\(shortened(record))'"
        } else if kind == .boolean, record.kind == .string, PlainScalar.boolean(file.scalarText(record)) != nil {
            message += "; leave the quotes out"
        } else if kind == .list {
            message += "; begin each item with '- '"
        }
        refuse(index, message)
        return false
    }

    private mutating func checkFields(_ index: Int, _ record: NodeRecord, _ table: UnsafePointer<ShapeTable>) {
        var seen: UInt64 = 0
        var at = index + 1
        for _ in 0..<record.length {
            let field = file.records[at]
            if let position = table.pointee.position(of: field.key) {
                let known = table.pointee.entries[position].table
                // Null where it may not be counts as absent.
                if field.kind != .null || known.pointee.isNullable || known.pointee.base == .any {
                    seen |= 1 << UInt64(position)
                }
                if field.kind != .null { check(at, known) }
            } else {
                refuseUnknown(at, field, in: index, table.pointee.shape.takeUnretainedValue())
            }
            at += field.span
        }
        let missing = table.pointee.requiredMask & ~seen
        guard missing != 0, !isFull else { return }
        for position in 0..<table.pointee.fieldCount where missing & 1 << UInt64(position) != 0 {
            let name = table.pointee.entries[position].name.string
            add(index, path: ManifestFile.join(path(index), name), "is missing; it is required")
        }
    }

    private mutating func refuseUnknown(_ at: Int, _ field: NodeRecord, in index: Int, _ shape: Shape) {
        if isFull { return }
        let name = file.names.text(field.key).excerpt
        var message = "no field is named '\(name)'"
        if let nearest = NearestName.of(name, among: shape.fields.map(\.name.description)) {
            message += "; did you mean '\(nearest)'?"
        } else if shape.fields.count <= 12 {
            message += "; there are \(Self.enumerated(shape.fields.map(\.name)))"
        }
        add(offset: Int(field.offset) - Int(field.keyDistance), path: path(index), message)
    }

    private mutating func checkMap(_ index: Int, _ record: NodeRecord, _ table: UnsafePointer<ShapeTable>) {
        let values = table.pointee.items
        var count: Int64 = 0
        var at = index + 1
        for _ in 0..<record.length {
            let field = file.records[at]
            if field.kind != .null || values.pointee.isNullable {
                count += 1
                check(at, values)
            }
            at += field.span
        }
        checkCount(index, count, table, "field", "fields")
    }

    private mutating func checkItems(_ index: Int, _ record: NodeRecord, _ table: UnsafePointer<ShapeTable>) {
        checkCount(index, Int64(record.length), table, "item", "items")
        let items = table.pointee.items
        let before = findings.count
        var at = index + 1
        for _ in 0..<record.length {
            check(at, items)
            at += file.records[at].span
        }
        guard record.length > 1, findings.count == before else { return }
        let shape = table.pointee.shape.takeUnretainedValue()
        switch shape.uniqueness {
        case .atomic: break
        case .set: refuseRepeats(index, shape, by: [])
        case .map(let keys): refuseRepeats(index, shape, by: keys)
        }
    }

    private mutating func checkCount(
        _ index: Int, _ count: Int64, _ table: UnsafePointer<ShapeTable>, _ one: String, _ many: String
    ) {
        let bounds = table.pointee.shape._withUnsafeGuaranteedRef { $0.bounds }
        if !bounds.contains(count) { refuse(index, Self.outOfBounds(count, bounds, one, many)) }
    }

    private mutating func checkText(_ index: Int, _ record: NodeRecord, _ shape: Shape) {
        let text = file.scalarText(record)
        // A character has one to four octets, so that counting is rarely needed.
        let octets = Int64(text.count)
        let least = shape.bounds.lowerBound
        if octets > shape.bounds.upperBound || octets < least || least > 1 && octets / 4 < least {
            let characters = Int64(UTF8Scan.characters(in: text))
            if !shape.bounds.contains(characters) {
                return refuse(index, Self.outOfBounds(characters, shape.bounds, "character", "characters"))
            }
        }
        if !shape.choices.isEmpty { return checkChoice(index, text, shape) }
        if let format = shape.format, !format.matches(text) {
            refuse(index, "'\(shortened(record))' is not \(format.description)")
        }
    }

    private mutating func checkNumber(_ index: Int, _ record: NodeRecord, _ shape: Shape) {
        let wanted = shape.base == .integer ? "a whole number" : "a number"
        guard record.kind == .integer || record.kind == .float else {
            var message = "is \(record.kind.text), but must be \(wanted)"
            if record.kind == .string, PlainScalar.kind(of: file.scalarText(record)) == .integer {
                message += "; leave the quotes out"
            }
            return refuse(index, message)
        }
        let node = Node(file, index, shape)
        guard let value = node.integer else {
            let isInteger = record.kind == .integer
            if shape.base == .integer || isInteger {
                refuse(
                    index,
                    isInteger
                        ? "\(shortened(record)) is out of range" : "\(shortened(record)) must be a whole number")
            } else if let number = node.number, !Self.contains(shape.bounds, number) {
                refuse(index, "\(shortened(record)) is out of range; \(Self.allowed(shape.bounds, number))")
            }
            return
        }
        if !shape.choices.isEmpty { return String(value).withView { checkChoice(index, $0, shape) } }
        if !shape.bounds.contains(value) {
            refuse(index, "\(shortened(record)) is out of range; \(Self.allowed(shape.bounds, Double(value)))")
        }
    }

    private mutating func checkChoice(_ index: Int, _ text: ByteView, _ shape: Shape) {
        for choice in shape.choices where text.equals(choice) { return }
        let written = shortened(file.records[index])
        let names = shape.choices.map(\.description)
        // Of numbers, the nearest is no better a guess than any.
        if shape.base == .string, let nearest = NearestName.of(written, among: names) {
            refuse(index, "'\(written)' is not a supported value; did you mean '\(nearest)'?")
        } else {
            refuse(index, "'\(written)' is not a supported value; write \(Self.enumerated(shape.choices, "or"))")
        }
    }

    // MARK: lists that are sets or maps

    /// - Parameter keys: the fields that make two items the same; none for the whole value.
    private mutating func refuseRepeats(_ index: Int, _ shape: Shape, by keys: [StaticString]) {
        let list = Node(file, index, shape)
        var seen: [String: Int] = [:]
        for (position, item) in list.items.enumerated() {
            let parts = keys.isEmpty ? [item.text.string] : keys.map { item[$0].text.string }
            // A NUL cannot stand in a name, so different parts never join to the same text.
            guard let first = seen.updateValue(position, forKey: parts.joined(separator: "\0")) else { continue }
            let what = keys.isEmpty ? "value" : keys.map(\.description).joined(separator: " and ")
            refuse(
                Int(item.index),
                "the \(what) '\(parts.joined(separator: " "))' stands in item \(first) already; each may stand once")
        }
    }

    // MARK: rules

    private mutating func ask(_ shape: Shape, _ index: Int) {
        let node = Node(file, index, shape)
        for rule in shape.rules { rule(node, &report) }
        guard !report.entries.isEmpty else { return }
        for entry in report.entries where !isFull {
            let target = Int(entry.node.origin)
            var path = path(target)
            if let field = entry.field { path = ManifestFile.join(path, field) }
            add(target, path: path, entry.message)
        }
        report.removeAll()
    }

    // MARK: findings

    private mutating func refuse(_ index: Int, _ message: String) {
        if isFull { return }
        add(index, path: path(index), message)
    }

    /// Enough is told. Asked before a path is made, which takes as long as the document is large.
    private var isFull: Bool { findings.count >= ManifestLimits.findingsPerDocument }

    private mutating func add(_ index: Int, path: String, _ message: String) {
        add(offset: Int(file.records[index].offset), path: path, message)
    }

    private mutating func add(offset: Int, path: String, _ message: String) {
        if isFull { return }
        findings.append(
            Finding(.malformed, at: file.location(of: offset), path: path, message))
    }

    private func path(_ index: Int) -> String { file.path(of: index, from: root) }

    private func shortened(_ record: NodeRecord) -> String { file.scalarText(record).excerpt }

    private static func outOfBounds(_ count: Int64, _ bounds: ClosedRange<Int64>, _ one: String, _ many: String)
        -> String
    {
        let has = "has \(count) \(count == 1 ? one : many)"
        if count > bounds.upperBound { return "\(has); at most \(bounds.upperBound) may be there" }
        return count == 0
            ? "must not be empty" : "\(has); at least \(bounds.lowerBound) must be there"
    }

    /// As for numbers with a fraction, of which those past 64 bits are within bounds that are not given.
    private static func contains(_ bounds: ClosedRange<Int64>, _ number: Double) -> Bool {
        (bounds.lowerBound == .min || number >= Double(bounds.lowerBound))
            && (bounds.upperBound == .max || number <= Double(bounds.upperBound))
    }

    private static func allowed(_ bounds: ClosedRange<Int64>, _ value: Double) -> String {
        if bounds.upperBound >= Int64(Int32.max) {
            return value < 0 || value < Double(bounds.lowerBound)
                ? "\(bounds.lowerBound) is the least" : "\(bounds.upperBound) is the most"
        }
        return "write a number from \(bounds.lowerBound) to \(bounds.upperBound)"
    }

    private static func enumerated(_ names: [StaticString], _ word: String = "and") -> String {
        let quoted = names.map { "'\($0)'" }
        guard let last = quoted.last, quoted.count > 1 else { return quoted.first ?? "" }
        return quoted.dropLast().joined(separator: ", ") + " \(word) " + last
    }
}
