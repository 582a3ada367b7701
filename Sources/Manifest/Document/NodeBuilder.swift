import Core

/// What is wrong with a file's form, and where.
struct SyntaxProblem: Error {
    var offset: Int
    var message: String
}

/// Puts one document after the other into a file's arena. Its readers (``YAMLReader``) say what comes; it counts,
/// types plain scalars, refuses duplicate keys, and resolves anchors, aliases and merge keys.
struct NodeBuilder: ~Copyable {
    let file: ManifestFile
    private var frames: [Frame] = []
    /// The key that the next value belongs to.
    private var pendingKey = NameID.none
    private var pendingKeyOffset = 0
    private var anchors: [String: Int] = [:]
    private var expanded = 0
    private var scratch: [(key: UInt32, index: Int)] = []
    private let mergeKey: NameID

    /// A list or object that is not complete.
    private struct Frame {
        var index: Int
        var isObject: Bool
        var children = 0
        /// One bit per key seen, by its number: while no bit is set twice there is no duplicate.
        var seen: UInt64 = 0
        var mayRepeat = false
        var hasMerge = false
    }

    init(file: ManifestFile) {
        self.file = file
        mergeKey = file.names.intern(ByteView("<<"))
        frames.reserveCapacity(ManifestLimits.nesting)
    }

    /// Starts a document.
    mutating func begin() {
        frames.removeAll(keepingCapacity: true)
        if !anchors.isEmpty { anchors.removeAll() }
        pendingKey = .none
        expanded = 0
    }

    /// Takes back everything since record `start`: the document could not be read.
    mutating func abandon(to start: Int) { file.records.truncate(to: start) }

    /// True when the innermost open node is an object that waits for a key.
    var wantsKey: Bool {
        guard let frame = frames.last, frame.isObject else { return false }
        return pendingKey == .none
    }

    // MARK: events

    mutating func key(_ name: ByteView, at offset: Int, isPlain: Bool) throws(SyntaxProblem) {
        let last = frames.count - 1
        precondition(last >= 0 && frames[last].isObject, "a key outside of an object")
        pendingKeyOffset = offset
        if isPlain {
            if name.equals("<<") {
                frames[last].hasMerge = true
                pendingKey = mergeKey
                return
            }
            pendingKey = try plainKey(name, at: offset)
        } else {
            pendingKey = file.names.intern(name)
        }
        let bit = UInt64(1) << UInt64(pendingKey.raw & 63)
        if frames[last].seen & bit != 0 { frames[last].mayRepeat = true }
        frames[last].seen |= bit
    }

    /// An unquoted key is a scalar like any other; JSON knows only strings as keys, so Kubernetes writes it out.
    private func plainKey(_ name: ByteView, at offset: Int) throws(SyntaxProblem) -> NameID {
        switch PlainScalar.kind(of: name) {
        case .null:
            throw SyntaxProblem(offset: offset, message: "a key cannot be null; put it in quotes when it is a name")
        case .boolean:
            let value: StaticString = PlainScalar.boolean(name) == true ? "true" : "false"
            return file.names.intern(ByteView(value))
        case .integer:
            guard let value = PlainScalar.integer(name) else { return file.names.intern(name) }
            return String(value).withView { file.names.intern($0) }
        case .float, .string, .list, .object:
            return file.names.intern(name)
        }
    }

    mutating func scalar(
        _ kind: NodeKind, at offset: Int, text: ScalarText, isTrue: Bool = false
    ) {
        var record = takeRecord(kind, offset)
        switch text {
        case .inFile(let start, let length):
            record.link = UInt32(start)
            record.length = UInt32(length)
        case .copy(let view):
            record.link = UInt32(file.sideText.count)
            record.length = UInt32(view.count)
            record.flags.insert(.unescaped)
            file.sideText.append(view)
        }
        if isTrue { record.flags.insert(.isTrue) }
        file.records.append(record)
    }

    mutating func plainScalar(_ view: ByteView, at offset: Int, text: ScalarText) {
        let kind = PlainScalar.kind(of: view)
        scalar(kind, at: offset, text: text, isTrue: kind == .boolean && PlainScalar.boolean(view) == true)
    }

    mutating func open(_ kind: NodeKind, at offset: Int) throws(SyntaxProblem) {
        guard frames.count < ManifestLimits.nesting else {
            throw SyntaxProblem(
                offset: offset, message: "nested deeper than \(ManifestLimits.nesting) levels, which is the limit")
        }
        let record = takeRecord(kind, offset)
        frames.append(Frame(index: file.records.count, isObject: kind == .object))
        file.records.append(record)
    }

    mutating func close() throws(SyntaxProblem) {
        guard let frame = frames.popLast() else { preconditionFailure("closed more nodes than were opened") }
        if frame.mayRepeat { try refuseDuplicates(frame) }
        var children = frame.children
        if frame.hasMerge { children = try merge(frame) }
        file.records[frame.index].length = UInt32(children)
        file.records[frame.index].link = UInt32(file.records.count - frame.index)
        pendingKey = .none
    }

    private mutating func takeRecord(_ kind: NodeKind, _ offset: Int) -> NodeRecord {
        var record = NodeRecord(
            kind: kind, flags: [], keyDistance: 0, key: pendingKey, offset: UInt32(offset), length: 0, link: 0)
        if pendingKey != .none {
            let distance = offset - pendingKeyOffset
            record.keyDistance = UInt16(exactly: distance) ?? 0
            pendingKey = .none
        }
        if !frames.isEmpty { frames[frames.count - 1].children += 1 }
        return record
    }

