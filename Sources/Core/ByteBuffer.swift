import Glibc

/// A growable run of octets with one owner: written at the end, read from the start.
///
/// On the data plane its memory comes from a ``BufferPool`` and goes back when the buffer is empty, so an idle
/// connection holds none. Indices count from the memory's start; they stay valid until `compact` or `release`.
public struct ByteBuffer: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>?
    public private(set) var capacity: Int
    /// First octet not yet consumed.
    public private(set) var start: Int
    /// As ``end``; by this name what is appended is written without a call, where it is appended.
    @usableFromInline var tail: Int
    /// One past the last octet written.
    @inlinable public private(set) var end: Int {
        get { tail }
        set { tail = newValue }
    }

    public init() {
        base = nil
        capacity = 0
        start = 0
        tail = 0
    }

    public init(capacity: Int) {
        self.init()
        reserve(capacity)
    }

    deinit { free(base) }

    public var count: Int { end - start }
    public var isEmpty: Bool { end == start }
    /// Octets that can be written without growing.
    public var room: Int { capacity - end }
    public var hasMemory: Bool { base != nil }
    /// The octets not yet consumed. Valid until the buffer is next written, compacted or released.
    public var view: ByteView { ByteView(base.map { UnsafePointer($0 + start) }, count: end - start) }
    /// Everything from the memory's start to `end`, consumed or not.
    public var written: ByteView { ByteView(base.map { UnsafePointer($0) }, count: end) }
    public var writePointer: UnsafeMutablePointer<UInt8> { base.unsafelyUnwrapped + end }

    /// Makes the memory at least `total` octets large, keeping what is in it.
    public mutating func reserve(_ total: Int) {
        guard total > capacity else { return }
        guard let grown = realloc(base, total) else { fatalError("out of memory") }
        base = grown.assumingMemoryBound(to: UInt8.self)
        capacity = total
    }

    /// `count` octets were written at ``writePointer``.
    public mutating func didWrite(_ count: Int) {
        precondition(count >= 0 && count <= capacity - end)
        end += count
    }

    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        start += count
    }

    /// Drops `count` octets from the end: what was written last is taken back.
    public mutating func truncate(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        end -= count
    }

    /// Moves what is unconsumed down to `keeping`, where octets before it stay (a pinned head).
    public mutating func compact(keeping: Int = 0) {
        precondition(keeping >= 0 && keeping <= start)
        guard start > keeping, let base else { return }
        let length = end - start
        if length > 0 { memmove(base + keeping, base + start, length) }
        start = keeping
        end = keeping + length
    }

    /// Forgets everything in it; keeps the memory.
    public mutating func clear() {
        start = 0
        end = 0
    }

    // MARK: appending; the memory grows when it must (doubling)

    @inlinable public mutating func makeRoom(_ octets: Int) {
        if capacity - tail < octets { grow(octets) }
    }

    @inline(never) @usableFromInline mutating func grow(_ octets: Int) {
        reserve(max(capacity * 2, end + octets, 256))
    }

    @inlinable @inline(__always) public mutating func append(_ view: ByteView) {
        guard view.count > 0 else { return }
        makeRoom(view.count)
        memcpy(base.unsafelyUnwrapped + tail, view.base.unsafelyUnwrapped, view.count)
        tail += view.count
    }

    /// A literal's length is known where it is written, so its copy is a few moves there.
    @inlinable @inline(__always) public mutating func append(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        makeRoom(count)
        memcpy(base.unsafelyUnwrapped + tail, text.utf8Start, count)
        tail += count
    }

    @inlinable public mutating func append(byte: UInt8) {
        makeRoom(1)
        base.unsafelyUnwrapped[tail] = byte
        tail += 1
    }

    /// Control side and tests only: a `String` has no place on the data path.
    public mutating func append(string: String) { string.withView { append($0) } }

    public mutating func append(decimal value: UInt64) {
        if value < 100 {
            // Most numbers in heads and addresses are short.
            makeRoom(2)
            let tens = UInt8(truncatingIfNeeded: value / 10)
            let at = base.unsafelyUnwrapped + tail
            at[0] = 0x30 + (tens > 0 ? tens : UInt8(truncatingIfNeeded: value))
            if tens > 0 { at[1] = 0x30 + UInt8(truncatingIfNeeded: value % 10) }
            tail += tens > 0 ? 2 : 1
            return
        }
        makeRoom(20)
        // The last eight digits in one word, from which they are stored at once; few numbers have more.
        var word: UInt64 = 0
        var digits = 0
        var rest = value
        while rest > 0, digits < 8 {
            word = word << 8 | (0x30 + rest % 10)
            rest /= 10
            digits += 1
        }
        if rest > 0 { return appendLong(decimal: value) }
        UnsafeMutableRawPointer(base.unsafelyUnwrapped + tail).storeBytes(of: word.littleEndian, as: UInt64.self)
        tail += digits
    }

    /// With more than eight digits.
    private mutating func appendLong(decimal value: UInt64) {
        append(decimal: value / 100_000_000)
        append(padded: value % 100_000_000, digits: 8)
    }

    /// A decimal number with leading zeros, exactly `digits` wide, which are at most 8; higher digits are dropped.
    @inlinable public mutating func append(padded value: UInt64, digits: Int) {
        precondition(digits > 0 && digits <= 8)
        makeRoom(8)
        var word: UInt64 = 0
        var rest = value
        for _ in 0..<digits {
            word = word << 8 | (0x30 + rest % 10)
            rest /= 10
        }
        UnsafeMutableRawPointer(base.unsafelyUnwrapped + tail).storeBytes(of: word.littleEndian, as: UInt64.self)
        tail += digits
    }

    /// Lower-case hexadecimal without leading zeros, as chunk sizes are written (RFC 9112, section 7.1).
    public mutating func append(hex value: UInt64) {
        let digits = max(1, (67 - value.leadingZeroBitCount) / 4)
        makeRoom(digits)
        for i in 0..<digits {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - i))) & 15
            base.unsafelyUnwrapped[end + i] = ASCII.hexDigit(nibble)
        }
        end += digits
    }

    // MARK: memory lent by a pool

    /// Gives the memory away, empty; the buffer has none afterwards.
    mutating func takeMemory() -> (base: UnsafeMutablePointer<UInt8>, capacity: Int)? {
        guard let base else { return nil }
        let taken = (base, capacity)
        self.base = nil
        capacity = 0
        clear()
        return taken
    }

    mutating func adoptMemory(_ memory: UnsafeMutablePointer<UInt8>, capacity: Int) {
        precondition(base == nil)
        base = memory
        self.capacity = capacity
    }

    /// Frees the memory.
    public mutating func release() {
        if let memory = takeMemory() { free(memory.base) }
    }
}
