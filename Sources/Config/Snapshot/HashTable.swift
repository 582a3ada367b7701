import Core

/// The shape that all lookup tables of a snapshot share: open addressing with linear probing, a power of two of
/// buckets, at most three quarters full and with at least one free bucket, so that every probe ends.
public enum HashTable {
    /// Buckets for `count` entries.
    static func capacity(for count: Int) -> Int {
        guard count > 0 else { return 0 }
        var capacity = 2
        while capacity * 3 < count * 4 || capacity <= count { capacity *= 2 }
        return capacity
    }

    /// Where probing starts. FNV's low bits know little of the octets' high bits, so the upper half is folded in.
    @inlinable public static func firstSlot(_ hash: UInt64, mask: Int) -> Int {
        Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
    }
}

extension Snapshot {
    /// All records of a table, one after the other. Its bounds are checked here, once.
    @inlinable public func records<Record: BitwiseCopyable>(_ table: Table<Record>) -> UnsafePointer<Record> {
        let offset = Int(table.offset)
        precondition(offset + Int(table.count) * MemoryLayout<Record>.stride <= size, "table outside the snapshot")
        return (base + offset).assumingMemoryBound(to: Record.self)
    }

    /// The bucket of a path, or nil.
    /// - Parameter probes: grows by the buckets looked at.
    @inlinable public func find(
        _ path: ByteView, hash: UInt64, in table: Table<PathBucket>, probes: inout Int
    ) -> UnsafePointer<PathBucket>? {
        guard !table.isEmpty else { return nil }
        let buckets = records(table)
        let mask = Int(table.count) - 1
        var slot = HashTable.firstSlot(hash, mask: mask)
        while true {
            probes += 1
            let bucket = buckets + slot
            if bucket.pointee.candidates.isEmpty { return nil }
            if bucket.pointee.hash == hash, text(bucket.pointee.path).equals(path) { return bucket }
            slot = (slot + 1) & mask
        }
    }
}
