import Core

/// Which value of a carried field (``CarriedFieldPlan``) the calls of a trace have, in shared memory: what one worker has
/// seen on a request, all find for the calls that the request brings about, as long as their applications hand on the
/// trace's or the request's identifier.
///
/// A cache: an entry may be displaced at any time, never mixed up. Its first word is the key combined with all others, so
/// that an entry that two writers have torn is nobody's (after Hyatt's transposition table). Limits: ``entries``,
/// ``longestValue``, ``life``.
public struct CarriedValues: @unchecked Sendable {
    /// Traces that are known at once, of all workers together.
    public static let entries = 16_384
    /// Octets of a value.
    public static let longestValue = 32
    /// How long a trace's value is known after it was seen last.
    public static let life = TimeAmount.seconds(120)

    /// Places where an entry may lie, the oldest of which gives way.
    private static let ways = 4
    private static let valueWords = longestValue / 8
    private static let entrySize = (2 + valueWords) * 8
    /// Octets of shared memory; taken only where it is written.
    static let size = entries * entrySize

    private let base: UnsafeMutableRawPointer

    init(base: UnsafeMutableRawPointer) { self.base = base }

    /// - Parameters:
    ///   - key: of the field and the trace (``LimitState/key(_:of:)``).
    ///   - value: 1 to ``longestValue`` octets; a longer one is not kept.
    public func note(_ key: UInt64, _ value: ByteView, now: Instant) {
        guard !value.isEmpty, value.count <= Self.longestValue else { return }
        var chosen = entry(key, 0)
        var oldest = UInt64.max
        for way in 0..<Self.ways {
            let entry = entry(key, way)
            if entry.isOf(key) {
                chosen = entry
                break
            }
            if entry.seenAt < oldest {
                oldest = entry.seenAt
                chosen = entry
            }
        }
        chosen.write(key, value, seconds: Self.seconds(now))
    }

    /// Appends the value to `out`. False: none is known.
    public func find(_ key: UInt64, now: Instant, appendTo out: inout ByteBuffer) -> Bool {
        for way in 0..<Self.ways {
            let entry = entry(key, way)
            guard entry.isOf(key) else { continue }
            return entry.read(key, notBefore: Self.seconds(now), appendTo: &out)
        }
        return false
    }

    private static func seconds(_ now: Instant) -> UInt64 { UInt64(max(0, now.nanoseconds)) / 1_000_000_000 }

    private func entry(_ key: UInt64, _ way: Int) -> Entry {
        let set = Int(truncatingIfNeeded: key) & (Self.entries / Self.ways - 1)
        return Entry(base: base + (set * Self.ways + way) * Self.entrySize)
    }

    private struct Entry {
        let base: UnsafeMutableRawPointer

        private func word(_ index: Int) -> SharedWord { SharedWord(base + index * 8) }
        /// Seconds, and the value's length in the lowest octet.
        private var note: UInt64 { word(1).value }
        var seenAt: UInt64 { note >> 8 }

        func isOf(_ key: UInt64) -> Bool {
            var mixed = key
            for index in 1..<(2 + CarriedValues.valueWords) { mixed ^= word(index).value }
            return note != 0 && word(0).value == mixed
        }

        func write(_ key: UInt64, _ value: ByteView, seconds: UInt64) {
            let note = seconds << 8 | UInt64(value.count)
            var mixed = key ^ note
            word(1).value = note
            for index in 0..<CarriedValues.valueWords {
                var bits: UInt64 = 0
                for octet in (index * 8)..<max(index * 8, min(index * 8 + 8, value.count)) {
                    bits |= UInt64(value[octet]) << UInt64((octet & 7) * 8)
                }
                mixed ^= bits
                word(2 + index).value = bits
            }
            word(0).value = mixed
        }

        func read(_ key: UInt64, notBefore now: UInt64, appendTo out: inout ByteBuffer) -> Bool {
            // What is read is what is checked: words may change in between.
            var words = (note, UInt64(0), UInt64(0), UInt64(0), UInt64(0))
            words.1 = word(2).value
            words.2 = word(3).value
            words.3 = word(4).value
            words.4 = word(5).value
            guard word(0).value == key ^ words.0 ^ words.1 ^ words.2 ^ words.3 ^ words.4 else { return false }
            let length = Int(words.0 & 0xFF)
            guard length > 0, length <= CarriedValues.longestValue,
                now <= words.0 >> 8 + UInt64(CarriedValues.life.nanoseconds / 1_000_000_000)
            else { return false }
            withUnsafeBytes(of: (words.1, words.2, words.3, words.4)) {
                out.append(ByteView($0.baseAddress?.assumingMemoryBound(to: UInt8.self), count: length))
            }
            return true
        }
    }
}
