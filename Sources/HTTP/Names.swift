import Core

/// Request methods that rules and limits name (RFC 9110, section 9; RFC 5789). Others are forwarded as `other`, by their
/// octets.
public enum Method: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case get, head, post, put, delete, connect, options, trace, patch, other

    /// RFC 9110, section 9.2.2: the same request twice has the effect of one.
    @inlinable public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .connect, .patch, .other: false
        }
    }

    public var text: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .other: ""
        }
    }
}

/// Fields that the gateway itself reads, writes or removes; anything else is `other` and is known by its octets. Those
/// that the parsers give a meaning to (`host` to `expect`) stand first: one comparison tells them apart.
public enum FieldName: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case other
    case host, connection, contentLength, transferEncoding, upgrade, te, trailer, keepAlive, proxyConnection
    case expect, date, server, via, contentType, userAgent, referer, origin, cookie, setCookie, location, vary
    case accept, acceptEncoding, authorization, range, ifRange, proxyAuthenticate, proxyAuthorization, http2Settings
    case xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort, xForwardedClientCert, xRequestId, retryAfter
    case accessControlRequestMethod, accessControlRequestHeaders, secWebSocketKey, secWebSocketVersion
    case traceparent, forwarded, xEnvoyAttemptCount, baggage, xSluiceHop
}
