import Core

/// Reads the YAML that manifests are nearly always written in, several times as fast as libyaml, and gives up on
/// anything else: it never judges a document, it only says "not mine", and ``YAMLReader`` reads that one.
///
/// Its part of YAML: block mappings and sequences indented by spaces; scalars on one line, plain or quoted, with JSON's
/// escapes at most; flow collections without comments in them, hence all of JSON. Not in it: anchors, aliases, tags,
/// directives, block scalars, scalars of several lines, tabs for indentation, carriage returns.
/// What it accepts it must read exactly as libyaml does (`SimpleReaderTests` and a fuzzer compare the two).
struct SimpleReader: ~Copyable {
    private let text: ByteView
    private let end: Int
    private var at: Int

    /// Not an error: something here is beyond this reader.
    enum Refusal: Error {
        case notMine
        /// This would be wrong whoever reads it.
        case problem(SyntaxProblem)
    }

    /// Longer keys are left to libyaml, which has a limit of its own for them.
    private static let keyLength = 256

    /// - Parameter range: one document, a `---` line at its front included.
    init(_ text: ByteView, _ range: Range<Int>) {
        self.text = text
        at = range.lowerBound
        end = range.upperBound
    }

    /// Reads the document; of JSON values one after the other, each is a document. Appends their roots.
    mutating func read(into builder: inout NodeBuilder, _ roots: inout [Int]) throws(Refusal) {
        try skipDocumentMark()
        var isFirst = true
        while let column = try nextContent() {
            // Values may follow each other without a mark between them when all are JSON.
            let isJSON = byte(at) == 0x7B
            guard isFirst || isJSON else { throw .notMine }
            builder.begin()
            let root = builder.file.records.count
            if isJSON {
                try flow(&builder)
                try endOfLine()
            } else {
                try block(column, &builder)
                guard try nextContent() == nil else { throw .notMine }
            }
            roots.append(root)
            isFirst = false
        }
    }

    // MARK: lines

    /// 0 past the end; a NUL in the text is refused wherever it stands.
    private func byte(_ index: Int) -> UInt8 { index < end ? text[index] : 0 }

    private mutating func skipDocumentMark() throws(Refusal) {
        guard byte(at) == 0x2D, byte(at + 1) == 0x2D, byte(at + 2) == 0x2D else { return }
        at += 3
        try endOfLine()
    }

    /// From within a line to the first character of the next line that has content. Returns its column, or nil at the
    /// end. When `at` is at the start of a line it looks at that line.
    private mutating func nextContent() throws(Refusal) -> Int? {
        while at < end {
            let start = at
            while byte(at) == ASCII.space { at += 1 }
            guard at < end else { return nil }
            switch text[at] {
            case ASCII.lf: at += 1
            case 0x23: try comment()  // '#'
            case ASCII.tab, ASCII.cr: throw .notMine
            default: return at - start
            }
        }
        return nil
    }

    /// Only blanks and a comment may be left on the line; goes to the start of the next.
    private mutating func endOfLine() throws(Refusal) {
        let start = at
        while byte(at) == ASCII.space { at += 1 }
        guard at < end else { return }
        if text[at] == ASCII.lf {
            at += 1
        } else if text[at] == 0x23, at > start {
            try comment()
        } else {
            throw .notMine
        }
    }

    private mutating func comment() throws(Refusal) {
        while at < end, text[at] != ASCII.lf {
            try step()
        }
        if at < end { at += 1 }
    }

    /// Over one octet that may stand in text; libyaml refuses control characters and takes some others for line ends.
    @inline(__always)
    private mutating func step() throws(Refusal) {
        let byte = text[at]
        if byte &- 0x20 < 0x5F {
            at += 1
            return
        }
        try stepOverRare(byte)
    }

    private mutating func stepOverRare(_ byte: UInt8) throws(Refusal) {
        switch byte {
        case 0xC2:
            guard self.byte(at + 1) >= 0xA0 else { throw .notMine }
        case 0xE2:
            guard self.byte(at + 1) != 0x80 || self.byte(at + 2) & 0xFE != 0xA8 else { throw .notMine }
        case 0x80...0xEE, 0xF0...0xF4:
            break
        default:
            throw .notMine
        }
        at += 1
    }

    // MARK: blocks

