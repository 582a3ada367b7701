import Core

/// How the end of a message's body is known (RFC 9112, section 6.3). Decided once, when the head is complete.
public enum BodyFraming: Equatable, BitwiseCopyable, Sendable {
    case none
    case length(octets: UInt64)
    case chunked
    case untilClose  // Responses only.
}

/// A run of octets in the buffer that holds a head.
public struct OctetRange: Equatable, BitwiseCopyable, Sendable {
    public var offset: UInt32
    public var length: UInt32

    @inlinable public init(offset: Int, length: Int) {
        self.offset = UInt32(offset)
        self.length = UInt32(length)
    }

    @inlinable public static var none: OctetRange { OctetRange(offset: 0, length: 0) }
    @inlinable public var isEmpty: Bool { length == 0 }
    @inlinable public func of(_ head: ByteView) -> ByteView { head[Int(offset)..<(Int(offset) + Int(length))] }
}

/// The form of the request's target (RFC 9112, section 3.2).
public enum TargetForm: UInt8, BitwiseCopyable, Sendable {
    case origin, absolute, authority, asterisk
}

/// Whether the connection may carry another message after this one (RFC 9112, section 9.3).
public enum Persistence: UInt8, BitwiseCopyable, Sendable {
    case keepAlive, close
}

/// The scheme of a request's target (RFC 9110, section 4.2).
public enum Scheme: UInt8, BitwiseCopyable, Sendable {
    case http, https

    public var text: StaticString { self == .http ? "http" : "https" }
}

/// One request head: offsets into the buffer it was parsed from, no copies. Every range counts from the head's first
/// octet; `of(head)` needs the view that begins there. A value that exists has passed the strict parser.
public struct RequestHead: ~Copyable {
    public var method: Method = .get
    public var methodRange: OctetRange = .none
    public var targetForm: TargetForm = .origin
    /// The whole request-target as sent.
    public var target: OctetRange = .none
    /// Without query; for `absolute` the path after the authority, empty for an empty one, for `authority` and
    /// `asterisk` empty.
    public var path: OctetRange = .none
    /// What follows the first `?`, without it. `hasQuery` tells an empty one from none.
    public var query: OctetRange = .none
    public var hasQuery = false
    /// Host without port, and the port, from the absolute form or the Host field (RFC 9112, section 3.2.2: the absolute
    /// form wins). Empty for HTTP/1.0 without Host. An IPv6 literal keeps its brackets.
    public var host: OctetRange = .none
    public var port: UInt16?
    /// Host and port together, as sent: what a Host field made from an absolute target says.
    public var authority: OctetRange = .none
    /// What the target itself says, by its absolute form or `:scheme`; nil: nothing, the connection decides.
    public var scheme: Scheme?
    /// 2 for a head that came as HTTP/2: then `minorVersion` stays 1, as the most that its text form can say.
    public var majorVersion: UInt8 = 1
    public var minorVersion: UInt8 = 1
    public var framing: BodyFraming = .none
    /// What Content-Length says.
    public var contentLength: UInt64?
    /// Content-Length came as a list of equals, in several lines or with leading zeros, which not everybody reads alike:
    /// `drops` leaves all of it out, and who forwards the head writes ``contentLength`` instead (RFC 9110, section 8.6).
    public var rewritesLength = false
    public var persistence: Persistence = .keepAlive
    /// `Expect: 100-continue` from an HTTP/1.1 client that has content to send (RFC 9110, section 10.1.1).
    public var expectsContinue = false
    /// `Connection: upgrade` with `Upgrade: websocket` alone (RFC 9110, section 7.8).
    public var upgradesToWebSocket = false
    /// `TE: trailers` was listed (RFC 9110, section 10.1.4).
    public var acceptsTrailers = false
    /// Some Connection option names a field that must not be forwarded (RFC 9110, section 7.6.1), beyond the well-known.
    public var connectionNamesFields = false
    public var fields = FieldTable()
    /// Octets of the head with its final empty line.
    public var length = 0

    public init() {}

    /// As new, but the field table keeps its memory.
    public mutating func reset() {
        method = .get
        methodRange = .none
        targetForm = .origin
        target = .none
        path = .none
        query = .none
        hasQuery = false
        host = .none
        port = nil
        authority = .none
        scheme = nil
        majorVersion = 1
        minorVersion = 1
        framing = .none
        contentLength = nil
        rewritesLength = false
        persistence = .keepAlive
        expectsContinue = false
        upgradesToWebSocket = false
        acceptsTrailers = false
        connectionNamesFields = false
        fields.removeAll()
        length = 0
    }
}

/// One response head; as ``RequestHead``.
public struct ResponseHead: ~Copyable {
    public var status: UInt16 = 0
    public var reason: OctetRange = .none
    /// As in ``RequestHead``.
    public var majorVersion: UInt8 = 1
    public var minorVersion: UInt8 = 1
    /// What follows this head on the connection. The parser was told the request's method, so HEAD, 1xx, 204, 304 and
    /// CONNECT are taken into account.
    public var framing: BodyFraming = .none
    /// What Content-Length says; of HEAD and 304, the length that a body would have had.
    public var contentLength: UInt64?
    /// As in ``RequestHead``.
    public var rewritesLength = false
    public var persistence: Persistence = .keepAlive
    public var connectionNamesFields = false
    /// `Connection: upgrade` and an Upgrade field that says `websocket`.
    public var upgradesToWebSocket = false
    public var fields = FieldTable()
    public var length = 0

    public init() {}

    /// As new, but the field table keeps its memory.
    public mutating func reset() {
        status = 0
        reason = .none
        majorVersion = 1
        minorVersion = 1
        framing = .none
        contentLength = nil
        rewritesLength = false
        persistence = .keepAlive
        connectionNamesFields = false
        upgradesToWebSocket = false
        fields.removeAll()
        length = 0
    }
}
