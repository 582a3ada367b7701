import Core
import HTTP
import Testing

@Suite("RFC 9110, section 6.5.1") struct ForbiddenTrailersTests {
    private func allows(_ name: String) -> Bool {
        name.withView { ForbiddenTrailers.allows(FieldName($0), $0) }
    }

    @Test(arguments: [
        "Host", "Content-Length", "Transfer-Encoding", "Trailer", "TE", "Connection", "Authorization", "Cookie",
        "Set-Cookie",
        "Content-Type", "Content-Encoding", "Content-Range", "Cache-Control", "Expect", "Range", "If-Match", "Location",
        "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Request-Id", "WWW-Authenticate", "Max-Forwards",
    ]) func forbidden(_ name: String) {
        #expect(!allows(name))
        #expect(!allows(name.lowercased()))
    }

    @Test(arguments: [
        "grpc-status", "grpc-message", "Server-Timing", "ETag", "Digest", "Content-Digest", "Date", "X-Sum",
    ])
    func allowed(_ name: String) { #expect(allows(name)) }
}
