import Core
import HTTP
import Testing

enum PathResult: Equatable, Sendable {
    case path(String)
    case redirect(String)
    case refused(PathRefusal)
}

func normalised(_ path: String, _ action: EscapedSlashesAction = .unescapeAndRedirect) -> PathResult {
    let octets = path.unicodeScalars.map { UInt8($0.value) }
    return normalised(octets, action)
}

func normalised(_ octets: [UInt8], _ action: EscapedSlashesAction) -> PathResult {
    var buffer = ByteBuffer()
    let outcome = octets.withView { PathNormalizer.normalise(path: $0, into: &buffer, escapedSlashes: action) }
    func latin(_ octets: [UInt8]) -> String { String(String.UnicodeScalarView(octets.map { Unicode.Scalar($0) })) }
    switch outcome {
    case .unchanged: return .path(latin(octets))
    case .rewritten: return .path(latin(buffer.view.array))
    case .redirect: return .redirect(latin(buffer.view.array))
    case .refused(let refusal): return .refused(refusal)
    }
}

@Suite("Paths as they are matched and forwarded") struct PathNormalizerTests {
    @Test(arguments: [
        ("/", "/"), ("", "/"), ("/a/b", "/a/b"), ("/a/b/", "/a/b/"), ("/a-b_c~d.e", "/a-b_c~d.e"),
        // RFC 3986, section 5.2.4.
        ("/a/b/c/./../../g", "/a/g"), ("/.", "/"), ("/..", "/"), ("/./", "/"), ("/../", "/"), ("/a/.", "/a/"),
        ("/a/..", "/"), ("/a/../", "/"), ("/a/b/..", "/a/"), ("/a/b/../", "/a/"), ("/../../a", "/a"),
        ("/a/../../b", "/b"),
        ("/...", "/..."), ("/..a", "/..a"), ("/.a", "/.a"), ("/a/...", "/a/..."), ("/.well-known/x", "/.well-known/x"),
        // Merged slashes, after the dot segments.
        ("//", "/"), ("///a", "/a"), ("/a//b", "/a/b"), ("/a//", "/a/"), ("/a//../b", "/a/b"), ("/a/..//b", "/b"),
        ("//..//..//a", "/a"), ("/0123456789abcde//", "/0123456789abcde/"),
        // RFC 3986, section 6.2.2.2.
        ("/%61", "/a"), ("/%7Euser", "/~user"), ("/%41%5A%30%2d%2E%5f", "/AZ0-._"), ("/%2e%2E/a", "/a"),
        ("/a/%2e./b", "/b"), ("/a/.%2e", "/"), ("/a%20b", "/a%20b"), ("/%c3%a9", "/%c3%a9"), ("/%25%32%65", "/%252e"),
        ("/%252F", "/%252F"), ("/a%3Fb%23", "/a%3Fb%23"), ("/\u{C3}\u{A9}", "/\u{C3}\u{A9}"), ("/%0d%0a", "/%0d%0a"),
        ("/a;b=c", "/a;b=c"), ("/a..;b", "/a..;b"), ("/...;b", "/...;b"),
    ]) func legal(_ path: String, _ expected: String) { #expect(normalised(path) == .path(expected)) }

    @Test(arguments: [
        ("a", PathRefusal.notAbsolute), ("*", .notAbsolute), ("/%", .malformedEscape), ("/%4", .malformedEscape),
        ("/%4g", .malformedEscape), ("/%g4", .malformedEscape), ("/%%34%31", .malformedEscape),
        ("/a%", .malformedEscape),
        ("/%00", .escapedNull), ("/0123456789abcdef%00", .escapedNull), ("/a\\b", .illegalOctet),
        ("/a#b", .illegalOctet),
        ("/a\u{1F}b", .illegalOctet), ("/a\u{7F}b", .illegalOctet), ("/a b", .illegalOctet), ("/\0", .illegalOctet),
        ("/..;", .dotSegmentWithParameters), ("/.;", .dotSegmentWithParameters),
        ("/a/..;x/b", .dotSegmentWithParameters),
        ("/a/.;x=1/b", .dotSegmentWithParameters), ("/%2e%2E;x", .dotSegmentWithParameters),
        ("/a%2f..;/b", .dotSegmentWithParameters),
    ]) func refused(_ path: String, _ refusal: PathRefusal) { #expect(normalised(path) == .refused(refusal)) }

    @Test(arguments: [
        ("/a%2Fb", EscapedSlashesAction.keepUnchanged, PathResult.path("/a%2Fb")),
        ("/a%2f../b%5C", .keepUnchanged, .path("/a%2f../b%5C")),
        ("/a%2Fb", .rejectRequest, .refused(.escapedSlash)),
        ("/a%5cb", .rejectRequest, .refused(.escapedSlash)),
        ("/a%2Fb", .unescapeAndForward, .path("/a/b")),
        ("/a%5cb", .unescapeAndForward, .path("/a/b")),
        ("/a%2f..%2Fb", .unescapeAndForward, .path("/b")),
        ("/a%2F%2Fb", .unescapeAndForward, .path("/a/b")),
        ("/a%2Fb", .unescapeAndRedirect, .redirect("/a/b")),
        ("/%2Fevil.example/%2e%2E%5C", .unescapeAndRedirect, .redirect("/")),
        ("/%2Fevil.example", .unescapeAndRedirect, .redirect("/evil.example")),
        ("/a/b%2", .unescapeAndRedirect, .refused(.malformedEscape)),
    ]) func escapedSlashes(_ path: String, _ action: EscapedSlashesAction, _ expected: PathResult) {
        #expect(normalised(path, action) == expected)
    }

    @Test func normalPathIsNotCopied() {
        var buffer = ByteBuffer()
        let outcome = PathNormalizer.normalise(path: ByteView("/shop/cart/items.html"), into: &buffer)
        #expect(outcome == .unchanged)
        #expect(buffer.isEmpty && !buffer.hasMemory)
    }

    /// Twice is once, and what comes out has none of what normalising removes.
    @Test(arguments: 1...20) func idempotent(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let parts = [
            "/", "/", "//", ".", "..", "%2e", "%2F", "%5c", "a", "%61", "%25", "%", ";", "%3b", "\u{E9}", "long-name",
        ]
        for _ in 0..<2000 {
            let count = Int.random(in: 0...12, using: &random)
            let path = "/" + (0..<count).map { _ in parts.randomElement(using: &random)! }.joined()
            for action in EscapedSlashesAction.allCases {
                let once: String
                switch normalised(path, action) {
                case .path(let text), .redirect(let text): once = text
                case .refused: continue
                }
                #expect(normalised(once, action) == .path(once), "\(path), \(action), seed \(seed)")
                let segments = once.split(separator: "/", omittingEmptySubsequences: false)
                #expect(!once.contains("//") && !segments.contains(".") && !segments.contains(".."), "\(path)")
            }
        }
    }

    @Test(arguments: [
        ("/a//b", "/a//b"), ("//", "//"), ("///a/./b", "///a/b"), ("/a//../b", "/a/b"), ("/%61//b", "/a//b"),
        ("/a/..//b", "//b"), ("/a", "/a"),
    ]) func slashesThatStay(_ path: String, _ expected: String) {
        var buffer = ByteBuffer()
        let outcome = path.withView {
            PathNormalizer.normalise(path: $0, into: &buffer, mergesSlashes: false)
        }
        #expect((outcome == .unchanged ? path : buffer.view.string) == expected)
        #expect(outcome == (path == expected ? .unchanged : .rewritten))
    }

    @Test(arguments: [
        ("/%2Fevil.example", "/evil.example"), ("//%2F%5Ca//b", "/a//b"), ("/a%2F/b", "/a//b"), ("/%2F", "/"),
    ]) func redirectsStayHere(_ path: String, _ expected: String) {
        var buffer = ByteBuffer()
        let outcome = path.withView {
            PathNormalizer.normalise(path: $0, into: &buffer, mergesSlashes: false)
        }
        #expect(outcome == .redirect)
        #expect(buffer.view.string == expected)
    }
}
