import Core

/// Why a `Content-Length` has no meaning.
public enum ContentLengthError: Error, Equatable, BitwiseCopyable, Sendable {
    /// Empty, an empty list element, a sign, anything but digits, more than 19 of them, or past 2⁶³ − 1.
    case illegal
    /// Values that differ.
    case conflicting
}

/// Reads a `Content-Length` value (RFC 9110, section 8.6).
/// - Parameter value: one field line's octets.
/// - Returns: the body's length in octets. Equal repeated values count as one; the caller forwards a single one.
/// - Throws: ``ContentLengthError``. Then the framing is unknown: a request is answered 400, a response becomes 502, and
///   that connection is closed (RFC 9112, section 6.3). Allocates nothing.
public func parseContentLength(_ value: ByteView) throws(ContentLengthError) -> UInt64 {
    if let length = contentLengthElement(value) { return length }
    // RFC 9110, section 8.6, lets a recipient take `5, 5` for 5; elements may have blanks around them.
    var length: UInt64?
    var elements = ListElements(value)
    while let element = elements.next() {
        guard let one = contentLengthElement(element) else { throw .illegal }
        if let length, length != one { throw .conflicting }
        length = one
    }
    guard let length else { throw .illegal }
    return length
}

private func contentLengthElement(_ digits: ByteView) -> UInt64? {
    // Nineteen digits cannot overflow 64 bits; leading zeros are digits like others.
    guard digits.count <= 19, let value = digits.decimal, value <= UInt64(Int64.max) else { return nil }
    return value
}
