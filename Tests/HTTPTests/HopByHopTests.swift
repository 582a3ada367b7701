import Core
import HTTP
import Testing

@Suite("RFC 9110, section 7.6.1") struct HopByHopTests {
    /// The names of the fields that would be forwarded.
    private func keptOf(_ lines: String...) -> [String] {
        kept("GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
    }

    private func kept(_ text: String) -> [String] {
        var parser = RequestHeadParser()
        var head = RequestHead()
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
            keptOf(
                "Connection: keep-alive, Upgrade", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers",
                "Upgrade: h2c", "HTTP2-Settings: x", "Accept: a/b") == ["Host", "Accept"])
        #expect(keptOf("Transfer-Encoding: chunked", "Trailer: X-Sum") == ["Host", "Trailer"])
    }

    @Test func namedOnesStayBehind() {
        #expect(keptOf("Connection: X-A, close", "x-a: 1", "X-B: 2") == ["Host", "X-B"])
        #expect(keptOf("Connection: X-A", "Connection: x-b", "X-A: 1", "X-B: 2", "X-C: 3") == ["Host", "X-C"])
    }

    /// A client cannot have removed what the gateway or the backend relies on.
    @Test func someCannotBeNamed() {
        #expect(
            keptOf(
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

    /// What not everybody reads alike is left out, to be written anew from the parsed number.
    @Test(arguments: [
        (["Content-Length: 3"], ["Host", "Content-Length"]), (["Content-Length: 0"], ["Host", "Content-Length"]),
        (["Content-Length: 3, 3"], ["Host"]), (["Content-Length: 3", "content-length: 3"], ["Host"]),
        (["Content-Length: 03"], ["Host"]), (["Content-Length: 00"], ["Host"]),
    ]) func lengthsWrittenAnew(_ lines: [String], _ expected: [String]) {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        #expect(kept(text) == expected)
    }

    @Test(arguments: [
        ("HTTP/1.1 204 No Content", []), ("HTTP/1.1 103 Early Hints", []), ("HTTP/1.1 200 OK", ["Content-Length"]),
        ("HTTP/1.1 304 Not Modified", ["Content-Length"]),
    ]) func lengthOfResponses(_ statusLine: String, _ expected: [String]) {
        var parser = ResponseHeadParser()
        var head = ResponseHead()
        let text = statusLine + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        let names = Array(text.utf8).withView { view in
            #expect(parser.parse(view, into: &head, method: .get) == .complete)
            var names: [String] = []
            for i in 0..<head.fields.count where !head.drops(head.fields[i], in: view) {
                names.append(head.fields[i].name(in: view).string)
            }
            return names
        }
        #expect(names == expected)
        let length = head.contentLength
        #expect(length == 0)
    }
}
