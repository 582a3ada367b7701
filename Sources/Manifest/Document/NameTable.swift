import Core

/// Field names by number. One table holds the names of the schema and never changes once it is complete; each file has
/// its own on top of it for the names that only the file has (labels, ConfigMap keys, mistakes).
final class NameTable {
    private let base: NameTable?
    private let firstID: UInt32
    private var texts = Slab<UInt8>()
    private var spans = Slab<Span>()
    /// Open addressing, a power of two; 0 is free, else index into `spans` plus one. Allocated with the first name.
    private var slots: [UInt32] = []

    private struct Span: BitwiseCopyable {
        var start: UInt32
        var length: UInt32
        var hash: UInt32
    }

    init(on base: NameTable? = nil) {
        self.base = base
        firstID = base.map { $0.firstID + UInt32($0.spans.count) } ?? 0
    }

    var count: Int { Int(firstID) + spans.count }

    func intern(_ name: ByteView) -> NameID {
        let hash = Self.hash(name)
        return find(name, hash) ?? add(name, hash)
    }

    func find(_ name: ByteView) -> NameID? { find(name, Self.hash(name)) }

    /// The name's octets; valid as long as the table is not added to.
    func text(_ id: NameID) -> ByteView {
        if id.raw < firstID, let base { return base.text(id) }
        let span = spans[Int(id.raw - firstID)]
        return texts.view(Int(span.start), Int(span.length))
    }

    func trim() {
        texts.trim()
        spans.trim()
    }

    private func find(_ name: ByteView, _ hash: UInt32) -> NameID? {
        if let found = base?.find(name, hash) { return found }
        guard !slots.isEmpty else { return nil }
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            let span = spans[index]
            if span.hash == hash, texts.view(Int(span.start), Int(span.length)).equals(name) {
                return NameID(raw: firstID + UInt32(index))
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func add(_ name: ByteView, _ hash: UInt32) -> NameID {
        if (spans.count + 1) * 2 > slots.count { rehash(max(16, slots.count * 2)) }
        let index = spans.count
        spans.append(Span(start: UInt32(texts.count), length: UInt32(name.count), hash: hash))
        texts.append(name)
        place(index, hash)
        return NameID(raw: firstID + UInt32(index))
    }

    private func place(_ index: Int, _ hash: UInt32) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(index) + 1
    }

    private func rehash(_ size: Int) {
        slots = [UInt32](repeating: 0, count: size)
        for index in 0..<spans.count { place(index, spans[index].hash) }
    }

    private static func hash(_ name: ByteView) -> UInt32 {
        let wide = RollingHash.of(name)
        return UInt32(truncatingIfNeeded: wide ^ (wide >> 32))
    }
}
