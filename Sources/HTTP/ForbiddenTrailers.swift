import Core

/// Fields that must not come as trailers (RFC 9110, section 6.5.1): framing, routing, request modifiers, authentication,
/// and what is needed to process the content. Forwarded as trailers they could be merged into a head by who comes next.
public enum ForbiddenTrailers {
    /// Whether a trailer of this name may be forwarded.
    public static func allows(_ name: FieldName, _ text: ByteView) -> Bool {
        switch name {
        case .other: !list.contains { text.equalsIgnoringCase($0) }
        // These control nothing: RFC 9110 lets a trailer carry what is only metadata.
        case .date, .server, .via: true
        case .host, .connection, .contentLength, .transferEncoding, .upgrade, .te, .trailer, .keepAlive,
            .proxyConnection, .expect, .contentType, .userAgent, .referer, .origin, .cookie, .setCookie, .accept,
            .acceptEncoding, .authorization, .range, .ifRange, .proxyAuthenticate, .proxyAuthorization,
            .http2Settings, .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort, .xForwardedClientCert,
            .accessControlRequestMethod, .accessControlRequestHeaders, .secWebSocketKey, .secWebSocketVersion,
            .forwarded, .xRequestId, .traceparent, .baggage, .xEnvoyAttemptCount, .xSluiceHop, .location, .vary,
            .retryAfter:
            false
        }
    }

    private static let list: [StaticString] = [
        "cache-control", "content-encoding", "content-range", "content-location", "content-disposition", "max-forwards",
        "pragma", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "www-authenticate",
        "authentication-info", "proxy-authentication-info", "age", "expires", "warning", "accept-charset",
        "accept-language", "x-real-ip", "x-forwarded", "x-original-url", "x-rewrite-url", "x-http-method-override",
        "cookie2", "set-cookie2", "refresh", "access-control-allow-origin", "access-control-allow-credentials",
        "strict-transport-security", "content-security-policy",
    ]
}
