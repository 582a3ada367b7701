/// One HTTP/1.1 request as an attacker, a broken client or a pedant would send it, and what must become of it.
public struct HostileCase: Sendable, CustomStringConvertible {
    /// The rule in question, with its RFC section.
    public let name: String
    /// Everything that is sent, body included.
    public let octets: [UInt8]
    /// The status of the answer, after which the connection is closed; nil: the request is legal and is served.
    public let expectedStatus: UInt16?

    public var description: String { name }

    /// Scalars of `text` up to U+00FF are single octets.
    init(_ expectedStatus: UInt16?, _ name: String, _ text: String) {
        self.name = name
        self.expectedStatus = expectedStatus
        octets = text.unicodeScalars.map { UInt8($0.value) }
    }
}

/// The table that the parser's tests and the end-to-end tests share.
public enum HostileRequests {
    public static let all: [HostileCase] =
        requestLine + version + target + path + lines + names + values + host + contentLength + transferEncoding
        + chunkedBody + connection + limits

    /// A request with these field lines after its Host.
    private static func with(_ lines: String...) -> String {
        "GET / HTTP/1.1\r\nHost: a.example\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static func post(_ lines: String..., body: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: a.example\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    private static func line(_ requestLine: String) -> String { requestLine + "\r\nHost: a.example\r\n\r\n" }
    private static func target(_ target: String) -> String { line("GET \(target) HTTP/1.1") }
    private static func host(_ value: String) -> String { "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n" }
    private static func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked", body: body) }

    static let requestLine: [HostileCase] = [
        .init(nil, "9112-3 plain GET", line("GET / HTTP/1.1")),
        .init(nil, "9110-9.1 unknown method is a token", line("BREW /pot HTTP/1.1")),
        .init(nil, "9110-9.1 methods are case-sensitive, get is another one", line("get / HTTP/1.1")),
        .init(nil, "9110-5.6.2 every token octet in a method", line("A!#$%&'*+-.^_`|~9 / HTTP/1.1")),
        .init(400, "9112-3 two spaces before the target", line("GET  / HTTP/1.1")),
        .init(400, "9112-3 two spaces before the version", line("GET /  HTTP/1.1")),
        .init(400, "9112-3 space at the end", line("GET / HTTP/1.1 ")),
        .init(400, "9112-3 space at the start", line(" GET / HTTP/1.1")),
        .init(400, "9112-3 HTAB instead of the first space", line("GET\t/ HTTP/1.1")),
        .init(400, "9112-3 HTAB instead of the second space", line("GET /\tHTTP/1.1")),
        .init(400, "9112-3 vertical tab as separator", line("GET\u{0B}/ HTTP/1.1")),
        .init(400, "9112-3 form feed as separator", line("GET /\u{0C}HTTP/1.1")),
        .init(400, "9112-3 no version, as in HTTP/0.9", line("GET /")),
        .init(400, "9112-3 no version, but its space", line("GET / ")),
        .init(400, "9112-3 method alone", line("GET")),
        .init(400, "9112-3 method and space alone", line("GET ")),
        .init(400, "9112-3 no method", line("/ HTTP/1.1")),
        .init(400, "9112-3 empty method", line(" / HTTP/1.1")),
        .init(400, "9112-3 four words", line("GET / extra HTTP/1.1")),
        .init(400, "9110-5.6.2 colon in the method", line("GET: / HTTP/1.1")),
        .init(400, "9110-5.6.2 quote in the method", line("\"GET\" / HTTP/1.1")),
        .init(400, "9110-5.6.2 slash in the method", line("GE/T / HTTP/1.1")),
        .init(400, "9110-5.6.2 bracket in the method", line("G[ET / HTTP/1.1")),
        .init(400, "9110-5.6.2 octet above 0x7F in the method", line("G\u{C9}T / HTTP/1.1")),
        .init(400, "9110-5.6.2 NUL in the method", line("GE\0T / HTTP/1.1")),
        .init(400, "9110-5.6.2 DEL in the method", line("GET\u{7F} / HTTP/1.1")),
        .init(
            400, "9112-2.2 TLS handshake on a clear port",
            "\u{16}\u{03}\u{01}\u{02}\0\u{01}\0\u{01}\u{FC}\u{03}\u{03}\r\n"),
        .init(400, "9112-2.2 SSH banner", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n"),
        .init(400, "9112-2.2 a response where a request belongs", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]

    static let version: [HostileCase] = [
        .init(nil, "9110-2.5 HTTP/1.0", line("GET / HTTP/1.0")),
        .init(nil, "9110-2.5 HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n"),
        .init(nil, "9110-2.5 a higher minor version is served as 1.1", line("GET / HTTP/1.2")),
        .init(nil, "9110-2.5 HTTP/1.9", line("GET / HTTP/1.9")),
        .init(400, "9110-2.5 HTTP/1.2 needs a Host as 1.1 does", "GET / HTTP/1.2\r\n\r\n"),
        .init(505, "9110-15.6.6 HTTP/2.0", line("GET / HTTP/2.0")),
        .init(505, "9110-15.6.6 HTTP/3.0", line("GET / HTTP/3.0")),
        .init(505, "9110-15.6.6 HTTP/0.9", line("GET / HTTP/0.9")),
        .init(505, "9110-15.6.6 HTTP/9.9", line("GET / HTTP/9.9")),
        .init(400, "9112-2.3 lower case", line("GET / http/1.1")),
        .init(400, "9112-2.3 mixed case", line("GET / Http/1.1")),
        .init(400, "9112-2.3 two digits of minor version", line("GET / HTTP/1.10")),
        .init(400, "9112-2.3 two digits of major version", line("GET / HTTP/11.1")),
        .init(400, "9112-2.3 no minor version", line("GET / HTTP/1")),
        .init(400, "9112-2.3 dot without minor version", line("GET / HTTP/1.")),
        .init(400, "9112-2.3 three parts", line("GET / HTTP/1.1.1")),
        .init(400, "9112-2.3 comma for a dot", line("GET / HTTP/1,1")),
        .init(400, "9112-2.3 letter for a digit", line("GET / HTTP/1.x")),
        .init(400, "9112-2.3 sign before the digit", line("GET / HTTP/+1.1")),
        .init(400, "9112-2.3 blank within", line("GET / HTTP/ 1.1")),
        .init(400, "9112-2.3 other protocol", line("GET / ICAP/1.0")),
        .init(400, "9112-2.3 HTTPS", line("GET / HTTPS/1.1")),
        .init(400, "9112-2.3 shorter name", line("GET / HTT/1.1")),
        .init(400, "9112-2.3 NUL behind it", line("GET / HTTP/1.1\0")),
    ]

    static let target: [HostileCase] = [
        .init(nil, "9112-3.2.1 query", target("/a?b=c&d")),
        .init(nil, "9112-3.2.1 empty query", target("/a?")),
        .init(nil, "9112-3.2.1 question mark in the query", target("/a?b?c")),
        .init(nil, "9112-3.2.1 braces and pipes, as browsers send them in queries", target("/?q={a|b}^`\"<>")),
        .init(nil, "9112-3.2.1 octets above 0x7F pass", target("/caf\u{C3}\u{A9}")),
        .init(nil, "9112-3.2.2 absolute form", target("http://a.example/x")),
        .init(nil, "9112-3.2.2 absolute form with port and query", target("http://a.example:8080/x?y")),
        .init(nil, "9112-3.2.2 absolute form without path", target("http://a.example")),
        .init(nil, "9112-3.2.2 absolute form without path, with query", target("http://a.example?x")),
        .init(nil, "9110-4.2.3 schemes have no case", target("HTTP://a.example/")),
        .init(nil, "9112-3.2.2 the target's authority wins over another Host", target("http://b.example/")),
        .init(nil, "9112-3.2.4 OPTIONS *", line("OPTIONS * HTTP/1.1")),
        .init(nil, "9112-3.2.1 OPTIONS of a path", line("OPTIONS /x HTTP/1.1")),
        .init(nil, "9112-3.2.3 CONNECT host:port", line("CONNECT a.example:443 HTTP/1.1")),
        .init(nil, "9112-3.2.3 CONNECT [IPv6]:port", line("CONNECT [2001:db8::1]:443 HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT without port", line("CONNECT a.example HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT with port 0", line("CONNECT a.example:0 HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT of a path", line("CONNECT / HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT of a URL", line("CONNECT http://a.example:80/ HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT with query", line("CONNECT a.example:443?x HTTP/1.1")),
        .init(400, "9112-3.2.3 CONNECT *", line("CONNECT * HTTP/1.1")),
        .init(400, "9112-3.2.3 authority form for GET", target("a.example:443")),
        .init(400, "9112-3.2.4 GET *", target("*")),
        .init(400, "9112-3.2.4 OPTIONS *x", line("OPTIONS *x HTTP/1.1")),
        .init(400, "9112-3.2.4 OPTIONS **", line("OPTIONS ** HTTP/1.1")),
        .init(400, "9112-3.2 relative path", target("index.html")),
        .init(400, "9112-3.2 query alone", target("?x=1")),
        .init(400, "9112-3.2 backslash for a slash", target("\\")),
        .init(400, "9112-3.2 fragment", target("/a#b")),
        .init(400, "9112-3.2 fragment in the query", target("/a?b#c")),
        .init(400, "9112-3.2 fragment alone", target("#")),
        .init(400, "9112-3.2 NUL", target("/a\0b")),
        .init(400, "9112-3.2 DEL", target("/a\u{7F}b")),
        .init(400, "9112-3.2 HTAB", target("/a\tb")),
        .init(400, "9112-3.2 ESC in the query", target("/a?\u{1B}b")),
        .init(400, "9112-3.2 bare CR in the target", target("/a\rb")),
        .init(400, "9112-3.2 bare LF in the target", target("/a\nb")),
        .init(400, "9112-3.2 space in the target", target("/a b")),
        .init(400, "9110-4.2.4 user in the authority", target("http://user@a.example/")),
        .init(400, "9110-4.2.4 user and password", target("http://user:pw@a.example/")),
        .init(400, "9112-3.2.2 empty authority", target("http:///x")),
        .init(400, "9112-3.2.2 nothing behind the scheme", target("http://")),
        .init(400, "9112-3.2.2 one slash", target("http:/a.example/")),
        .init(400, "9112-3.2.2 port too large", target("http://a.example:65536/")),
        .init(400, "9112-3.2.2 port without digits", target("http://a.example:/")),
        .init(400, "9112-3.2.2 backslash in the authority", target("http://a.example\\b/")),
        .init(400, "9112-3.2.2 percent-encoding in the authority", target("http://a%2eexample/")),
        .init(400, "9112-3.2.2 ftp", target("ftp://a.example/")),
        .init(400, "9112-3.2.2 file", target("file:///etc/passwd")),
        .init(400, "9112-3.2.2 ws", target("ws://a.example/")),
        .init(400, "9112-3.2.2 javascript", target("javascript:alert(1)")),
        .init(400, "9112-3.2 absolute target without Host", "GET http://a.example/ HTTP/1.1\r\n\r\n"),
        .init(505, "9113-3.4 preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        .init(400, "9113-3.4 PRI * over HTTP/1.1", line("PRI * HTTP/1.1")),
    ]

    static let path: [HostileCase] = [
        .init(nil, "3986-5.2.4 dot segments", target("/a/./b/../c")),
        .init(nil, "3986-5.2.4 above the root", target("/../../etc/passwd")),
        .init(nil, "3986-6.2.2.2 encoded dots", target("/a/%2e%2E/b")),
        .init(nil, "3986-2.1 encoded space", target("/a%20b")),
        .init(nil, "3986-2.1 double encoding stays what it is", target("/%252e%252e/")),
        .init(nil, "dots alone are a name from three on", target("/.../x")),
        .init(nil, "parameters of an ordinary segment", target("/a;v=1/b")),
        .init(400, "3986-2.1 escape of one digit", target("/%2")),
        .init(400, "3986-2.1 escape without digits", target("/%")),
        .init(400, "3986-2.1 escape with a letter that is none", target("/%2g")),
        .init(400, "3986-2.1 escape cut by a slash", target("/%2/b")),
        .init(400, "3986-2.1 IIS's %u escape", target("/%u002e")),
        .init(400, "escaped NUL", target("/a%00.jpg")),
        .init(400, "backslash", target("/a\\..\\b")),
        .init(400, "backslash at the start", target("/\\evil.example")),
        .init(400, "dot-dot with parameters", target("/a/..;/b")),
        .init(400, "dot-dot with named parameters", target("/a/..;x=1/b")),
        .init(400, "dot with parameters", target("/a/.;/b")),
        .init(400, "encoded dot-dot with parameters", target("/a/%2e%2e;/b")),
        .init(400, "dot-dot with parameters at the end", target("/..;")),
    ]

    static let lines: [HostileCase] = [
        .init(nil, "9112-2.2 one empty line before", "\r\n" + line("GET / HTTP/1.1")),
        .init(nil, "9112-2.2 two empty lines before", "\r\n\r\n" + line("GET / HTTP/1.1")),
        .init(400, "9112-2.2 three empty lines before", "\r\n\r\n\r\n" + line("GET / HTTP/1.1")),
        .init(400, "9112-2.2 empty line of LF before", "\n" + line("GET / HTTP/1.1")),
        .init(400, "9112-2.2 CR CR LF before", "\r\r\n" + line("GET / HTTP/1.1")),
        .init(400, "9112-2.2 bare LF after the request line", "GET / HTTP/1.1\nHost: a.example\r\n\r\n"),
        .init(400, "9112-2.2 bare LF after a field", "GET / HTTP/1.1\r\nHost: a.example\n\r\n"),
        .init(400, "9112-2.2 bare LF at the end", "GET / HTTP/1.1\r\nHost: a.example\r\n\n"),
        .init(400, "9112-2.2 bare LF everywhere", "GET / HTTP/1.1\nHost: a.example\n\n"),
        .init(400, "9112-2.2 LF CR", "GET / HTTP/1.1\n\rHost: a.example\n\r\n\r"),
        .init(400, "9112-2.2 bare CR after the request line", "GET / HTTP/1.1\rHost: a.example\r\n\r\n"),
        .init(400, "9112-2.2 bare CR in a value", with("X: a\rb")),
        .init(400, "9112-2.2 CR CR LF after a field", with("X: a\r")),
        .init(400, "9112-2.2 bare CR before a name", with("\rX: a")),
        .init(400, "9112-2.2 bare CR in a name", with("X\rY: a")),
        .init(400, "9112-2.2 bare CR behind the colon", with("X:\ra")),
        .init(400, "9112-2.2 bare CR as the last line", "GET / HTTP/1.1\r\nHost: a.example\r\n\rX"),
        .init(400, "9112-2.2 blank before the first field", "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n"),
        .init(400, "9112-2.2 HTAB before the first field", "GET / HTTP/1.1\r\n\tHost: a.example\r\n\r\n"),
        .init(400, "9112-5.2 folded line", with("X: a\r\n b")),
        .init(400, "9112-5.2 folded line with HTAB", with("X: a\r\n\tb")),
        .init(400, "9112-5.2 folded Host", "GET / HTTP/1.1\r\nHost:\r\n a.example\r\n\r\n"),
        .init(400, "9112-5.2 folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked", body: "0\r\n\r\n")),
        .init(400, "9112-5.2 line of blanks", with(" ")),
        .init(400, "9112-5.2 line of blanks at the end", with("X: a\r\n \t")),
    ]

    static let names: [HostileCase] =
        [
            .init(nil, "9110-5.1 every token octet", with("!#$%&'*+-.^_`|~09azAZ: x")),
            .init(nil, "9110-5.1 underscore", with("X_Y: a")),
            .init(nil, "9110-5.3 the same field twice", with("X: a", "X: b")),
            .init(400, "9112-5.1 space before the colon", with("X : a")),
            .init(400, "9112-5.1 HTAB before the colon", with("X\t: a")),
            .init(400, "9112-5.1 space before the colon of Host", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n"),
            .init(400, "9112-5.1 space before the colon of a length", post("Content-Length : 3", body: "abc")),
            .init(
                400, "9112-5.1 space before the colon of a coding",
                post("Transfer-Encoding : chunked", body: "0\r\n\r\n")),
            .init(400, "9112-5.1 vertical tab before the colon", with("Transfer-Encoding\u{0B}: chunked")),
            .init(400, "9112-5.1 empty name", with(": a")),
            .init(400, "9112-5.1 colon alone", with(":")),
            .init(400, "9112-5.1 no colon", with("X")),
            .init(400, "9112-5.1 no colon, words", with("X a b")),
            .init(400, "9112-5.1 request line again", with("GET /admin HTTP/1.1")),
            .init(400, "9112-5.1 NUL within a name", with("X\0Y: a")),
            .init(400, "9112-5.1 NUL before a name", with("\0X: a")),
            .init(400, "9112-5.1 DEL in a name", with("X\u{7F}: a")),
            .init(400, "9112-5.1 octet above 0x7F in a name", with("X\u{E9}: a")),
            .init(400, "9112-5.1 long name with a wrong octet late", with("X-A-Very-Long-Name-That-Goes-On\u{80}: a")),
        ]
        + "\"(),/;<=>?@[\\]{}".map { .init(400, "9110-5.6.2 \($0) in a name", with("X\($0)Y: a")) }

    static let values: [HostileCase] =
        [
            .init(nil, "9110-5.5 empty value", with("X:")),
            .init(nil, "9110-5.5 blank value", with("X: \t ")),
            .init(nil, "9110-5.5 no blank before the value", with("X:a")),
            .init(nil, "9110-5.5 blanks around the value", with("X: \t a \t ")),
            .init(nil, "9110-5.5 HTAB within", with("X: a\tb")),
            .init(nil, "9110-5.5 HTABs beyond sixteen octets", with("X: 0123456789abcdef\t\t0123456789abcdef\tx")),
            .init(nil, "9110-5.5 colons", with("X: ::a:b")),
            .init(
                nil, "9110-5.5 every octet above 0x7F",
                with("X: " + (UInt8(0x80)...0xFF).map { "\(Unicode.Scalar($0))" }.joined())),
        ]
        + (0...0x1F).filter { ![0x09, 0x0A, 0x0D].contains($0) }.map {
            .init(400, "9110-5.5 control octet \($0) in a value", with("X: a\(Unicode.Scalar(UInt8($0)))b"))
        }
        + [
            .init(400, "9110-5.5 DEL in a value", with("X: a\u{7F}b")),
            .init(400, "9110-5.5 NUL at the end of a value", with("X: a\0")),
            .init(400, "9110-5.5 NUL as value", with("X:\0")),
            .init(400, "9110-5.5 NUL late in a long value", with("X: 0123456789abcdef0123456789abcdef0123456789\0")),
        ]

    static let host: [HostileCase] = [
        .init(nil, "9112-3.2 Host: name", host("a.example")),
        .init(nil, "9112-3.2 Host: name and port", host("a.example:8080")),
        .init(nil, "9112-3.2 Host: highest port", host("a.example:65535")),
        .init(nil, "9112-3.2 Host: final dot", host("a.example.")),
        .init(nil, "9112-3.2 Host: final dot and port", host("a.example.:80")),
        .init(nil, "9112-3.2 Host: upper case", host("A.EXAMPLE")),
        .init(nil, "9112-3.2 Host: underscore and tilde", host("a_b~c.example")),
        .init(nil, "9112-3.2 Host: IPv4", host("192.0.2.1")),
        .init(nil, "9112-3.2 Host: IPv6", host("[2001:db8::1]")),
        .init(nil, "9112-3.2 Host: IPv6 and port", host("[::1]:8080")),
        .init(nil, "9112-3.2 Host: IPv6 with IPv4", host("[::ffff:192.0.2.1]")),
        .init(400, "9112-3.2 Host: missing", "GET / HTTP/1.1\r\n\r\n"),
        .init(400, "9112-3.2 Host: missing, others there", "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
        .init(400, "9112-3.2 Host: twice", with("Host: b.example")),
        .init(400, "9112-3.2 Host: twice the same", with("Host: a.example")),
        .init(400, "9112-3.2 Host: twice with another case", with("hOST: a.example")),
        .init(400, "9112-3.2 Host: twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        .init(400, "9112-3.2 Host: list", host("a.example, b.example")),
        .init(400, "9112-3.2 Host: list without blank", host("a.example,b.example")),
        .init(400, "9112-3.2 Host: two words", host("a.example b.example")),
        .init(400, "9112-3.2 Host: empty", host("")),
        .init(400, "9112-3.2 Host: port alone", host(":80")),
        .init(400, "9112-3.2 Host: dot alone", host(".")),
        .init(400, "9112-3.2 Host: empty label", host("a..example")),
        .init(400, "9112-3.2 Host: leading dot", host(".a.example")),
        .init(400, "9112-3.2 Host: two final dots", host("a.example..")),
        .init(400, "9112-3.2 Host: user", host("user@a.example")),
        .init(400, "9112-3.2 Host: path", host("a.example/x")),
        .init(400, "9112-3.2 Host: query", host("a.example?x")),
        .init(400, "9112-3.2 Host: fragment", host("a.example#x")),
        .init(400, "9112-3.2 Host: scheme", host("http://a.example")),
        .init(400, "9112-3.2 Host: percent-encoding", host("a%2eexample")),
        .init(400, "9112-3.2 Host: octet above 0x7F", host("a\u{E9}.example")),
        .init(400, "9112-3.2 Host: NUL", host("a.example\0")),
        .init(400, "9112-3.2 Host: backslash", host("a.example\\b")),
        .init(400, "9112-3.2 Host: semicolon", host("a.example;b")),
        .init(400, "9112-3.2 Host: quotes", host("\"a.example\"")),
        .init(400, "9112-3.2 Host: port 0", host("a.example:0")),
        .init(400, "9112-3.2 Host: port 65536", host("a.example:65536")),
        .init(400, "9112-3.2 Host: port of many digits", host("a.example:00000080")),
        .init(400, "9112-3.2 Host: empty port", host("a.example:")),
        .init(400, "9112-3.2 Host: sign before the port", host("a.example:+80")),
        .init(400, "9112-3.2 Host: letters in the port", host("a.example:80a")),
        .init(400, "9112-3.2 Host: two ports", host("a.example:80:80")),
        .init(400, "9112-3.2 Host: user behind the port", host("a.example:80@b.example")),
        .init(400, "9112-3.2 Host: IPv6 without brackets", host("2001:db8::1")),
        .init(400, "9112-3.2 Host: IPv6 not closed", host("[2001:db8::1")),
        .init(400, "9112-3.2 Host: bracket not opened", host("2001:db8::1]")),
        .init(400, "9112-3.2 Host: empty brackets", host("[]")),
        .init(400, "9112-3.2 Host: name in brackets", host("[a.example]")),
        .init(400, "9112-3.2 Host: IPv4 in brackets", host("[192.0.2.1]")),
        .init(400, "9112-3.2 Host: zone", host("[fe80::1%25eth0]")),
        .init(400, "9112-3.2 Host: IPvFuture", host("[v1.a]")),
        .init(400, "9112-3.2 Host: two gaps", host("[1::2::3]")),
        .init(400, "9112-3.2 Host: nine groups", host("[1:2:3:4:5:6:7:8:9]")),
        .init(400, "9112-3.2 Host: five digits in a group", host("[12345::]")),
        .init(400, "9112-3.2 Host: text behind the brackets", host("[::1]x")),
        .init(400, "1035-2.3.4 name of 300 octets", host(String(repeating: "a", count: 300))),
    ]

    static let contentLength: [HostileCase] = [
        .init(nil, "9110-8.6 plain", post("Content-Length: 3", body: "abc")),
        .init(nil, "9110-8.6 zero", post("Content-Length: 0")),
        .init(nil, "9110-8.6 leading zeros", post("Content-Length: 003", body: "abc")),
        .init(nil, "9110-8.6 list of equals", post("Content-Length: 3, 3", body: "abc")),
        .init(nil, "9110-8.6 lines of equals", post("Content-Length: 3", "Content-Length: 3", body: "abc")),
        .init(nil, "9110-9.3.1 GET with a body", with("Content-Length: 0")),
        .init(400, "9112-6.3 list of different", post("Content-Length: 3, 4", body: "abc")),
        .init(400, "9112-6.3 lines of different", post("Content-Length: 3", "Content-Length: 4", body: "abc")),
        .init(400, "9112-6.3 zero and another", post("Content-Length: 0", "Content-Length: 3", body: "abc")),
        .init(400, "9110-8.6 empty", post("Content-Length:")),
        .init(400, "9110-8.6 plus", post("Content-Length: +3", body: "abc")),
        .init(400, "9110-8.6 minus", post("Content-Length: -3")),
        .init(400, "9110-8.6 minus zero", post("Content-Length: -0")),
        .init(400, "9110-8.6 hexadecimal", post("Content-Length: 0x3", body: "abc")),
        .init(400, "9110-8.6 fraction", post("Content-Length: 3.0", body: "abc")),
        .init(400, "9110-8.6 exponent", post("Content-Length: 3e0", body: "abc")),
        .init(400, "9110-8.6 blank within", post("Content-Length: 3 0", body: "abc")),
        .init(400, "9110-8.6 letters behind", post("Content-Length: 3abc", body: "abc")),
        .init(400, "9110-8.6 word", post("Content-Length: three", body: "abc")),
        .init(400, "9110-8.6 quotes", post("Content-Length: \"3\"", body: "abc")),
        .init(400, "9110-8.6 underscore", post("Content-Length: 3_0", body: "abc")),
        .init(400, "9110-8.6 list with an empty end", post("Content-Length: 3,", body: "abc")),
        .init(400, "9110-8.6 list with an empty start", post("Content-Length: ,3", body: "abc")),
        .init(400, "9110-8.6 semicolon", post("Content-Length: 3;4", body: "abc")),
        .init(400, "9110-8.6 2^63", post("Content-Length: 9223372036854775808")),
        .init(400, "9110-8.6 2^64", post("Content-Length: 18446744073709551616")),
        .init(400, "9110-8.6 2^64 + 3", post("Content-Length: 18446744073709551619", body: "abc")),
        .init(
            400, "9110-8.6 forty digits", post("Content-Length: 0000000000000000000000000000000000000003", body: "abc")),
        .init(400, "9110-8.6 vertical tab before", post("Content-Length:\u{0B}3", body: "abc")),
        .init(400, "9110-8.6 digits of another script", post("Content-Length: \u{D9}\u{A3}", body: "abc")),
        .init(
            400, "9110-9.3.6 CONNECT with a body",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc"),
        .init(
            nil, "9110-9.3.6 CONNECT with no body, said so",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"),
    ]

    static let transferEncoding: [HostileCase] = [
        .init(nil, "9112-6.1 chunked", chunked("3\r\nabc\r\n0\r\n\r\n")),
        .init(nil, "9112-7 codings have no case", post("Transfer-Encoding: ChUnKeD", body: "0\r\n\r\n")),
        .init(nil, "9112-6.1 blanks around", post("Transfer-Encoding: \tchunked\t ", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 with a length", post("Content-Length: 5", "Transfer-Encoding: chunked", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 before a length", post("Transfer-Encoding: chunked", "Content-Length: 5", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 with a length of zero",
            post("Content-Length: 0", "Transfer-Encoding: chunked", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 unknown coding with a length",
            post("Content-Length: 5", "Transfer-Encoding: x", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 twice in a list", post("Transfer-Encoding: chunked, chunked", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 twice in lines",
            post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 not the last", post("Transfer-Encoding: chunked, gzip", body: "0\r\n\r\n")),
        .init(
            400, "9112-6.1 not the last, in lines",
            post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body: "0\r\n\r\n")),
        .init(501, "9112-6.1 gzip before it", post("Transfer-Encoding: gzip, chunked", body: "0\r\n\r\n")),
        .init(
            501, "9112-6.1 gzip in the line before",
            post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked", body: "0\r\n\r\n")),
        .init(501, "9112-6.1 gzip alone", post("Transfer-Encoding: gzip")),
        .init(501, "9112-6.1 identity", post("Transfer-Encoding: identity")),
        .init(501, "9112-6.1 longer word", post("Transfer-Encoding: xchunked", body: "0\r\n\r\n")),
        .init(501, "9112-6.1 shorter word", post("Transfer-Encoding: chunke", body: "0\r\n\r\n")),
        .init(501, "9112-6.1 word with a dash", post("Transfer-Encoding: chunked-not", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 empty", post("Transfer-Encoding:", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 empty element before", post("Transfer-Encoding: , chunked", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 empty element behind", post("Transfer-Encoding: chunked,", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 parameter", post("Transfer-Encoding: chunked;q=1", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 quotes", post("Transfer-Encoding: \"chunked\"", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 two words", post("Transfer-Encoding: chunked x", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 vertical tab before", post("Transfer-Encoding:\u{0B}chunked", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 NUL behind", post("Transfer-Encoding: chunked\0", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 octet above 0x7F behind", post("Transfer-Encoding: chunked\u{A0}", body: "0\r\n\r\n")),
        .init(400, "9112-6.1 in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init(
            400, "9110-9.3.6 in CONNECT",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init(nil, "9112-6.1 a name that only looks like it", post("Transfer_Encoding: chunked")),
        .init(nil, "9112-6.1 another name that does", post("X-Transfer-Encoding: chunked")),
    ]

    static let chunkedBody: [HostileCase] = [
        .init(nil, "9112-7.1 extension", chunked("3;a=b\r\nabc\r\n0\r\n\r\n")),
        .init(nil, "9112-7.1.2 trailers", chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")),
        .init(
            nil, "9112-7.1 upper and lower case, leading zeros",
            chunked("00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n")),
        .init(400, "9112-7.1 bare LF behind the size", chunked("3\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 bare LF behind the data", chunked("3\r\nabc\n0\r\n\r\n")),
        .init(400, "9112-7.1 bare LF at the end", chunked("0\n\n")),
        .init(400, "9112-7.1 bare CR behind the size", chunked("3\rabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 plus", chunked("+3\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 minus", chunked("-3\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 blank before the size", chunked(" 3\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 blank behind the size", chunked("3 \r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 no size", chunked("\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 size that overflows", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 sixteen digits", chunked("0000000000000003\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 data longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 LF in an extension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 CR in an extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 NUL in an extension", chunked("3;a\0\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1 extension not quoted to its end", chunked("3;a=\"b\r\nabc\r\n0\r\n\r\n")),
        .init(400, "9112-7.1.2 space before the colon of a trailer", chunked("0\r\nX : 1\r\n\r\n")),
        .init(400, "9112-7.1.2 bare LF behind a trailer", chunked("0\r\nX: 1\n\r\n")),
        .init(400, "9112-7.1.2 folded trailer", chunked("0\r\nX: 1\r\n 2\r\n\r\n")),
        .init(
            400, "9112-7.1.2 a request where a trailer belongs", chunked("0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n")),
    ]

    static let connection: [HostileCase] = [
        .init(nil, "9112-9.6 close", with("Connection: close")),
        .init(nil, "9110-7.6.1 names of fields", with("Connection: X-A, keep-alive", "X-A: b")),
        .init(nil, "9110-7.6.1 empty elements", with("Connection: , close,,")),
        .init(nil, "9110-7.6.1 Host cannot be named away", with("Connection: Host")),
        .init(
            nil, "6455-4.1 WebSocket",
            with(
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
        .init(
            nil, "9113-3.1 h2c is not heard",
            with("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")),
        .init(nil, "9110-10.1.1 100-continue", post("Expect: 100-continue", "Content-Length: 3", body: "abc")),
        .init(
            nil, "9110-10.1.1 expectations have no case", post("Expect: 100-Continue", "Content-Length: 3", body: "abc")
        ),
        .init(417, "9110-10.1.1 another expectation", post("Expect: 200-ok", "Content-Length: 3", body: "abc")),
        .init(417, "9110-10.1.1 empty expectation", post("Expect:", "Content-Length: 3", body: "abc")),
        .init(417, "9110-10.1.1 two expectations", post("Expect: 100-continue, x", "Content-Length: 3", body: "abc")),
        .init(
            417, "9110-10.1.1 expectation with parameter",
            post("Expect: 100-continue; x=1", "Content-Length: 3", body: "abc")),
    ]

    static let limits: [HostileCase] = [
        .init(nil, "9110-5.4 a hundred fields", with(fields(99))),
        .init(431, "6585-5 a hundred and one fields", with(fields(100))),
        .init(nil, "9112-3 request line of 16 KiB", line("GET /" + many("a", 16 * 1024 - 16) + " HTTP/1.1")),
        .init(
            414, "9112-3 request line of 16 KiB and an octet", line("GET /" + many("a", 16 * 1024 - 15) + " HTTP/1.1")),
        .init(414, "9112-3 request line without end", "GET /" + many("a", 70_000)),
        .init(414, "9112-3 method without end", many("A", 70_000)),
        .init(414, "9112-3 query without end", "GET /?" + many("a", 70_000)),
        .init(
            nil, "6585-5 head of 60 KiB", "GET / HTTP/1.1\r\nHost: a\r\nX: " + many("b", 60 * 1024 - 32) + "\r\n\r\n"),
        .init(
            431, "6585-5 head of 60 KiB and an octet",
            "GET / HTTP/1.1\r\nHost: a\r\nX: " + many("b", 60 * 1024 - 31) + "\r\n\r\n"),
        .init(431, "6585-5 value without end", "GET / HTTP/1.1\r\nHost: a\r\nX: " + many("b", 70_000)),
        .init(431, "6585-5 name without end", "GET / HTTP/1.1\r\nHost: a\r\n" + many("b", 70_000)),
        .init(431, "6585-5 name of 5000 octets", with(many("b", 5000) + ": x")),
        .init(431, "6585-5 blanks without end", "GET / HTTP/1.1\r\nHost: a\r\nX:" + many(" ", 70_000)),
        .init(400, "9112-7.1 chunk-size line without end", chunked("3;a=" + many("b", 5000) + "\r\nabc\r\n0\r\n\r\n")),
        .init(
            400, "9112-7.1 one-octet chunks under long extensions",
            chunked(many("1;a=" + many("b", 1000) + "\r\nx\r\n", 30) + "0\r\n\r\n")),
        .init(431, "9112-7.1.2 trailers of 9 KiB", chunked("0\r\nX: " + many("b", 9000) + "\r\n\r\n")),
        .init(431, "9112-7.1.2 too many trailers", chunked("0\r\n" + many("X: b\r\n", 101) + "\r\n")),
    ]

    private static func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
    private static func fields(_ count: Int) -> String {
        (0..<count).map { "X\($0): a" }.joined(separator: "\r\n")
    }
}
