import Core
import Synchronization

/// What one worker counts of calls to hosts that are not to be reached: a place for each pair of host and caller, in
/// shared memory. The worker is its only writer; an entry's texts are there before its length is, and never change.
///
/// Limits: ``places``, the first of which counts all pairs that found no other; ``longestText``.
struct DenialTable {
    static let places = 64
    /// Octets of a host, and of a caller, that are kept; the rest is cut.
    static let longestText = 104
    static let size = places * entrySize
    private static let entrySize = 256

    // The words of an entry; the texts follow.
    private static let count = 0
    private static let logged = 1
    private static let hash = 2
    private static let lengths = 3
    private static let texts = 32

    private let base: UnsafeMutableRawPointer

    init(base: UnsafeMutableRawPointer) { self.base = base }

    private func entry(_ place: Int) -> UnsafeMutableRawPointer { base + place * Self.entrySize }
    private func words(_ place: Int) -> UnsafeMutablePointer<UInt64> {
        entry(place).assumingMemoryBound(to: UInt64.self)
    }

    /// Counts one.
    /// - Returns: whether `quiet` has passed since the last time that this was true of the pair.
    func note(host: ByteView, caller: ByteView, now: Int64, quiet: TimeAmount) -> Bool {
        let place = find(host.upTo(min(host.count, Self.longestText)), caller.upTo(min(caller.count, Self.longestText)))
        let words = words(place)
        words[Self.count] &+= 1
        let last = Int64(bitPattern: words[Self.logged])
        guard last == 0 || now - last >= quiet.nanoseconds || now < last else { return false }
        words[Self.logged] = UInt64(bitPattern: now)
        return true
    }

    private func find(_ host: ByteView, _ caller: ByteView) -> Int {
        // The same in every process: a worker that is started again goes on with what is there (FNV-1a).
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in host.indices { hash = (hash ^ UInt64(ASCII.lower(host[index]))) &* 0x100_0000_01B3 }
        hash = (hash ^ 0x100) &* 0x100_0000_01B3
        for index in caller.indices { hash = (hash ^ UInt64(caller[index])) &* 0x100_0000_01B3 }
        for place in 1..<Self.places {
            let words = words(place)
            if words[Self.lengths] == 0 {
                words[Self.hash] = hash
                write(host, at: Self.texts, of: place)
                write(caller, at: Self.texts + Self.longestText, of: place)
                atomicMemoryFence(ordering: .releasing)
                words[Self.lengths] = 1 << 63 | UInt64(host.count) << 32 | UInt64(caller.count)
                return place
            }
            if words[Self.hash] == hash { return place }
        }
        return 0
    }

    private func write(_ text: ByteView, at offset: Int, of place: Int) {
        for index in text.indices {
            (entry(place) + offset + index).storeBytes(of: text[index], as: UInt8.self)
        }
    }

    // MARK: for the reader

    struct Entry {
        var host: String
        var caller: String
        var count: UInt64
    }

    /// The pairs that were counted; those without a place of their own as `other`.
    var entries: [Entry] {
        var found: [Entry] = []
        for place in 1..<Self.places {
            let words = words(place)
            let lengths = words[Self.lengths]
            guard lengths != 0 else { break }
            atomicMemoryFence(ordering: .acquiring)
            let host = min(Int(lengths >> 32 & 0xFF), Self.longestText)
            let caller = min(Int(lengths & 0xFF), Self.longestText)
            found.append(
                Entry(
                    host: text(place, Self.texts, host), caller: text(place, Self.texts + Self.longestText, caller),
                    count: words[Self.count]))
        }
        let rest = words(0)[Self.count]
        if rest > 0 { found.append(Entry(host: "other", caller: "other", count: rest)) }
        return found
    }

    private func text(_ place: Int, _ offset: Int, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: entry(place) + offset, count: length), as: UTF8.self)
    }
}
