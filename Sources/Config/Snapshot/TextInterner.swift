import Core
import Glibc

/// Finds a text that already lies in the block, so that each is written once.
struct TextInterner: ~Copyable {
    private struct Entry {
        var hash: UInt64
        var ref: TextRef
    }
    private var entries: [Entry] = []
    /// Open addressing, at most half full; index into `entries` plus one, 0 is free.
    private var slots: [UInt32]

    init(expecting texts: Int) {
        var count = 1024
        while count < texts * 2 { count *= 2 }
        slots = Array(repeating: 0, count: count)
        entries.reserveCapacity(texts)
    }

    /// The place of `text`, written now if it is new. Two equal texts have the same offset, so an offset names a text.
    mutating func intern(_ text: ByteView, in block: inout SnapshotBlock) -> TextRef {
        guard !text.isEmpty else { return TextRef() }
        let hash = Self.hash(text)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.hash == hash, block.text(entry.ref).equals(text) { return entry.ref }
            slot = (slot + 1) & (slots.count - 1)
        }
        let ref = TextRef(offset: block.append(octets: text), length: UInt32(text.count))
        guard block.failure == nil else { return TextRef() }
        entries.append(Entry(hash: hash, ref: ref))
        slots[slot] = UInt32(entries.count)
        if entries.count * 2 > slots.count { rehash() }
        return ref
    }

    private mutating func rehash() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for (index, entry) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(index + 1)
        }
    }

    /// Eight octets a step; only this builder ever sees the value. Collisions cost time alone.
    private static func hash(_ text: ByteView) -> UInt64 {
        let base = UnsafeRawPointer(text.base.unsafelyUnwrapped)
        var hash = UInt64(text.count) &* 0x9E37_79B9_7F4A_7C15
        var at = 0
        while at + 8 <= text.count {
            hash = mix(hash ^ base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var tail: UInt64 = 0
        while at < text.count {
            tail = tail << 8 | UInt64(text[at])
            at += 1
        }
        return mix(hash ^ tail)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value &* 0xFF51_AFD7_ED55_8CCD
        return product ^ product >> 32
    }
}
