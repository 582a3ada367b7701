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

    // MARK: filled by the parsers

    /// Appends the field lines from `start` on, until something else stops the reading; returns where that is. Their
    /// names are not looked up yet: this loop calls nothing, so its constants and counts stay in registers.
    mutating func readLines(
        _ p: UnsafePointer<UInt8>, _ start: Int, _ end: Int, limit: Int, _ stop: inout FieldLineParser.Stop
    ) -> Int {
        if lines == nil { grow() }
        var base = lines.unsafelyUnwrapped
        var room = capacity
        var used = count
        var at = start
        while true {
            if used == room {
                count = used
                grow()
                base = lines.unsafelyUnwrapped
                room = capacity
            }
            let next = FieldLineParser.parse(p, at, end, base + used, &stop)
            if next == 0 { break }
            if used == limit {
                stop = .refused(.tooManyFields)
                break
            }
            used &+= 1
            at = next
        }
        count = used
        return at
    }

    /// Looks the name of a line up, and returns the line.
    @inline(__always) mutating func classify(_ index: Int, _ p: UnsafePointer<UInt8>) -> FieldLine {
        precondition(index >= 0 && index < count)
        let line = lines.unsafelyUnwrapped + index
        line.pointee.name = FieldName.lookup(p + Int(line.pointee.nameOffset), Int(line.pointee.nameLength))
        return line.pointee
    }

    /// Looks all names up and leaves the lines out that are not `kept`.
    mutating func classifyAll(in view: ByteView, keeping kept: (FieldLine) -> Bool) {
        guard let p = view.base, let lines else { return }
        var remaining = 0
        for i in 0..<count {
            let line = classify(i, p)
            guard kept(line) else { continue }
            lines[remaining] = line
            remaining += 1
        }
        count = remaining
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
