import CYAML
import Core
import Glibc

/// libyaml's events, given to a ``NodeBuilder``. The only file that knows libyaml.
///
/// A file that breaks off is taken up again at the next `---` at the start of a line, which YAML allows nowhere but
/// between documents (YAML 1.2.2, 9.1.2): one bad document does not hide what is wrong in the others.
struct YAMLReader: ~Copyable {
    private let file: ManifestFile
    private let text: ByteView
    private var builder: NodeBuilder
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    /// libyaml counts characters; the octet of the last character asked for.
    private var cursor = (character: 0, octet: 0)
    private var start = 0
    private let isASCII: Bool

    /// - Parameter text: valid UTF-8 of `file`.
    init(_ file: ManifestFile, isASCII: Bool) {
        self.file = file
        self.text = file.text
        self.isASCII = isASCII
        builder = NodeBuilder(file: file)
    }

    deinit { parser.deallocate() }

    /// Reads from `offset` to the end. The index of every document's root record, and what could not be read.
    mutating func read(from offset: Int) -> (roots: [Int], problems: [SyntaxProblem]) {
        var roots: [Int] = []
        var problems: [SyntaxProblem] = []
        var next: Int? = offset
        while let begin = next {
            next = nil
            do {
                try readStream(from: begin, into: &roots)
            } catch {
                problems.append(error)
                next = Self.nextDocument(in: text, after: max(begin, error.offset))
            }
        }
        return (roots, problems)
    }

    /// The offset of the next line that starts with `---`, after the line of `offset`.
    static func nextDocument(in text: ByteView, after offset: Int) -> Int? {
        var at = min(offset, text.count)
        while let end = text.firstIndex(of: ASCII.lf, from: at) {
            at = end + 1
            let rest = text.from(at)
            guard rest.hasPrefix(ByteView("---")) else { continue }
            if rest.count == 3 || rest[3] <= ASCII.space { return at }
        }
        return nil
    }

