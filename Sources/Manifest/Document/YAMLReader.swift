import CYAML
import Core
import Glibc

/// libyaml's events, given to a ``NodeBuilder``. The only file that knows libyaml.
struct YAMLReader: ~Copyable {
    private let file: ManifestFile
    private let text: ByteView
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    /// libyaml counts characters; the octet of the last character asked for.
    private var cursor = (character: 0, octet: 0)
    private var start = 0
    private let isASCII: Bool

    /// - Parameter file: its text is valid UTF-8.
    init(_ file: ManifestFile, isASCII: Bool) {
        self.file = file
        self.text = file.text
        self.isASCII = isASCII
    }

    deinit { parser.deallocate() }

    /// Reads the documents in `range` and appends the records of their roots. A document that cannot be read leaves
    /// nothing behind; those before it stay.
    mutating func read(_ range: Range<Int>, into builder: inout NodeBuilder, _ roots: inout [Int]) throws(SyntaxProblem)
    {
        let begin = range.lowerBound
        guard !range.isEmpty else { return }
        start = begin
        cursor = (0, begin)
        guard yaml_parser_initialize(parser) == 1 else { fatalError("out of memory") }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.base.unsafelyUnwrapped + begin, range.count)
        var event = yaml_event_t()
        var documentStart = file.records.count
        while true {
            guard yaml_parser_parse(parser, &event) == 1 else {
                builder.abandon(to: documentStart)
                throw problem(endingAt: range.upperBound)
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
                documentStart = file.records.count
            default:
                do {
                    try take(&event, &builder)
                } catch {
                    builder.abandon(to: documentStart)
                    throw error
                }
            }
        }
    }

    private mutating func take(_ event: inout yaml_event_t, _ builder: inout NodeBuilder) throws(SyntaxProblem) {
        let offset = octet(event.start_mark.index)
        switch event.type {
        case YAML_SCALAR_EVENT:
            try takeScalar(event, offset, &builder)
        case YAML_MAPPING_START_EVENT:
            try refuseKey(.object, offset, builder)
            if let anchor = event.data.mapping_start.anchor { builder.anchor(String(cString: anchor)) }
            try builder.open(.object, at: offset)
        case YAML_SEQUENCE_START_EVENT:
            try refuseKey(.list, offset, builder)
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

    private func refuseKey(_ kind: NodeKind, _ offset: Int, _ builder: borrowing NodeBuilder) throws(SyntaxProblem) {
        guard builder.wantsKey else { return }
        throw SyntaxProblem(
            offset: offset,
            message: "a key must be text, not \(kind.text); a value with '{' or '[' for text needs quotes")
    }

    private func takeScalar(_ event: yaml_event_t, _ offset: Int, _ builder: inout NodeBuilder) throws(SyntaxProblem) {
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

    private mutating func problem(endingAt end: Int) -> SyntaxProblem {
        let said = parser.pointee.problem.map { String(cString: $0) } ?? "this is not YAML"
        let offset =
            parser.pointee.error == YAML_READER_ERROR
            ? start + parser.pointee.problem_offset : octet(parser.pointee.problem_mark.index)
        var message = "not valid YAML: \(said)"
        if let context = parser.pointee.context { message += " \(String(cString: context))" }
        let at = min(max(offset, start), end)
        if at < text.count, text[at] == ASCII.tab { message += "; indent with spaces, not tabs" }
        return SyntaxProblem(offset: at, message: message)
    }
}
