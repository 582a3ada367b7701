import Core

/// A bounded table in shared memory, by 64-bit keys, that every worker reads and writes without a lock: what is known under
/// a key lies in some words behind it, zero when the key is new. Set-associative: a key has ``ways`` places; when others
/// have them all, the one that was left alone the longest gives way, and what was known of it is forgotten.
///
/// Two workers may meet a new key at once; then some counts of its first moment can be lost. A key is a hash of an identity
/// that survives reloads, and the memory survives crashes, so nothing has to be given back.
public struct KeyedTable: @unchecked Sendable {
    static let ways = 8

    private let base: UnsafeMutableRawPointer
    private let sets: Int
    private let words: Int

    static func size(sets: Int, words: Int) -> Int { sets * ways * (16 + words * 8) }

    /// - Parameters:
    ///   - sets: a power of two.
    ///   - words: behind each key.
    init(base: UnsafeMutableRawPointer, sets: Int, words: Int) {
        precondition(sets > 0 && sets & (sets - 1) == 0, "not a power of two")
        self.base = base
        self.sets = sets
        self.words = words
    }

    /// Keys that it holds at most.
    public var capacity: Int { sets * Self.ways }

    private func key(_ entry: Int) -> SharedWord { SharedWord(base + entry * 16) }
    private func seen(_ entry: Int) -> SharedWord { SharedWord(base + entry * 16 + 8) }
    private func place(_ entry: Int) -> UnsafeMutableRawPointer { base + capacity * 16 + entry * words * 8 }

    private func first(_ key: UInt64) -> Int {
        Self.ways * (Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & (sets - 1))
    }

    /// The words of a key that is there, for who only looks.
    func find(_ key: UInt64) -> UnsafeMutableRawPointer? {
        let key = key == 0 ? 1 : key
        let first = first(key)
        for entry in first..<(first + Self.ways) where self.key(entry).acquire() == key { return place(entry) }
        return nil
    }

    /// The words of a key, made now if it is new.
    public func place(of key: UInt64, now: Instant) -> UnsafeMutableRawPointer {
        // 0 is a free place.
        let key = key == 0 ? 1 : key
        let second = UInt64(max(0, now.nanoseconds)) / 1_000_000_000 + 1
        let first = first(key)
        while true {
            var stalest = first
            var holder: UInt64 = 0
            var least = UInt64.max
            for entry in first..<(first + Self.ways) {
                let known = self.key(entry).acquire()
                let seen = known == 0 ? 0 : self.seen(entry).value
                if known == key {
                    // A line that all workers use is written once a second, not once a request.
                    if seen != second { self.seen(entry).value = second }
                    return place(entry)
                }
                if seen < least {
                    stalest = entry
                    holder = known
                    least = seen
                }
            }
            if claim(stalest, from: holder, for: key, second) { return place(settled(stalest, first, key)) }
        }
    }

    private func claim(_ entry: Int, from holder: UInt64, for key: UInt64, _ second: UInt64) -> Bool {
        for word in 0..<words { SharedWord(place(entry) + word * 8).value = 0 }
        seen(entry).value = second
        return self.key(entry).replace(holder, by: key).isDone
    }

    /// Another worker may have put the same key into an earlier place meanwhile: that one counts, for both.
    private func settled(_ entry: Int, _ first: Int, _ key: UInt64) -> Int {
        for earlier in first..<entry where self.key(earlier).acquire() == key {
            self.key(entry).release(0)
            return earlier
        }
        return entry
    }

    /// The places that are in use.
    func forEachPlace(_ body: (UnsafeMutableRawPointer) -> Void) {
        for entry in 0..<capacity where key(entry).value != 0 { body(place(entry)) }
    }
}
