import Core
import Glibc

/// The memory that a snapshot is written into: grows, then is only read.
///
/// Its first failure sticks: from then on nothing is written and every table is empty, so that the builder checks once,
/// at its end, instead of after each of some 100,000 writes.
public struct SnapshotBlock: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    private(set) var size = 0
    private(set) var failure: SnapshotBuildError?
    private let limit: Int

    /// - Parameter limit: octets that the block may have at most; see ``SnapshotLimits/octets``.
    init(limit: Int, capacity: Int) {
        self.limit = limit
        grow(to: capacity)
    }

    deinit { free(base) }

    /// The whole block; valid as long as this value lives.
    public var bytes: ByteView { ByteView(base?.assumingMemoryBound(to: UInt8.self), count: size) }

    /// The block as a reader sees it; valid as long as this value lives.
    public var snapshot: Snapshot? { base.flatMap { Snapshot(base: UnsafeRawPointer($0), size: size) } }

    mutating func fail(_ error: SnapshotBuildError) {
        if failure == nil { failure = error }
    }

    /// Room for `count` records, zeroed.
    mutating func allocate<Record: BitwiseCopyable>(_ type: Record.Type, count: Int) -> Table<Record> {
        guard count > 0 else { return Table() }
        let alignment = MemoryLayout<Record>.alignment
        let offset = (size + alignment - 1) & ~(alignment - 1)
        let octets = count * MemoryLayout<Record>.stride
        guard reserve(offset + octets) else { return Table() }
        memset(base.unsafelyUnwrapped + size, 0, offset + octets - size)
        size = offset + octets
        return Table(offset: UInt32(offset), count: UInt32(count))
    }

    mutating func append<Record: BitwiseCopyable>(contentsOf records: [Record]) -> Table<Record> {
        let table = allocate(Record.self, count: records.count)
        guard !table.isEmpty else { return table }
        records.withUnsafeBytes {
            (base.unsafelyUnwrapped + Int(table.offset)).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        return table
    }

    mutating func append(octets: ByteView) -> UInt32 {
        guard octets.count > 0, reserve(size + octets.count) else { return 0 }
        memcpy(base.unsafelyUnwrapped + size, octets.base.unsafelyUnwrapped, octets.count)
        defer { size += octets.count }
        return UInt32(size)
    }

    /// Writes one record of a table; nothing after a failure.
    subscript<Record: BitwiseCopyable>(table: Table<Record>, index: Int) -> Record {
        get {
            precondition(UInt(bitPattern: index) < UInt(table.count), "no such record")
            return (base.unsafelyUnwrapped + Int(table.offset) + index * MemoryLayout<Record>.stride)
                .load(as: Record.self)
        }
        set {
            guard failure == nil else { return }
            precondition(UInt(bitPattern: index) < UInt(table.count), "no such record")
            (base.unsafelyUnwrapped + Int(table.offset) + index * MemoryLayout<Record>.stride)
                .storeBytes(of: newValue, as: Record.self)
        }
    }

    func text(_ ref: TextRef) -> ByteView { bytes[Int(ref.offset)..<(Int(ref.offset) + Int(ref.length))] }

    private mutating func reserve(_ total: Int) -> Bool {
        guard failure == nil else { return false }
        guard total <= limit else {
            fail(.blockTooLarge(limit: limit))
            return false
        }
        if total > capacity { grow(to: max(total, capacity * 2)) }
        return true
    }

    private mutating func grow(to octets: Int) {
        // realloc gives 16-octet alignment, which is more than any record asks for.
        guard let grown = realloc(base, octets) else { fatalError("out of memory") }
        base = grown
        capacity = octets
    }
}
