import Core

/// Where one field line lies in the buffer that holds its head. 16 octets; copies nothing.
public struct FieldLine: BitwiseCopyable, Sendable {
    public var nameOffset: UInt32
    public var valueOffset: UInt32
    public var valueLength: UInt32
    public var nameLength: UInt16
    /// Which well-known field it is, so that the data plane compares a number and not text.
    public var name: FieldName

    @inlinable public init(
        nameOffset: UInt32, nameLength: UInt16, valueOffset: UInt32, valueLength: UInt32, name: FieldName
    ) {
        self.nameOffset = nameOffset
        self.nameLength = nameLength
        self.valueOffset = valueOffset
        self.valueLength = valueLength
        self.name = name
    }

    @inlinable public func name(in head: ByteView) -> ByteView {
        head[Int(nameOffset)..<(Int(nameOffset) + Int(nameLength))]
    }

    @inlinable public func value(in head: ByteView) -> ByteView {
        head[Int(valueOffset)..<(Int(valueOffset) + Int(valueLength))]
    }
}

/// The field lines of one head, in the order received. Owned by whoever owns the head; its memory is kept for the next.
/// Limit: the `maximumFields` of the parser that fills it.
public struct FieldTable: ~Copyable {
    private var lines: UnsafeMutablePointer<FieldLine>?
    private var capacity = 0
    public private(set) var count = 0

    public init() {}
    deinit { lines?.deallocate() }

    public subscript(index: Int) -> FieldLine {
        precondition(index >= 0 && index < count)
        return lines.unsafelyUnwrapped[index]
    }

    public mutating func append(_ line: FieldLine) {
        if count == capacity { grow() }
        (lines.unsafelyUnwrapped + count).initialize(to: line)
        count += 1
    }

    public mutating func removeAll() { count = 0 }

    // The parsers' inner loop writes into the memory itself and tells the count at the end: through `append` the table
    // would be loaded and stored again for each line.

    /// Memory for more lines, at least one; `used` lines were written into it so far.
    mutating func memory(used: Int) -> (base: UnsafeMutablePointer<FieldLine>, capacity: Int) {
        count = used
        if used == capacity { grow() }
        return (lines.unsafelyUnwrapped, capacity)
    }

    /// `used` lines were written.
    mutating func didWrite(_ used: Int) {
        precondition(used >= 0 && used <= capacity)
        count = used
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<FieldLine>.allocate(capacity: max(32, capacity * 2))
        if let lines {
            larger.update(from: lines, count: count)
            lines.deallocate()
        }
        lines = larger
        capacity = max(32, capacity * 2)
    }

    /// The first line of a well-known field, or nil.
    public func first(_ name: FieldName) -> FieldLine? {
        for i in 0..<count where lines.unsafelyUnwrapped[i].name == name { return lines.unsafelyUnwrapped[i] }
        return nil
    }

    /// The index of the first line at or after `start` with this name, of any case, or nil.
    public func firstIndex(named name: ByteView, in head: ByteView, from start: Int = 0) -> Int? {
        var i = start
        while i < count {
            let line = lines.unsafelyUnwrapped[i]
            if Int(line.nameLength) == name.count, line.name(in: head).equalsIgnoringCase(name) { return i }
            i += 1
        }
        return nil
    }
}
