/// How large a head may be. What exceeds a limit is refused, never cut.
public struct HeadLimits: Equatable, BitwiseCopyable, Sendable {
    /// Octets of the whole head: leading empty lines, first line, field lines and the empty line that ends it.
    public var octets: Int
    /// Field lines.
    public var fields: Int
    /// Octets of the request line or status line, with its CRLF.
    public var requestLine: Int

    @inlinable public init(octets: Int, fields: Int, requestLine: Int) {
        self.octets = octets
        self.fields = fields
        self.requestLine = requestLine
    }

    /// What a request may be where no policy says otherwise.
    public static let request = HeadLimits(octets: 60 * 1024, fields: 100, requestLine: 16 * 1024)
    /// What a response may be where no policy says otherwise.
    public static let response = HeadLimits(octets: 128 * 1024, fields: 200, requestLine: 16 * 1024)

    /// Octets of one field name. ``FieldLine`` counts them in 16 bits; no name in use comes near.
    public static let fieldNameOctets = 4096
    /// Empty lines tolerated before a request line (RFC 9112, section 2.2, asks for at least one): some old clients
    /// send a CRLF after a body, or two.
    public static let leadingEmptyLines = 2
}

/// How far a head has come.
public enum HeadProgress: Equatable, BitwiseCopyable, Sendable {
    /// Call again with the same octets and more behind them.
    case incomplete
    /// The head is whole and legal; its `length` octets can be consumed once nothing of it is needed any more.
    case complete
    /// The head is not HTTP/1.1 as we take it. The connection is closed after the answer; nothing behind it is read.
    case refused(HeadRefusal)
}
