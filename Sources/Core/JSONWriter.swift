/// Writes JSON (RFC 8259) to the end of a buffer that it owns while it writes. Commas and colons come by themselves.
///
///     var json = JSONWriter()
///     json.beginObject()
///     json.field("line", 12)
///     json.endObject()
///     let text = json.finish()
///
/// Calling `key` outside of an object, or a value inside of one without a key, is a programming error and traps.
public struct JSONWriter: ~Copyable {
    private var buffer: ByteBuffer
    private var levels: [Level] = []
    private var hasKey = false

    private struct Level {
        var isObject: Bool
        var isEmpty = true
    }

    public init() { buffer = ByteBuffer() }

    /// Goes on at the end of `buffer`.
    public init(appendingTo buffer: consuming ByteBuffer) { self.buffer = buffer }

    /// The text. Every object and array must have been ended.
    public consuming func finish() -> ByteBuffer {
        precondition(levels.isEmpty, "JSON was not completed")
        return buffer
    }

    // MARK: structure

    public mutating func beginObject() { begin(isObject: true, 0x7B) }
    public mutating func endObject() { end(isObject: true, 0x7D) }
    public mutating func beginArray() { begin(isObject: false, 0x5B) }
    public mutating func endArray() { end(isObject: false, 0x5D) }

    public mutating func key(_ name: StaticString) { key(ByteView(name)) }
    public mutating func key(_ name: String) { name.withView { key($0) } }
    public mutating func key(_ name: ByteView) {
        precondition(levels.last?.isObject == true && !hasKey, "a JSON key outside of an object")
        separate()
        quote(name)
        buffer.append(byte: ASCII.colon)
        hasKey = true
    }

    // MARK: values

    public mutating func value(_ text: StaticString) { value(ByteView(text)) }
    public mutating func value(_ text: String) { text.withView { value($0) } }
    /// Octets that are not UTF-8 are replaced by U+FFFD.
    public mutating func value(_ text: ByteView) {
        beforeValue()
        quote(text)
    }

    public mutating func value(_ number: Int) { value(Int64(number)) }
    public mutating func value(_ number: UInt64) {
        beforeValue()
        buffer.append(decimal: number)
    }
    public mutating func value(_ number: Int64) {
        beforeValue()
        if number < 0 { buffer.append(byte: 0x2D) }
        buffer.append(decimal: number.magnitude)
    }
    /// What JSON has no number for (not a number, infinite) is written as null.
    public mutating func value(_ number: Double) {
        beforeValue()
        buffer.append(string: number.isFinite ? "\(number)" : "null")
    }
    public mutating func value(_ flag: Bool) {
        beforeValue()
        buffer.append(flag ? "true" : "false")
    }
    public mutating func null() {
        beforeValue()
        buffer.append("null")
    }

    public mutating func field(_ name: StaticString, _ text: String) {
        key(name)
        value(text)
    }
    public mutating func field(_ name: StaticString, _ text: StaticString) {
        key(name)
        value(text)
    }
    public mutating func field(_ name: StaticString, _ text: ByteView) {
        key(name)
        value(text)
    }
    public mutating func field(_ name: StaticString, _ number: Int) {
        key(name)
        value(number)
    }
    public mutating func field(_ name: StaticString, _ number: UInt64) {
        key(name)
        value(number)
    }
    public mutating func field(_ name: StaticString, _ number: Double) {
        key(name)
        value(number)
    }
    public mutating func field(_ name: StaticString, _ flag: Bool) {
        key(name)
        value(flag)
    }

    // MARK: private

    private mutating func begin(isObject: Bool, _ bracket: UInt8) {
        beforeValue()
        buffer.append(byte: bracket)
        levels.append(Level(isObject: isObject))
    }

    private mutating func end(isObject: Bool, _ bracket: UInt8) {
        precondition(levels.popLast()?.isObject == isObject && !hasKey, "JSON ended what it had not begun")
        buffer.append(byte: bracket)
    }

    private mutating func beforeValue() {
        if hasKey {
            hasKey = false
            return
        }
        precondition(levels.last?.isObject != true, "a JSON value without a key")
        separate()
    }

    private mutating func separate() {
        guard !levels.isEmpty else { return }
        if !levels[levels.count - 1].isEmpty { buffer.append(byte: ASCII.comma) }
        levels[levels.count - 1].isEmpty = false
    }

    private mutating func quote(_ text: ByteView) {
        buffer.append(byte: 0x22)
        var plainFrom = 0
        var at = 0
        while at < text.count {
            let byte = text[at]
            if byte >= 0x80 {
                let length = Self.sequenceLength(text, at)
                if length == 0 {
                    buffer.append(text[plainFrom..<at])
                    buffer.append("\u{FFFD}")
                    at += 1
                    plainFrom = at
                } else {
                    at += length
                }
                continue
            }
            if byte < 0x20 || byte == 0x22 || byte == 0x5C {
                buffer.append(text[plainFrom..<at])
                escape(byte)
                plainFrom = at + 1
            }
            at += 1
        }
        buffer.append(text.from(plainFrom))
        buffer.append(byte: 0x22)
    }

    private mutating func escape(_ byte: UInt8) {
        buffer.append(byte: 0x5C)
        switch byte {
        case 0x22, 0x5C: buffer.append(byte: byte)
        case ASCII.lf: buffer.append(byte: 0x6E)
        case ASCII.cr: buffer.append(byte: 0x72)
        case ASCII.tab: buffer.append(byte: 0x74)
        default:
            buffer.append("u00")
            buffer.append(byte: ASCII.hexDigit(byte >> 4))
            buffer.append(byte: ASCII.hexDigit(byte & 15))
        }
    }

    /// Octets of the UTF-8 sequence at `at` (RFC 3629, section 4), or 0 when it is none.
    private static func sequenceLength(_ text: ByteView, _ at: Int) -> Int { UTF8Scan.sequenceLength(text, at) }
}