    /// The node whose first character is at `at`, in column `column`.
    private mutating func block(_ column: Int, _ builder: inout NodeBuilder) throws(Refusal) {
        if isDash { return try sequence(column, &builder) }
        guard let key = try scanKey() else { throw .notMine }
        try mapping(column, key, &builder)
    }

    private var isDash: Bool {
        byte(at) == 0x2D && (byte(at + 1) == ASCII.space || byte(at + 1) == ASCII.lf)
    }

    private struct Key {
        var offset: Int
        var text: Range<Int>
        var isPlain: Bool
        /// One past the colon.
        var next: Int
    }

    /// The key at `at` with its colon, without moving; nil when what stands here is no key.
    private func scanKey() throws(Refusal) -> Key? {
        let first = byte(at)
        if first == 0x22 || first == 0x27 {
            var index = at + 1
            while byte(index) != first {
                let byte = byte(index)
                guard byte &- 0x20 < 0x5F, byte != 0x5C, index - at < Self.keyLength else { return nil }
                index += 1
            }
            // In single quotes, two stand for one.
            guard byte(index + 1) == ASCII.colon, isBlankOrEnd(index + 2) else { return nil }
            return Key(offset: at, text: (at + 1)..<index, isPlain: false, next: index + 2)
        }
        guard TextFormat.isAlphanumeric(first) || first == 0x5F else { return nil }
        var index = at + 1
        while isKeyOctet(byte(index)) { index += 1 }
        guard byte(index) == ASCII.colon, isBlankOrEnd(index + 1), index - at <= Self.keyLength else { return nil }
        return Key(offset: at, text: at..<index, isPlain: true, next: index + 1)
    }

    private func isKeyOctet(_ byte: UInt8) -> Bool {
        TextFormat.isAlphanumeric(byte) || byte == 0x2D || byte == 0x2E || byte == 0x2F || byte == 0x5F
    }

    private func isBlankOrEnd(_ index: Int) -> Bool {
        index >= end || text[index] == ASCII.space || text[index] == ASCII.lf
    }

    private mutating func mapping(_ column: Int, _ first: Key, _ builder: inout NodeBuilder) throws(Refusal) {
        try open(.object, &builder)
        var key = first
        while true {
            try put(key, &builder)
            at = key.next
            try value(of: key, column, &builder)
            guard let next = try peekContent() else { break }
            if next.column < column { break }
            guard next.column == column else { throw .notMine }
            at = next.offset
            guard let following = try scanKey() else { throw .notMine }
            key = following
        }
        try close(&builder)
    }

    private mutating func value(of key: Key, _ column: Int, _ builder: inout NodeBuilder) throws(Refusal) {
        while byte(at) == ASCII.space { at += 1 }
        if at < end, text[at] != ASCII.lf, text[at] != 0x23 {
            return try inline(column, &builder)
        }
        try endOfLine()
        guard let next = try peekContent() else { return null(key.next, &builder) }
        if next.column > column {
            at = next.offset
            try block(next.column, &builder)
        } else if next.column == column, byte(next.offset) == 0x2D,
            byte(next.offset + 1) == ASCII.space || byte(next.offset + 1) == ASCII.lf
        {
            at = next.offset
            try sequence(column, &builder)
        } else {
            null(key.next, &builder)
        }
    }

    private mutating func sequence(_ column: Int, _ builder: inout NodeBuilder) throws(Refusal) {
        try open(.list, &builder)
        while true {
            let dash = at
            at += 1
            while byte(at) == ASCII.space { at += 1 }
            if at >= end || text[at] == ASCII.lf || text[at] == 0x23 {
                try endOfLine()
                if let next = try peekContent(), next.column > column {
                    at = next.offset
                    try block(next.column, &builder)
                } else {
                    null(dash + 1, &builder)
                }
            } else if isDash {
                try sequence(column + at - dash, &builder)
            } else if let key = try scanKey() {
                try mapping(column + at - dash, key, &builder)
            } else {
                try inline(column, &builder)
            }
            guard let next = try peekContent() else { break }
            if next.column < column { break }
            guard next.column == column else { throw .notMine }
            guard byte(next.offset) == 0x2D,
                byte(next.offset + 1) == ASCII.space || byte(next.offset + 1) == ASCII.lf
            else { break }
            at = next.offset
        }
        try close(&builder)
    }

