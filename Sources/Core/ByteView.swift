import Glibc

/// Octets that somebody else owns: an address and a count, read with bounds checks.
///
/// The data plane passes these instead of `String` or `[UInt8]`: making one allocates nothing and keeps nothing alive.
/// Whoever hands one out says how long its memory lives (usually: until the connection's buffer is next written).
/// Reading past the end is a trap, never an over-read.
public struct ByteView: @unchecked Sendable {
    public let base: UnsafePointer<UInt8>?
    public let count: Int

    @inlinable public init(_ base: UnsafePointer<UInt8>?, count: Int) {
        precondition(count >= 0 && (base != nil || count == 0))
        self.base = base
        self.count = count
    }

    /// The octets of a literal, which live as long as the process.
    @inlinable public init(_ text: StaticString) {
        self.init(text.utf8Start, count: text.utf8CodeUnitCount)
    }

    @inlinable public static var empty: ByteView { ByteView(nil, count: 0) }
    @inlinable public var isEmpty: Bool { count == 0 }
    @inlinable public var indices: Range<Int> { 0..<count }

    @inlinable public subscript(index: Int) -> UInt8 {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "read past the end of a view")
        return base.unsafelyUnwrapped[index]
    }

    @inlinable public subscript(range: Range<Int>) -> ByteView {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice past the end of a view")
        guard let base else { return self }
        return ByteView(base + range.lowerBound, count: range.count)
    }

    @inlinable public func from(_ index: Int) -> ByteView { self[index..<count] }
    @inlinable public func upTo(_ index: Int) -> ByteView { self[0..<index] }

    /// Eight octets from `index` on as one number, the first in its lowest octet.
    @inlinable public func word(at index: Int) -> UInt64 {
        precondition(index >= 0 && index + 8 <= count, "read past the end of a view")
        return UInt64(
            littleEndian: UnsafeRawPointer(base.unsafelyUnwrapped + index).loadUnaligned(as: UInt64.self))
    }

    /// The first index of `byte` at or after `start`, or nil.
    @inlinable public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        precondition(start >= 0 && start <= count)
        guard let base, start < count, let hit = memchr(base + start, Int32(byte), count - start) else { return nil }
        return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
    }

    @inlinable public func lastIndex(of byte: UInt8) -> Int? {
        var index = count - 1
        while index >= 0 {
            if self[index] == byte { return index }
            index -= 1
        }
        return nil
    }

    @inlinable public func equals(_ other: ByteView) -> Bool {
        guard count == other.count else { return false }
        guard count > 0 else { return true }
        return memcmp(base.unsafelyUnwrapped, other.base.unsafelyUnwrapped, count) == 0
    }

    @inlinable public func equals(_ text: StaticString) -> Bool { equals(ByteView(text)) }

    /// Equal when ASCII letters are taken without their case.
    @inlinable public func equalsIgnoringCase(_ other: ByteView) -> Bool {
        guard count == other.count else { return false }
        guard let a = base, let b = other.base else { return true }
        for i in 0..<count where ASCII.lower(a[i]) != ASCII.lower(b[i]) { return false }
        return true
    }

    @inlinable public func equalsIgnoringCase(_ text: StaticString) -> Bool { equalsIgnoringCase(ByteView(text)) }

    @inlinable public func hasPrefix(_ prefix: ByteView) -> Bool {
        count >= prefix.count && self[0..<prefix.count].equals(prefix)
    }

    @inlinable public func hasSuffix(_ suffix: ByteView) -> Bool {
        count >= suffix.count && self[(count - suffix.count)..<count].equals(suffix)
    }

    /// Without spaces and tabs at both ends (RFC 9110, section 5.6.3, OWS).
    @inlinable public var trimmed: ByteView {
        var low = 0
        var high = count
        while low < high, ASCII.isBlank(self[low]) { low += 1 }
        while high > low, ASCII.isBlank(self[high - 1]) { high -= 1 }
        return self[low..<high]
    }

    /// A copy as text; invalid UTF-8 is replaced. For the control side, logs and tests.
    public var string: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }
    public var array: [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }

    /// The decimal number that these octets are, or nil when they are empty, hold anything but digits or do not fit.
    @inlinable public var decimal: UInt64? {
        guard count > 0, count <= 20 else { return nil }
        var value: UInt64 = 0
        for i in indices {
            let digit = self[i] &- 0x30
            guard digit <= 9 else { return nil }
            let (tens, o1) = value.multipliedReportingOverflow(by: 10)
            let (sum, o2) = tens.addingReportingOverflow(UInt64(digit))
            guard !o1, !o2 else { return nil }
            value = sum
        }
        return value
    }
}

extension Array where Element == UInt8 {
    /// Lends the array's octets to `body`; the view must not leave it.
    @inlinable public func withView<R>(_ body: (ByteView) throws -> R) rethrows -> R {
        try withUnsafeBufferPointer { try body(ByteView($0.baseAddress, count: $0.count)) }
    }
}

extension String {
    /// Lends the text's UTF-8 to `body`; the view must not leave it. For the control side and tests.
    @inlinable public func withView<R>(_ body: (ByteView) throws -> R) rethrows -> R {
        var copy = self
        return try copy.withUTF8 { try body(ByteView($0.baseAddress, count: $0.count)) }
    }
}
