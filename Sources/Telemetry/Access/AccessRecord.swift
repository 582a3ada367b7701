import Core

/// One exchange, as the access log tells it. Made at the exchange's end, on the stack; the views are read during the
/// call that takes the record and may point into the connection's buffer and the snapshot. An empty view: there was none.
public struct AccessRecord {
    /// When the request's head was complete, wall clock, nanoseconds since 1970.
    public var start: Int64 = 0
    /// From then to the response's last octet handed to the kernel (or to the end of the exchange).
    public var duration: TimeAmount = .zero
    /// From `start` to the endpoint's response head; negative: none came.
    public var upstreamHead: TimeAmount = .nanoseconds(-1)
    /// Octets of the request's body as received, without chunk framing.
    public var bodyReceived: UInt64 = 0
    /// Octets of the response's body as sent, without chunk framing.
    public var bodySent: UInt64 = 0
    public var method: ByteView = .empty
    /// `http` or `https`; `tcp` or `tls` of connections that are relayed below HTTP, whose octets `bodyReceived` and
    /// `bodySent` count, and whose host is the server name.
    public var scheme: ByteView = .empty
    /// Without port, as matched.
    public var host: ByteView = .empty
    /// As routed: normalised, without query.
    public var path: ByteView = .empty
    /// The request-target as it was sent, query included.
    public var target: ByteView = .empty
    /// False: neither request nor response, so no protocol version.
    public var isHTTP = true
    /// 1 or 2.
    public var majorVersion: UInt8 = 1
    /// 0 or 1: HTTP/1.0, HTTP/1.1.
    public var minorVersion: UInt8 = 1
    /// 0: the exchange ended before there was one.
    public var status: UInt16 = 0
    public var reason: ReasonCode = .none
    /// Who is at the other end of the downstream connection.
    public var peer = SocketAddress(ip: .any, port: 0)
    /// `namespace/name`.
    public var route: ByteView = .empty
    /// The rule's name; empty when it has none.
    public var rule: ByteView = .empty
    /// `namespace/name:port` of the backend that was chosen.
    public var backend: ByteView = .empty
    public var endpoint: SocketAddress?
    /// `unix:` and the path of a Unix socket, in place of the endpoint's address.
    public var endpointName: ByteView = .empty
    /// How often an endpoint was asked; 0: the gateway answered by itself.
    public var attempts: UInt32 = 0
    /// More words on `reason`: which timeout has passed, say, and where it was written.
    public var detail: ByteView = .empty
    /// `namespace/name` of the AUDIT policies that it matched, with commas between; told only beside a ``detail``.
    public var audits: ByteView = .empty
    public var requestID: ByteView = .empty
    public var userAgent: ByteView = .empty
    public var referer: ByteView = .empty
    public var forwardedFor: ByteView = .empty

    public init() {}
}
