import Core

/// The first line of a response (RFC 9112, section 4). The gateway answers as HTTP/1.1 whatever the request's version:
/// the version is the sender's, and an HTTP/1.0 client must understand it (RFC 9110, section 2.5).
public enum StatusLine {
    /// With the registered reason phrase.
    public static func write(status: UInt16, to buffer: inout ByteBuffer) {
        write(status: status, reason: ByteView(statusReason(status)), to: &buffer)
    }

    /// With a backend's reason phrase, which may be empty.
    public static func write(status: UInt16, reason: ByteView, to buffer: inout ByteBuffer) {
        precondition(status >= 100 && status <= 999)
        buffer.append("HTTP/1.1 000 ")
        let digits = buffer.writePointer - 4
        digits[0] = 0x30 + UInt8(truncatingIfNeeded: status / 100)
        digits[1] = 0x30 + UInt8(truncatingIfNeeded: status / 10 % 10)
        digits[2] = 0x30 + UInt8(truncatingIfNeeded: status % 10)
        buffer.append(reason)
        buffer.append("\r\n")
    }
}
