import HTTP
import Testing

@Suite("RFC 9113, sections 5 and 8: streams and messages; RFC 7541; RFC 8441")
struct HTTP2MessageRuleTests {
    @Test(arguments: Self.streams) func streamsJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.fields) func fieldsJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.pseudo) func pseudoJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.targets) func targetsJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.content) func contentJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.connect) func connectJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.compression) func compressionJudged(_ one: FrameCase) { one.check() }

    typealias F = Frame
    static let open = F.headers(1, F.post(), end: false)

    static func request(_ block: [UInt8]) -> [UInt8] { F.headers(1, block) }
    static func plain(_ list: (String, String)...) -> [UInt8] { F.headers(1, F.fields(list)) }
    static func with(_ list: (String, String)...) -> [UInt8] { F.headers(1, F.get("/", list)) }
    /// A request with its fields before `:authority`.
    private static let usual = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a.example")]

    static let streams = [
        FrameCase(
            "5.1", "HEADERS behind END_STREAM", F.headers(1, F.get()), F.headers(1, F.get()),
            is: .connection(.streamClosed)),
        FrameCase(
            "5.1", "HEADERS on a stream that was reset", F.headers(1, F.get()), F.reset(1), F.headers(1, F.get()),
            is: .accepted),
        FrameCase("5.1", "WINDOW_UPDATE behind END_STREAM", F.headers(1, F.get()), F.window(1, 1), is: .accepted),
        FrameCase("5.1", "PRIORITY behind END_STREAM", F.headers(1, F.get()), F.priority(1), is: .accepted),
        FrameCase(
            "5.1.1", "streams with gaps", F.headers(1, F.get()), F.headers(9, F.get()), F.headers(101, F.get()),
            is: .accepted),
        FrameCase("5.1.1", "a lower number than before", F.headers(5, F.get()), F.headers(3, F.get()), is: .accepted),
        FrameCase(
            "5.1.1", "DATA on a stream that was passed over", F.headers(5, F.get()), F.data(3, "x"), is: .accepted),
        FrameCase("5.1.2", "100 streams", (0..<100).flatMap { F.headers($0 * 2 + 1, F.get()) }, is: .accepted),
        FrameCase(
            "5.1.2", "101 streams", (0..<101).flatMap { F.headers($0 * 2 + 1, F.get()) },
            is: .connection(.protocolError)),
        FrameCase(
            "5.3.1", "PRIORITY that depends on itself", F.headers(1, F.get()), F.priority(1, on: 1), is: .accepted),
        FrameCase("8.1", "trailers", open, F.data(1, "x"), F.headers(1, F.fields([("a", "b")])), is: .accepted),
        FrameCase(
            "8.1", "trailers that do not end", open, F.data(1, "x"), F.headers(1, F.fields([("a", "b")]), end: false),
            is: .stream(.protocolError)),
        FrameCase(
            "8.1", "pseudo-header fields in trailers", open, F.headers(1, F.fields([(":path", "/b")])),
            is: .stream(.protocolError)),
        FrameCase(
            "8.1", "upper case in trailers", open, F.headers(1, F.fields([("A", "b")])), is: .stream(.protocolError)),
        FrameCase(
            "8.1", "trailers twice", open, F.headers(1, F.fields([("a", "b")])), F.headers(1, F.fields([("a", "b")])),
            is: .connection(.streamClosed)),
    ]

    static let fields: [FrameCase] =
        [
            FrameCase("8.2.1", "upper case in a name", with(("X-A", "b")), is: .stream(.protocolError)),
            FrameCase("8.2.1", "one upper-case letter", with(("abC", "b")), is: .stream(.protocolError)),
            FrameCase("8.2.1", "an empty name", with(("", "b")), is: .stream(.protocolError)),
            FrameCase("8.2.1", "an empty value", with(("a", "")), is: .accepted),
            FrameCase("8.2.1", "a leading space", with(("a", " b")), is: .stream(.protocolError)),
            FrameCase("8.2.1", "a trailing tab", with(("a", "b\t")), is: .stream(.protocolError)),
            FrameCase("8.2.1", "octets above 0x7F in a value", with(("a", "ü")), is: .accepted),
            FrameCase("8.2.2", "connection", with(("connection", "close")), is: .stream(.protocolError)),
            FrameCase(
                "8.2.2", "proxy-connection", with(("proxy-connection", "keep-alive")), is: .stream(.protocolError)),
            FrameCase("8.2.2", "keep-alive", with(("keep-alive", "1")), is: .stream(.protocolError)),
            FrameCase(
                "8.2.2", "transfer-encoding", with(("transfer-encoding", "chunked")), is: .stream(.protocolError)),
            FrameCase("8.2.2", "upgrade", with(("upgrade", "h2c")), is: .stream(.protocolError)),
            FrameCase("8.2.2", "te: trailers", with(("te", "trailers")), is: .accepted),
            FrameCase("8.2.2", "te: gzip", with(("te", "gzip")), is: .stream(.protocolError)),
            FrameCase("8.2.2", "te: trailers, gzip", with(("te", "trailers, gzip")), is: .stream(.protocolError)),
            FrameCase(
                "8.2.3", "cookies in crumbs", with(("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")), is: .accepted),
        ]
        + ["\r", "\n", "\0", "\r\n", "b\r\nx: y", "\u{1}", "\u{7F}"].map {
            FrameCase("8.2.1", "\($0.debugDescription) in a value", with(("a", "b\($0)c")), is: .stream(.protocolError))
        }
        + [" ", ":", "(", "\u{7F}", "\0", "\r", "\n", "ü", "\"", "/", "@", "="].map {
            FrameCase("8.2.1", "\($0.debugDescription) in a name", with(("a\($0)b", "c")), is: .stream(.protocolError))
        }

    static let pseudo: [FrameCase] =
        [
            FrameCase(
                "8.3", "an unknown pseudo-header field",
                plain((":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a"), (":x", "y")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3", ":status in a request",
                plain(
                    (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a"), (":status", "200")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3", "behind a field",
                plain((":method", "GET"), (":scheme", "https"), ("a", "b"), (":path", "/"), (":authority", "a")),
                is: .stream(.protocolError)),
            FrameCase("8.3.1", "nothing at all", F.headers(1, []), is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "an empty :path",
                plain((":method", "GET"), (":scheme", "https"), (":path", ""), (":authority", "a")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "an empty :method",
                plain((":method", ""), (":scheme", "https"), (":path", "/"), (":authority", "a")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "a :method that is no token",
                plain((":method", "G T"), (":scheme", "https"), (":path", "/"), (":authority", "a")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "neither :authority nor host", plain((":method", "GET"), (":scheme", "https"), (":path", "/")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "host instead of :authority",
                plain((":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "a.example")), is: .accepted),
            FrameCase("8.3.1", "host like :authority", with(("host", "a.example")), is: .accepted),
            FrameCase("8.3.1", "host like :authority but for case", with(("host", "A.Example")), is: .accepted),
            FrameCase("8.3.1", "host unlike :authority", with(("host", "b.example")), is: .stream(.protocolError)),
            FrameCase("8.3.1", "host with another port", with(("host", "a.example:80")), is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "two hosts",
                plain((":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "a"), ("host", "a")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "two hosts beside :authority", with(("host", "a.example"), ("host", "a.example")),
                is: .stream(.protocolError)),
            FrameCase(
                "8.3.1", "a scheme of upper case",
                plain((":method", "GET"), (":scheme", "HTTPS"), (":path", "/"), (":authority", "a")), is: .accepted),
            FrameCase(
                "8.3.1", "a scheme that is no HTTP",
                plain((":method", "GET"), (":scheme", "ftp"), (":path", "/"), (":authority", "a")),
                is: .refused(.unsupportedScheme)),
            FrameCase(
                "8.3.1", "a malformed scheme",
                plain((":method", "GET"), (":scheme", "1http"), (":path", "/"), (":authority", "a")),
                is: .stream(.protocolError)),
        ]
        + usual.indices.map { index in
            FrameCase(
                "8.3.1", "\(usual[index].0) twice", F.headers(1, F.fields(usual + [usual[index]])),
                is: .stream(.protocolError))
        }
        + (0..<3).map { index in
            FrameCase(
                "8.3.1", "no \(usual[index].0)",
                F.headers(1, F.fields(usual.enumerated().filter { $0.offset != index }.map(\.element))),
                is: .stream(.protocolError))
        }

    static func authority(_ text: String) -> [UInt8] {
        plain((":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", text))
    }

    static func path(_ text: String, _ method: String = "GET") -> [UInt8] {
        plain((":method", method), (":scheme", "https"), (":path", text), (":authority", "a"))
    }

    static let targets = [
        FrameCase("8.3.1", "a query", path("/a?b=c&d"), is: .accepted),
        FrameCase("8.3.1", "a path without its slash", path("a"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "an absolute target", path("https://b.example/"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "an asterisk with OPTIONS", path("*", "OPTIONS"), is: .accepted),
        FrameCase("8.3.1", "an asterisk with GET", path("*"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "the preface's method", path("*", "PRI"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "a fragment", path("/a#b"), is: .refused(.fragmentInTarget)),
        FrameCase("8.3.1", "a space in a path", path("/a b"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "a version in a path", path("/a HTTP/1.1"), is: .stream(.protocolError)),
        FrameCase(
            "8.3.1", "a second head in a path", path("/ HTTP/1.1\r\nhost: b\r\n\r\nGET /"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "NUL in a path", path("/a\0"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "DEL in a path", path("/a\u{7F}"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "octets above 0x7F in a path", path("/ü"), is: .accepted),
        FrameCase("8.3.1", "a path of 17 KiB", path("/" + String(repeating: "a", count: 16300)), is: .accepted),
        FrameCase("8.3.1", "userinfo", authority("u@a.example"), is: .refused(.illegalHost)),
        FrameCase("8.3.1", "a port", authority("a.example:8443"), is: .accepted),
        FrameCase("8.3.1", "port 0", authority("a.example:0"), is: .refused(.illegalHost)),
        FrameCase("8.3.1", "an empty authority", authority(""), is: .stream(.protocolError)),
        FrameCase("8.3.1", "IPv6", authority("[::1]:8080"), is: .accepted),
        FrameCase("8.3.1", "a list of authorities", authority("a.example,b.example"), is: .refused(.illegalHost)),
        FrameCase("8.3.1", "CRLF in an authority", authority("a\r\nx: y"), is: .stream(.protocolError)),
        FrameCase("8.3.1", "a path in an authority", authority("a/b"), is: .stream(.protocolError)),
    ]

    static func sized(_ length: String, _ frames: [UInt8]...) -> [UInt8] {
        F.headers(1, F.post([("content-length", length)]), end: false) + frames.flatMap { $0 }
    }

    static let content = [
        FrameCase("8.1.1", "content of the length said", sized("3", F.data(1, "abc", end: true)), is: .accepted),
        FrameCase("8.1.1", "less content", sized("4", F.data(1, "abc", end: true)), is: .stream(.protocolError)),
        FrameCase("8.1.1", "more content", sized("2", F.data(1, "abc", end: true)), is: .stream(.protocolError)),
        FrameCase(
            "8.1.1", "more content in a second frame", sized("4", F.data(1, "abc"), F.data(1, "de")),
            is: .stream(.protocolError)),
        FrameCase(
            "8.1.1", "less content before trailers", sized("4", F.data(1, "abc"), F.headers(1, F.fields([("a", "b")]))),
            is: .stream(.protocolError)),
        FrameCase(
            "8.1.1", "a length without content", F.headers(1, F.post([("content-length", "4")])),
            is: .stream(.protocolError)),
        FrameCase("8.1.1", "length 0 without content", F.headers(1, F.post([("content-length", "0")])), is: .accepted),
        FrameCase(
            "8.1.1", "two lengths",
            F.headers(1, F.post([("content-length", "3"), ("content-length", "3")]), end: false),
            is: .stream(.protocolError)),
        FrameCase(
            "8.1.1", "a list of lengths", sized("3, 3", F.data(1, "abc", end: true)), is: .stream(.protocolError)),
        FrameCase("8.1.1", "a signed length", sized("+3", F.data(1, "abc", end: true)), is: .stream(.protocolError)),
        FrameCase("8.1.1", "a length past 2^63", sized("99999999999999999999"), is: .stream(.protocolError)),
        FrameCase(
            "10.1.1", "an unknown expectation", F.headers(1, F.post([("expect", "tea")]), end: false),
            is: .refused(.unknownExpectation)),
    ]

    static func connectTo(_ list: (String, String)...) -> [UInt8] {
        F.headers(1, F.fields([(":method", "CONNECT")] + list), end: false)
    }

    static let connect = [
        FrameCase("8.5", "CONNECT", connectTo((":authority", "a.example:443")), is: .accepted),
        FrameCase(
            "8.5", "CONNECT without a port", connectTo((":authority", "a.example")), is: .refused(.illegalAuthority)),
        FrameCase("8.5", "CONNECT without :authority", connectTo(("a", "b")), is: .stream(.protocolError)),
        FrameCase(
            "8.5", "CONNECT with :path", connectTo((":authority", "a:443"), (":path", "/")), is: .stream(.protocolError)
        ),
        FrameCase(
            "8.5", "CONNECT with :scheme", connectTo((":authority", "a:443"), (":scheme", "https")),
            is: .stream(.protocolError)),
        FrameCase(
            "RFC 8441, 4", "WebSocket",
            connectTo((":scheme", "https"), (":path", "/chat"), (":authority", "a"), (":protocol", "websocket")),
            is: .accepted),
        FrameCase(
            "RFC 8441, 4", "another protocol",
            connectTo((":scheme", "https"), (":path", "/"), (":authority", "a"), (":protocol", "connect-udp")),
            is: .refused(.unknownConnectProtocol)),
        FrameCase(
            "RFC 8441, 4", ":protocol without CONNECT",
            F.headers(
                1,
                F.fields([
                    (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a"),
                    (":protocol", "websocket"),
                ])), is: .stream(.protocolError)),
        FrameCase(
            "RFC 8441, 4", "without :path",
            connectTo((":scheme", "https"), (":authority", "a"), (":protocol", "websocket")),
            is: .stream(.protocolError)),
        FrameCase(
            "RFC 8441, 4", "without :scheme",
            connectTo((":path", "/"), (":authority", "a"), (":protocol", "websocket")), is: .stream(.protocolError)),
        FrameCase(
            "RFC 8441, 4", "without :authority",
            connectTo((":scheme", "https"), (":path", "/"), ("host", "a"), (":protocol", "websocket")),
            is: .stream(.protocolError)),
        FrameCase(
            "RFC 8441, 4", "with an end",
            F.headers(
                1,
                F.fields([
                    (":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", "a"),
                    (":protocol", "websocket"),
                ])), is: .refused(.contentInConnect)),
        FrameCase(
            "RFC 8441, 4", "with an upgrade field",
            connectTo(
                (":scheme", "https"), (":path", "/"), (":authority", "a"), (":protocol", "websocket"),
                ("upgrade", "websocket")), is: .stream(.protocolError)),
    ]

    static let compression = [
        FrameCase("RFC 7541, 2.3.3", "index 0", request([0x80]), is: .connection(.compressionError)),
        FrameCase("RFC 7541, 2.3.3", "an index past the tables", request([0xBF]), is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 2.3.3", "a name's index past the tables", request([0x7E, 0x01, 0x61]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 4.2", "a table size past our setting", request([0x3F, 0xE1, 0xFF, 0x03]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 4.2", "a table size behind a field", request(F.get() + [0x20]),
            is: .connection(.compressionError)),
        FrameCase("RFC 7541, 4.2", "a table size of 0 at the start", request([0x20] + F.get()), is: .accepted),
        FrameCase(
            "RFC 7541, 5.1", "an integer without an end",
            request([0x7F, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.1", "an integer past 2^32", request([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.2", "a name longer than the block", request([0x00, 0x0A, 0x61]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.2", "a value longer than the block", request([0x00, 0x01, 0x61, 0x7F, 0x05, 0x61]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.2", "Huffman padding of eight bits", request([0x00, 0x01, 0x61, 0x82, 0x1F, 0xFF]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.2", "Huffman padding with zeros", request([0x00, 0x01, 0x61, 0x81, 0x18]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 5.2", "Huffman with EOS", request([0x00, 0x01, 0x61, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
            is: .connection(.compressionError)),
        FrameCase(
            "RFC 7541, 6.1", "indexed fields", request([0x82, 0x87, 0x84] + F.field(":authority", "a")), is: .accepted),
        FrameCase(
            "RFC 7541, 6.2.1", "a field that is indexed and used again", request([0x82, 0x87, 0x84, 0x41, 0x01, 0x61]),
            F.headers(3, [0x82, 0x87, 0x84, 0xBE]), is: .accepted),
        FrameCase(
            "RFC 7541, 6.2.3", "a field never indexed", request(F.get() + [0x10, 0x01, 0x61, 0x01, 0x62]), is: .accepted
        ),
        FrameCase(
            "RFC 7541, 6.3", "a block cut in a field", F.headers(1, [0x00, 0x01], last: false), F.continuation(1, []),
            is: .connection(.compressionError)),
    ]
}
