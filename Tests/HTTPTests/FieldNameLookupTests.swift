import Core
import HTTP
import Testing

@Suite struct FieldNameLookupTests {
    static let names: [(String, FieldName)] = [
        ("host", .host), ("connection", .connection), ("content-length", .contentLength),
        ("transfer-encoding", .transferEncoding), ("upgrade", .upgrade), ("te", .te), ("trailer", .trailer),
        ("keep-alive", .keepAlive), ("proxy-connection", .proxyConnection), ("expect", .expect), ("date", .date),
        ("server", .server), ("via", .via), ("content-type", .contentType), ("user-agent", .userAgent),
        ("referer", .referer), ("origin", .origin), ("cookie", .cookie), ("set-cookie", .setCookie),
        ("location", .location), ("vary", .vary), ("accept", .accept), ("accept-encoding", .acceptEncoding),
        ("authorization", .authorization), ("range", .range), ("if-range", .ifRange),
        ("proxy-authenticate", .proxyAuthenticate), ("proxy-authorization", .proxyAuthorization),
        ("http2-settings", .http2Settings), ("x-forwarded-for", .xForwardedFor),
        ("x-forwarded-proto", .xForwardedProto),
        ("x-forwarded-host", .xForwardedHost), ("x-forwarded-port", .xForwardedPort), ("x-request-id", .xRequestId),
        ("x-sluice-hop", .xSluiceHop),
        ("x-forwarded-client-cert", .xForwardedClientCert),
        ("retry-after", .retryAfter), ("access-control-request-method", .accessControlRequestMethod),
        ("access-control-request-headers", .accessControlRequestHeaders), ("sec-websocket-key", .secWebSocketKey),
        ("sec-websocket-version", .secWebSocketVersion), ("traceparent", .traceparent), ("baggage", .baggage),
        ("forwarded", .forwarded),
        ("x-envoy-attempt-count", .xEnvoyAttemptCount),
    ]

    @Test func everyNameIsListed() {
        #expect(Set(Self.names.map(\.1)) == Set(FieldName.allCases).subtracting([.other]))
    }

    @Test(arguments: names) func ofAnyCase(_ text: String, _ name: FieldName) {
        #expect(text.withView { FieldName($0) } == name)
        #expect(text.uppercased().withView { FieldName($0) } == name)
    }

    /// One octet off, one octet more, one octet less: another field.
    @Test(arguments: names) func neighbours(_ text: String, _ name: FieldName) {
        let octets = Array(text.utf8)
        for at in octets.indices {
            for other: UInt8 in [0x21, 0x5F, 0x7E, 0x30, 0x78, 0x2B] where other != octets[at] {
                var changed = octets
                changed[at] = other
                #expect(changed.withView { FieldName($0) } != name)
            }
        }
        #expect((text + "s").withView { FieldName($0) } != name)
        #expect(String(text.dropLast()).withView { FieldName($0) } != name)
    }

    @Test func empty() { #expect(FieldName(.empty) == .other) }
}
