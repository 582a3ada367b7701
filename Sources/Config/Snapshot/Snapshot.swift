import Core

/// A snapshot as it lies in memory: one immutable, position-independent block, read in place.
///
/// A value is a borrowed address; whoever mapped the block keeps it mapped while anybody reads. References out of the
/// block's bounds are a trap (the controller wrote it, so they are our own broken invariant).
public struct Snapshot: @unchecked Sendable {
    public let base: UnsafeRawPointer
    public let size: Int

    /// Nil when the block is no snapshot of this format.
    public init?(base: UnsafeRawPointer, size: Int) {
        guard size >= MemoryLayout<SnapshotHeader>.size else { return nil }
        let header = base.assumingMemoryBound(to: SnapshotHeader.self)
        guard header.pointee.magic == SnapshotHeader.magic, header.pointee.format == SnapshotHeader.currentFormat,
            Int(header.pointee.size) <= size
        else { return nil }
        self.base = base
        self.size = Int(header.pointee.size)
    }

    @inlinable public var header: UnsafePointer<SnapshotHeader> { base.assumingMemoryBound(to: SnapshotHeader.self) }

    /// One record of a table, in place.
    @inlinable public subscript<Record: BitwiseCopyable>(table: Table<Record>, index: Int) -> UnsafePointer<Record> {
        precondition(UInt(bitPattern: index) < UInt(table.count), "no such record")
        let offset = Int(table.offset) + index * MemoryLayout<Record>.stride
        precondition(offset + MemoryLayout<Record>.size <= size, "record outside the snapshot")
        return (base + offset).assumingMemoryBound(to: Record.self)
    }

    /// An endpoint as people are shown it: its address, or `unix:` and a path.
    public func name(of endpoint: EndpointConfig) -> String {
        endpoint.unixPath.isEmpty ? endpoint.address.description : "unix:\(text(endpoint.unixPath).string)"
    }

    @inlinable public func text(_ ref: TextRef) -> ByteView {
        precondition(Int(ref.offset) + Int(ref.length) <= size, "text outside the snapshot")
        return ByteView((base + Int(ref.offset)).assumingMemoryBound(to: UInt8.self), count: Int(ref.length))
    }
}