    private mutating func readStream(from begin: Int, into roots: inout [Int]) throws(SyntaxProblem) {
        guard begin < text.count else { return }
        start = begin
        cursor = (0, begin)
        guard yaml_parser_initialize(parser) == 1 else { fatalError("out of memory") }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.base.unsafelyUnwrapped + begin, text.count - begin)
        var event = yaml_event_t()
        var documentStart = file.records.count
        while true {
            guard yaml_parser_parse(parser, &event) == 1 else {
                builder.abandon(to: documentStart)
                throw problem()
            }
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_END_EVENT:
                return
            case YAML_DOCUMENT_START_EVENT:
                documentStart = file.records.count
                builder.begin()
            case YAML_DOCUMENT_END_EVENT:
                if file.records.count > documentStart { roots.append(documentStart) }
            default:
                do {
                    try take(&event)
                } catch {
                    builder.abandon(to: documentStart)
                    throw error
                }
            }
        }
    }

    private mutating func take(_ event: inout yaml_event_t) throws(SyntaxProblem) {
        let offset = octet(event.start_mark.index)
        switch event.type {
        case YAML_SCALAR_EVENT:
            try takeScalar(event, offset)
        case YAML_MAPPING_START_EVENT:
            try refuseKey(.object, offset)
            if let anchor = event.data.mapping_start.anchor { builder.anchor(String(cString: anchor)) }
            try builder.open(.object, at: offset)
        case YAML_SEQUENCE_START_EVENT:
            try refuseKey(.list, offset)
            if let anchor = event.data.sequence_start.anchor { builder.anchor(String(cString: anchor)) }
            try builder.open(.list, at: offset)
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
            try builder.close()
        case YAML_ALIAS_EVENT:
            let name = String(cString: event.data.alias.anchor)
            if builder.wantsKey {
                try builder.key(try builder.aliasedKey(name, at: offset), at: offset, isPlain: false)
            } else {
                try builder.alias(name, at: offset)
            }
        default:
            break
        }
    }

    private func refuseKey(_ kind: NodeKind, _ offset: Int) throws(SyntaxProblem) {
        guard builder.wantsKey else { return }
        throw SyntaxProblem(
            offset: offset,
            message: "a key must be text, not \(kind.text); a value with '{' or '[' for text needs quotes")
    }

    private mutating func takeScalar(_ event: yaml_event_t, _ offset: Int) throws(SyntaxProblem) {
        let scalar = event.data.scalar
        let value = ByteView(scalar.value, count: scalar.length)
        let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
        let tag = try tag(scalar.tag, offset)
        if builder.wantsKey {
            try builder.key(value, at: offset, isPlain: isPlain && tag == .none)
            // An anchor on a key names the key's text; nothing that we have kept stands for it.
            if scalar.anchor != nil {
                throw SyntaxProblem(offset: offset, message: "an anchor on a key is not supported")
            }
            return
        }
        if let anchor = scalar.anchor { builder.anchor(String(cString: anchor)) }
        let place = location(of: value, near: offset)
        switch tag {
        case .none where isPlain:
            builder.plainScalar(value, at: offset, text: place)
        case .none, .string:
            builder.scalar(.string, at: offset, text: place)
        case .kind(let wanted):
            let kind = PlainScalar.kind(of: value)
            guard kind == wanted || (wanted == .float && kind == .integer) else {
                throw SyntaxProblem(offset: offset, message: "'\(value.string)' is not \(wanted.text), as its tag says")
            }
            builder.scalar(wanted, at: offset, text: place, isTrue: PlainScalar.boolean(value) == true)
        }
    }

    // MARK: tags

    private enum Tag: Equatable {
        case none, string
        case kind(NodeKind)
    }

    private func tag(_ tag: UnsafeMutablePointer<UInt8>?, _ offset: Int) throws(SyntaxProblem) -> Tag {
        guard let tag else { return .none }
        switch String(cString: tag) {
        case "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp": return .string
        case "tag:yaml.org,2002:int": return .kind(.integer)
        case "tag:yaml.org,2002:float": return .kind(.float)
        case "tag:yaml.org,2002:bool": return .kind(.boolean)
        case "tag:yaml.org,2002:null": return .kind(.null)
        case let other:
            throw SyntaxProblem(
                offset: offset, message: "the tag '\(other)' is not supported; manifests need none")
        }
    }

    // MARK: places

    /// libyaml's text, found again in the file when it stands there as it is.
    private func location(of value: ByteView, near offset: Int) -> ScalarText {
        for begin in [offset, offset + 1] where begin + value.count <= text.count {
            if text[begin..<(begin + value.count)].equals(value) {
                return .inFile(start: begin, length: value.count)
            }
        }
        return .copy(value)
    }

    /// The octet at which character number `index` of this stream begins.
    private mutating func octet(_ index: Int) -> Int {
        if isASCII { return min(start + index, text.count) }
        if index < cursor.character { cursor = (0, start) }
        while cursor.character < index, cursor.octet < text.count {
            cursor.octet += 1
            while cursor.octet < text.count, text[cursor.octet] & 0xC0 == 0x80 { cursor.octet += 1 }
            cursor.character += 1
        }
        return cursor.octet
    }

    private mutating func problem() -> SyntaxProblem {
        let said = parser.pointee.problem.map { String(cString: $0) } ?? "this is not YAML"
        let offset =
            parser.pointee.error == YAML_READER_ERROR
            ? start + parser.pointee.problem_offset : octet(parser.pointee.problem_mark.index)
        var message = "not valid YAML: \(said)"
        if let context = parser.pointee.context { message += " \(String(cString: context))" }
        let at = min(max(offset, start), text.count)
        if at < text.count, text[at] == ASCII.tab { message += "; indent with spaces, not tabs" }
        return SyntaxProblem(offset: at, message: message)
    }
}
