import Core
import HTTP
import Testing

@Suite("RFC 9110, section 7.6.1") struct HopByHopTests {
    /// The names of the fields that would be forwarded.
    private func kept(_ lines: String...) -> [String] {
        var parser = RequestHeadParser()
        var head = RequestHead()
        let text = "GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        return Array(text.utf8).withView { view in
            #expect(parser.parse(view, into: &head) == .complete)
            var names: [String] = []
            for i in 0..<head.fields.count where !head.drops(head.fields[i], in: view) {
                names.append(head.fields[i].name(in: view).string)
            }
            return names
        }
    }

    @Test func wellKnownStayBehind() {
        #expect(
            kept(
                "Connection: keep-alive, Upgrade", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers",
                "Upgrade: h2c", "HTTP2-Settings: x", "Accept: a/b") == ["Host", "Accept"])
        #expect(kept("Transfer-Encoding: chunked", "Trailer: X-Sum") == ["Host", "Trailer"])
    }

    @Test func namedOnesStayBehind() {
        #expect(kept("Connection: X-A, close", "x-a: 1", "X-B: 2") == ["Host", "X-B"])
        #expect(kept("Connection: X-A", "Connection: x-b", "X-A: 1", "X-B: 2", "X-C: 3") == ["Host", "X-C"])
    }

    /// A client cannot have removed what the gateway or the backend relies on.
    @Test func someCannotBeNamed() {
        #expect(
            kept(
                "Connection: Host, Content-Length, X-Forwarded-For, Authorization", "Content-Length: 0",
                "X-Forwarded-For: 192.0.2.1", "Authorization: b") == [
                    "Host", "Content-Length", "X-Forwarded-For", "Authorization",
                ])
    }

    @Test func nothingNamedNothingSearched() {
        guard case .complete(let request) = readRequest("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, te\r\n\r\n")
        else {
            Issue.record("not complete")
            return
        }
        #expect(!request.connectionNamesFields)
    }
}
