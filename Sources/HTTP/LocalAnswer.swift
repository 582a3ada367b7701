import Core

/// A response that the gateway makes itself: a status and one line of text.
public struct LocalAnswer: Sendable {
    public var status: UInt16
    /// The body, without its final line feed; empty: the status's reason phrase is the body.
    public var text: ByteView
    /// Written as `Connection: close` when the connection ends after it.
    public var persistence: Persistence
    /// A HEAD request gets the head alone, with the length the body would have (RFC 9110, section 9.3.2).
    public var isForHead: Bool
    /// Minor version of the request: a client of HTTP/1.0 is told `Connection: keep-alive` when the connection stays.
    public var minorVersion: UInt8

    public init(
        status: UInt16, text: ByteView = .empty, persistence: Persistence, isForHead: Bool = false,
        minorVersion: UInt8 = 1
    ) {
        precondition(status >= 200 && status < 600 && status != 204 && status != 304, "an answer needs a body")
        self.status = status
        self.text = text
        self.persistence = persistence
        self.isForHead = isForHead
        self.minorVersion = minorVersion
    }

    /// Appends head and body. `extraFields` are whole field lines with their CRLF (`Location: …`), written as they are.
    public func write(
        date: inout HTTPDate, unixSeconds: Int64, extraFields: ByteView = .empty, to buffer: inout ByteBuffer
    ) {
        let body = text.isEmpty ? ByteView(statusReason(status)) : text
        StatusLine.write(status: status, to: &buffer)
        buffer.append("server: sluice\r\ndate: ")
        date.write(unixSeconds: unixSeconds, to: &buffer)
        buffer.append("\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ")
        buffer.append(decimal: UInt64(body.count + 1))
        buffer.append("\r\n")
        switch persistence {
        case .close: buffer.append("connection: close\r\n")
        case .keepAlive: if minorVersion == 0 { buffer.append("connection: keep-alive\r\n") }
        }
        buffer.append(extraFields)
        buffer.append("\r\n")
        guard !isForHead else { return }
        buffer.append(body)
        buffer.append(byte: ASCII.lf)
    }
}