    /// The next line with content, without going there but to the start of its line.
    private mutating func peekContent() throws(Refusal) -> (column: Int, offset: Int)? {
        guard let column = try nextContent() else { return nil }
        let offset = at
        at -= column
        return (column, offset)
    }

    /// A scalar or flow collection that begins on the line of its key or dash. What follows it must not be indented
    /// deeper than `column`: it would be a continuation.
    private mutating func inline(_ column: Int, _ builder: inout NodeBuilder) throws(Refusal) {
        switch text[at] {
        case 0x7B, 0x5B:
            try flow(&builder)
            try endOfLine()
        case 0x22:
            try doubleQuoted(&builder)
            try endOfLine()
        case 0x27:
            try singleQuoted(&builder)
            try endOfLine()
        default:
            try plain(&builder)
        }
        guard let next = try peekContent() else { return }
        if next.column > column { throw .notMine }
    }

    /// To the end of the line.
    private mutating func plain(_ builder: inout NodeBuilder) throws(Refusal) {
        try refuseIndicator()
        let start = at
        var last = at
        while at < end {
            let byte = text[at]
            if byte == ASCII.lf { break }
            if byte == ASCII.colon, isBlankOrEnd(at + 1) { throw .notMine }
            if byte == 0x23, text[at - 1] == ASCII.space { break }
            try step()
            if byte != ASCII.space { last = at }
        }
        add(start..<last, &builder)
        try endOfLineOrComment()
    }

    private mutating func endOfLineOrComment() throws(Refusal) {
        if at < end, text[at] == 0x23 { return try comment() }
        if at < end { at += 1 }
    }

    /// What may begin a plain scalar here: anything that means nothing else.
    private func refuseIndicator() throws(Refusal) {
        let first = byte(at)
        if TextFormat.isAlphanumeric(first) || first == 0x2F || first == 0x5F || first == 0x2E || first == 0x2B
            || first == 0x7E || first == 0x5E || first == 0x28 || first == 0x24 || first >= 0x80
        {
            return
        }
        // A minus sign, not a dash.
        if first == 0x2D, TextFormat.isAlphanumeric(byte(at + 1)) || byte(at + 1) == 0x2E { return }
        throw .notMine
    }

    // MARK: quoted scalars

    private mutating func singleQuoted(_ builder: inout NodeBuilder) throws(Refusal) {
        let offset = at
        at += 1
        while byte(at) != 0x27 {
            guard at < end, text[at] != ASCII.lf else { throw .notMine }
            try step()
        }
        if byte(at + 1) == 0x27 { throw .notMine }
        builder.scalar(.string, at: offset, text: .inFile(start: offset + 1, length: at - offset - 1))
        at += 1
    }

    private mutating func doubleQuoted(_ builder: inout NodeBuilder) throws(Refusal) {
        let offset = at
        at += 1
        while byte(at) != 0x22 {
            guard at < end, text[at] != ASCII.lf else { throw .notMine }
            if text[at] == 0x5C { return try escaped(offset, &builder) }
            try step()
        }
        builder.scalar(.string, at: offset, text: .inFile(start: offset + 1, length: at - offset - 1))
        at += 1
    }

