import Core

extension FieldName {
    /// Which well-known field this name is, of any case; `other` when none. The octets must be a token: letters are
    /// taken without their case by setting a bit, which is right for tokens only.
    public init(_ name: ByteView) {
        guard let base = name.base else {
            self = .other
            return
        }
        self = FieldName.lookup(base, name.count)
    }

    /// By length first, then by at most five comparisons of a few machine words.
    @inline(__always) static func lookup(_ p: UnsafePointer<UInt8>, _ count: Int) -> FieldName {
        switch count {
        case 2: same(p, "te") ? .te : .other
        case 3: same(p, "via") ? .via : .other
        case 4: same(p, "host") ? .host : same(p, "date") ? .date : same(p, "vary") ? .vary : .other
        case 5: same(p, "range") ? .range : .other
        case 6: length6(p)
        case 7: length7(p)
        case 8: same(p, "location") ? .location : same(p, "if-range") ? .ifRange : .other
        case 9: same(p, "forwarded") ? .forwarded : .other
        case 10: length10(p)
        case 11: same(p, "traceparent") ? .traceparent : same(p, "retry-after") ? .retryAfter : .other
        case 12:
            same(p, "content-type")
                ? .contentType : same(p, "x-request-id") ? .xRequestId : same(p, "x-sluice-hop") ? .xSluiceHop : .other
        case 13: same(p, "authorization") ? .authorization : .other
        case 14: same(p, "content-length") ? .contentLength : same(p, "http2-settings") ? .http2Settings : .other
        case 15: same(p, "accept-encoding") ? .acceptEncoding : same(p, "x-forwarded-for") ? .xForwardedFor : .other
        case 16: length16(p)
        case 17: length17(p)
        case 18: same(p, "proxy-authenticate") ? .proxyAuthenticate : .other
        case 19: same(p, "proxy-authorization") ? .proxyAuthorization : .other
        case 21:
            same(p, "sec-websocket-version")
                ? .secWebSocketVersion : same(p, "x-envoy-attempt-count") ? .xEnvoyAttemptCount : .other
        case 23: same(p, "x-forwarded-client-cert") ? .xForwardedClientCert : .other
        case 29: same(p, "access-control-request-method") ? .accessControlRequestMethod : .other
        case 30: same(p, "access-control-request-headers") ? .accessControlRequestHeaders : .other
        default: .other
        }
    }

    @inline(__always) private static func length6(_ p: UnsafePointer<UInt8>) -> FieldName {
        if same(p, "accept") { return .accept }
        if same(p, "cookie") { return .cookie }
        if same(p, "origin") { return .origin }
        if same(p, "server") { return .server }
        return same(p, "expect") ? .expect : .other
    }

    @inline(__always) private static func length7(_ p: UnsafePointer<UInt8>) -> FieldName {
        if same(p, "referer") { return .referer }
        if same(p, "upgrade") { return .upgrade }
        return same(p, "trailer") ? .trailer : same(p, "baggage") ? .baggage : .other
    }

    @inline(__always) private static func length10(_ p: UnsafePointer<UInt8>) -> FieldName {
        if same(p, "user-agent") { return .userAgent }
        if same(p, "connection") { return .connection }
        if same(p, "set-cookie") { return .setCookie }
        return same(p, "keep-alive") ? .keepAlive : .other
    }

    @inline(__always) private static func length16(_ p: UnsafePointer<UInt8>) -> FieldName {
        if same(p, "x-forwarded-host") { return .xForwardedHost }
        if same(p, "x-forwarded-port") { return .xForwardedPort }
        return same(p, "proxy-connection") ? .proxyConnection : .other
    }

    @inline(__always) private static func length17(_ p: UnsafePointer<UInt8>) -> FieldName {
        if same(p, "transfer-encoding") { return .transferEncoding }
        if same(p, "x-forwarded-proto") { return .xForwardedProto }
        return same(p, "sec-websocket-key") ? .secWebSocketKey : .other
    }

    @inline(__always) private static func same(_ p: UnsafePointer<UInt8>, _ text: StaticString) -> Bool {
        OctetWords.same(p, text)
    }
}