    // MARK: duplicate keys

    private mutating func refuseDuplicates(_ frame: Frame) throws(SyntaxProblem) {
        scratch.removeAll(keepingCapacity: true)
        var index = frame.index + 1
        for _ in 0..<frame.children {
            let record = file.records[index]
            // Several merge keys in one object are merged one after the other.
            if record.key != mergeKey { scratch.append((record.key.raw, index)) }
            index += record.span
        }
        scratch.sort { ($0.key, $0.index) < ($1.key, $1.index) }
        var first: (index: Int, key: NameID)?
        for at in scratch.indices.dropFirst() where scratch[at].key == scratch[at - 1].key {
            if first == nil || scratch[at].index < first!.index {
                first = (scratch[at].index, NameID(raw: scratch[at].key))
            }
        }
        guard let first else { return }
        let record = file.records[first.index]
        throw SyntaxProblem(
            offset: Int(record.offset) - Int(record.keyDistance),
            message: "the key '\(file.names.text(first.key).excerpt)' stands twice in this object; keep one of them")
    }

    // MARK: anchors, aliases, merge keys

    /// The next node that is opened or added is called `name` from here on.
    mutating func anchor(_ name: String) { anchors[name] = file.records.count }

    mutating func alias(_ name: String, at offset: Int) throws(SyntaxProblem) {
        let source = try anchored(name, at: offset)
        let span = file.records[source].span
        let target = takeRecord(.null, offset)
        let copyAt = file.records.count
        // Checked before it is copied: an expansion that goes too far never takes its memory.
        for index in source..<(source + span) {
            let record = file.records[index]
            expanded += ManifestLimits.nodeOctets + (record.isContainer ? 0 : Int(record.length))
        }
        try refuseDepth(of: source, at: offset)
        guard expanded <= ManifestLimits.aliasExpansion else {
            throw SyntaxProblem(
                offset: offset,
                message: "aliases expand this document past \(ManifestLimits.aliasExpansion >> 20) MiB, the limit")
        }
        file.records.appendCopy(of: source, length: span)
        // Finding places inside an expanded alias point at the text that is meant, where the anchor stands.
        file.records[copyAt].key = target.key
        file.records[copyAt].keyDistance = 0
    }

    /// The text of an anchored scalar that is used as a key.
    func aliasedKey(_ name: String, at offset: Int) throws(SyntaxProblem) -> ByteView {
        let record = file.records[try anchored(name, at: offset)]
        guard !record.isContainer else {
            throw SyntaxProblem(offset: offset, message: "a key must be text, not \(record.kind.text)")
        }
        return file.scalarText(record)
    }

    private func anchored(_ name: String, at offset: Int) throws(SyntaxProblem) -> Int {
        guard let source = anchors[name] else {
            throw SyntaxProblem(offset: offset, message: "no anchor '&\(name)' stands before this alias")
        }
        guard source < file.records.count, file.records[source].span > 0 else {
            throw SyntaxProblem(offset: offset, message: "the alias '*\(name)' stands inside of what it repeats")
        }
        return source
    }

    private func refuseDepth(of source: Int, at offset: Int) throws(SyntaxProblem) {
        // Ends of the containers that are open at the record looked at.
        var ends: [Int] = []
        for index in source..<(source + file.records[source].span) where file.records[index].isContainer {
            while let end = ends.last, end <= index { ends.removeLast() }
            ends.append(index + file.records[index].span)
            if frames.count + ends.count > ManifestLimits.nesting {
                throw SyntaxProblem(
                    offset: offset,
                    message: "the alias nests deeper than \(ManifestLimits.nesting) levels, which is the limit")
            }
        }
    }

    /// Replaces the `<<` fields of an object by the fields of the objects they name; fields that stand in the object
    /// itself win, then those of the object that was named first. Returns how many fields there are now.
    private mutating func merge(_ frame: Frame) throws(SyntaxProblem) -> Int {
        var own: [NodeRecord] = []
        var taken: Set<NameID> = []
        var sources: [Int] = []
        var fields = 0
        var index = frame.index + 1
        for _ in 0..<frame.children {
            let record = file.records[index]
            if record.key == mergeKey {
                sources += try mergeSources(index)
            } else {
                for inner in index..<(index + record.span) { own.append(file.records[inner]) }
                taken.insert(record.key)
                fields += 1
            }
            index += record.span
        }
        for source in sources {
            var field = source + 1
            for _ in 0..<file.records[source].length {
                let record = file.records[field]
                if taken.insert(record.key).inserted {
                    for inner in field..<(field + record.span) { own.append(file.records[inner]) }
                    fields += 1
                }
                field += record.span
            }
        }
        file.records.truncate(to: frame.index + 1)
        for record in own { file.records.append(record) }
        return fields
    }

    private func mergeSources(_ index: Int) throws(SyntaxProblem) -> [Int] {
        let record = file.records[index]
        var found: [Int] = []
        if record.kind == .object {
            found.append(index)
        } else if record.kind == .list {
            var item = index + 1
            for _ in 0..<record.length {
                found.append(item)
                item += file.records[item].span
            }
        }
        guard !found.isEmpty || record.kind == .list, found.allSatisfy({ file.records[$0].kind == .object }) else {
            throw SyntaxProblem(
                offset: Int(record.offset), message: "'<<' merges an object or a list of objects, nothing else")
        }
        return found
    }
}

/// Where the text of a scalar is.
enum ScalarText {
    /// As it stands in the file.
    case inFile(start: Int, length: Int)
    /// Elsewhere; it is copied into the file's side text.
    case copy(ByteView)
}