    /// A double-quoted scalar with JSON's escapes; `at` is at the first of them.
    private mutating func escaped(_ offset: Int, _ builder: inout NodeBuilder) throws(Refusal) {
        var decoded = Array(text[(offset + 1)..<at].array)
        while byte(at) != 0x22 {
            guard at < end, text[at] != ASCII.lf else { throw .notMine }
            if text[at] == 0x5C {
                try escape(into: &decoded)
            } else {
                decoded.append(text[at])
                try step()
            }
        }
        decoded.withView { builder.scalar(.string, at: offset, text: .copy($0)) }
        at += 1
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(Refusal) {
        let symbol = byte(at + 1)
        at += 2
        switch symbol {
        case 0x22, 0x5C, ASCII.slash: decoded.append(symbol)
        case 0x62: decoded.append(0x08)
        case 0x66: decoded.append(0x0C)
        case 0x6E: decoded.append(ASCII.lf)
        case 0x72: decoded.append(ASCII.cr)
        case 0x74: decoded.append(ASCII.tab)
        case 0x75:
            var value = try fourDigits()
            if (0xD800...0xDBFF).contains(value) {
                // JSON writes what lies past U+FFFF as two (RFC 8259, section 7).
                guard byte(at) == 0x5C, byte(at + 1) == 0x75 else { throw .notMine }
                at += 2
                let low = try fourDigits()
                guard (0xDC00...0xDFFF).contains(low) else { throw .notMine }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw .notMine }
            decoded += Array(String(Character(scalar)).utf8)
        default: throw .notMine
        }
    }

    private mutating func fourDigits() throws(Refusal) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = ASCII.hexValue(byte(at)) else { throw .notMine }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    // MARK: flow collections

    private mutating func flow(_ builder: inout NodeBuilder) throws(Refusal) {
        let isObject = text[at] == 0x7B
        let closing: UInt8 = isObject ? 0x7D : 0x5D
        try open(isObject ? .object : .list, &builder)
        at += 1
        skipFlowBlanks()
        while byte(at) != closing {
            if isObject { try flowKey(&builder) }
            try flowValue(&builder)
            skipFlowBlanks()
            if byte(at) == ASCII.comma {
                at += 1
                skipFlowBlanks()
            } else if byte(at) != closing {
                throw .notMine
            }
        }
        at += 1
        try close(&builder)
    }

    private mutating func flowKey(_ builder: inout NodeBuilder) throws(Refusal) {
        let offset = at
        let quote = byte(at)
        var key = Key(offset: at, text: at..<at, isPlain: true, next: at)
        if quote == 0x22 || quote == 0x27 {
            at += 1
            while byte(at) != quote {
                let byte = byte(at)
                guard byte &- 0x20 < 0x5F, byte != 0x5C, at - offset < Self.keyLength else { throw .notMine }
                at += 1
            }
            key.text = (offset + 1)..<at
            key.isPlain = false
            at += 1
            while byte(at) == ASCII.space { at += 1 }
            guard byte(at) == ASCII.colon else { throw .notMine }
        } else {
            guard TextFormat.isAlphanumeric(quote) || quote == 0x5F else { throw .notMine }
            while isKeyOctet(byte(at)) { at += 1 }
            key.text = offset..<at
            guard byte(at) == ASCII.colon, byte(at + 1) == ASCII.space, at - offset <= Self.keyLength else {
                throw .notMine
            }
        }
        at += 1
        try put(key, &builder)
        skipFlowBlanks()
    }

    private mutating func flowValue(_ builder: inout NodeBuilder) throws(Refusal) {
        switch byte(at) {
        case 0x7B, 0x5B: try flow(&builder)
        case 0x22: try doubleQuoted(&builder)
        case 0x27: try singleQuoted(&builder)
        default:
            try refuseIndicator()
            let start = at
            var last = at
            while at < end {
                let byte = text[at]
                switch byte {
                case ASCII.comma, 0x5D, 0x7D, ASCII.lf:
                    add(start..<last, &builder)
                    return
                case ASCII.colon, 0x23, 0x5B, 0x7B, ASCII.question: throw .notMine
                default:
                    try step()
                    if byte != ASCII.space { last = at }
                }
            }
            throw .notMine
        }
    }

    private mutating func skipFlowBlanks() {
        while at < end, text[at] == ASCII.space || text[at] == ASCII.lf { at += 1 }
    }

    // MARK: the builder, whose problems are everybody's

    private func open(_ kind: NodeKind, _ builder: inout NodeBuilder) throws(Refusal) {
        do {
            try builder.open(kind, at: at)
        } catch {
            throw .problem(error)
        }
    }

    private func close(_ builder: inout NodeBuilder) throws(Refusal) {
        do {
            try builder.close()
        } catch {
            throw .problem(error)
        }
    }

    private func put(_ key: Key, _ builder: inout NodeBuilder) throws(Refusal) {
        do {
            try builder.key(text[key.text], at: key.offset, isPlain: key.isPlain)
        } catch {
            throw .problem(error)
        }
    }

    private func add(_ range: Range<Int>, _ builder: inout NodeBuilder) {
        builder.plainScalar(
            text[range], at: range.lowerBound, text: .inFile(start: range.lowerBound, length: range.count))
    }

    private func null(_ offset: Int, _ builder: inout NodeBuilder) {
        builder.scalar(.null, at: offset, text: .inFile(start: offset, length: 0))
    }
}
