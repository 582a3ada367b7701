import Core

/// The elements of a comma-separated field value (RFC 9110, section 5.6.1), without blanks around them. Empty elements
/// are given too: whoever must ignore them does, whoever must refuse them can. An empty value has one empty element.
/// Not for fields whose elements may hold quoted commas.
public struct ListElements {
    private let value: ByteView
    private var at = 0

    public init(_ value: ByteView) { self.value = value }

    public mutating func next() -> ByteView? {
        guard at <= value.count else { return nil }
        let stop = value.firstIndex(of: ASCII.comma, from: at) ?? value.count
        let element = value[at..<stop].trimmed
        at = stop + 1
        return element
    }
}
