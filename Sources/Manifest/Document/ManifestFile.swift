import Core
import Glibc

/// Where something stands in a file. Lines and columns count from 1, columns in characters.
public struct SourceLocation: Hashable, Sendable {
    public var file: String
    public var line: Int
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// A file's text and nodes, in plain memory: nodes point here, so that looking at one counts no references.
struct NodeArena: ~Copyable {
    let text: ByteView
    /// Text of scalars that differs from what stands in the file.
    var sideText = Slab<UInt8>()
    var records = Slab<NodeRecord>()
    /// Whose memory this is.
    let file: Unmanaged<ManifestFile>

    init(text: ByteView, file: Unmanaged<ManifestFile>) {
        self.text = text
        self.file = file
    }

    /// The text of a scalar.
    func scalarText(_ record: NodeRecord) -> ByteView {
        let start = Int(record.link)
        let length = Int(record.length)
        return record.flags.contains(.unescaped) ? sideText.view(start, length) : text[start..<(start + length)]
    }
}

/// One file that was read: its text, and the arena with the nodes of all its documents.
///
/// A ``Node`` points into it without keeping it alive; whoever holds nodes holds the ``ManifestSet`` too. It never
/// changes once it has been read, so several threads may look at it.
public final class ManifestFile: @unchecked Sendable {
    /// The path as it was given.
    public let path: String
    let arena: UnsafeMutablePointer<NodeArena>
    let names: NameTable
    /// The root records of the resources in it, in ascending order; those of a `List` are its items.
    var resourceRoots: [Int] = []
    /// The offset of the first octet of every `lineStride`-th line; made when a place is first asked for.
    private var lineMarks: [UInt32] = []
    private static let lineStride = 8

    init(path: String, octets: ByteView, knownNames: NameTable) {
        self.path = path
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, octets.count))
        if let source = octets.base { memcpy(copy, source, octets.count) }
        names = NameTable(on: knownNames)
        arena = .allocate(capacity: 1)
        arena.initialize(
            to: NodeArena(
                text: ByteView(UnsafePointer(copy), count: octets.count), file: Unmanaged.passUnretained(self)))
    }

    deinit {
        text.base?.deallocate()
        arena.deinitialize(count: 1)
        arena.deallocate()
    }

    var text: ByteView { arena.pointee.text }
    var sideText: Slab<UInt8> {
        _read { yield arena.pointee.sideText }
        _modify { yield &arena.pointee.sideText }
    }
    var records: Slab<NodeRecord> {
        _read { yield arena.pointee.records }
        _modify { yield &arena.pointee.records }
    }

    /// Called once, when the last document has been read.
    func finish() {
        sideText.trim()
        records.trim()
        names.trim()
        markLines()
    }

    func scalarText(_ record: NodeRecord) -> ByteView { arena.pointee.scalarText(record) }

    /// Octets that the file keeps in memory: its text, its nodes, its own names.
    public var footprint: (text: Int, nodes: Int) {
        (text.count + sideText.count, records.count * MemoryLayout<NodeRecord>.stride)
    }

    // MARK: places

    private func markLines() {
        lineMarks = [0]
        var line = 0
        var at = 0
        while let end = text.firstIndex(of: ASCII.lf, from: at) {
            at = end + 1
            line += 1
            if line % Self.lineStride == 0 { lineMarks.append(UInt32(at)) }
        }
    }

    /// Line and column, from 1, of the octet at `offset`.
    func place(of offset: Int) -> (line: Int, column: Int) {
        let target = min(offset, text.count)
        // The last mark at or before the octet.
        var low = 0
        var high = lineMarks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(lineMarks[middle]) <= target { low = middle } else { high = middle }
        }
        var line = low * Self.lineStride + 1
        var start = lineMarks.isEmpty ? 0 : Int(lineMarks[low])
        while let end = text.firstIndex(of: ASCII.lf, from: start), end < target {
            start = end + 1
            line += 1
        }
        var column = 1
        for index in start..<max(start, target) where text[index] & 0xC0 != 0x80 { column += 1 }
        return (line, column)
    }

    func location(of offset: Int) -> SourceLocation {
        let (line, column) = place(of: offset)
        return SourceLocation(file: path, line: line, column: column)
    }
}
