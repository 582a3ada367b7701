import Core
import HTTP
import Testing

/// What a response head says, as values that outlive its octets.
struct ReadResponse: Equatable {
    var status: UInt16
    var reason: String
    var minorVersion: UInt8
    var framing: BodyFraming
    var persistence: Persistence
    var connectionNamesFields: Bool
    var upgradesToWebSocket: Bool
    var fields: [String] = []
    var length: Int

    init(_ head: borrowing ResponseHead, _ view: ByteView) {
        status = head.status
        reason = head.reason.of(view).string
        minorVersion = head.minorVersion
        framing = head.framing
        persistence = head.persistence
        connectionNamesFields = head.connectionNamesFields
        upgradesToWebSocket = head.upgradesToWebSocket
        length = head.length
        for i in 0..<head.fields.count {
            let line = head.fields[i]
            fields.append("\(line.name(in: view).string)=\(line.value(in: view).string)")
        }
    }
}

enum ResponseOutcome: Equatable {
    case incomplete
    case refused(HeadRefusal)
    case complete(ReadResponse)
}

/// As ``readRequest(_:cuts:limits:)``.
func readResponse(
    _ octets: [UInt8], method: HTTP.Method, cuts: [Int] = [], limits: HeadLimits = .response
) -> ResponseOutcome {
    var parser = ResponseHeadParser()
    var head = ResponseHead()
    for cut in cuts + [octets.count] {
        let piece = Array(octets[0..<cut])
        let outcome: ResponseOutcome = piece.withView { view in
            switch parser.parse(view, into: &head, method: method, limits: limits) {
            case .incomplete: .incomplete
            case .refused(let refusal): .refused(refusal)
            case .complete: .complete(ReadResponse(head, view))
            }
        }
        if outcome != .incomplete { return outcome }
    }
    return .incomplete
}

private struct Case: CustomStringConvertible, Sendable {
    let text: String
    let method: HTTP.Method
    let expected: Expected
    enum Expected: Sendable {
        case body(BodyFraming, Persistence)
        case refused(HeadRefusal)
        case incomplete
    }
    var description: String { "\(method) " + text.prefix(70).debugDescription }
    var octets: [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    init(_ text: String, _ framing: BodyFraming, _ persistence: Persistence = .keepAlive, _ method: HTTP.Method = .get)
    {
        self.text = text + "\r\n\r\n"
        self.method = method
        expected = .body(framing, persistence)
    }
    init(_ text: String, refused: HeadRefusal, _ method: HTTP.Method = .get) {
        self.text = text + "\r\n\r\n"
        self.method = method
        expected = .refused(refused)
    }
    init(incomplete text: String) { (self.text, method, expected) = (text, .get, .incomplete) }
}

private func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

private let framingCases: [Case] = [
    // RFC 9112, section 6.3, in its order.
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5", .none, .keepAlive, .head),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", .none, .keepAlive, .head),
    Case("HTTP/1.1 200 OK", .none, .keepAlive, .head),
    Case("HTTP/1.1 100 Continue", .none),
    Case("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket", .none),
    Case("HTTP/1.1 103 Early Hints\r\nLink: </a.css>", .none),
    Case("HTTP/1.1 204 No Content", .none),
    Case("HTTP/1.1 204 No Content\r\nContent-Length: 0", .none),
    Case("HTTP/1.1 304 Not Modified\r\nContent-Length: 5", .none),
    Case("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked", .none),
    Case("HTTP/1.1 200 OK", .none, .keepAlive, .connect),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5", .none, .keepAlive, .connect),
    Case("HTTP/1.1 403 Forbidden\r\nContent-Length: 5", .length(octets: 5), .keepAlive, .connect),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", .chunked),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", .chunked, .keepAlive, .post),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5", .length(octets: 5)),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5, 5", .length(octets: 5)),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5", .length(octets: 5)),
    Case("HTTP/1.1 200 OK", .untilClose, .close),
    Case("HTTP/1.1 200 OK\r\nConnection: keep-alive", .untilClose, .close),
    Case("HTTP/1.1 205 Reset Content\r\nContent-Length: 0", .length(octets: 0)),
    // Section 9.3.
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close", .length(octets: 5), .close),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive, Close", .length(octets: 5), .close),
    Case("HTTP/1.0 200 OK\r\nContent-Length: 5", .length(octets: 5), .close),
    Case("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive", .length(octets: 5), .keepAlive),
    Case("HTTP/1.0 200 OK", .untilClose, .close),
    Case("HTTP/1.1 204 No Content\r\nConnection: close", .none, .close),
]

private let lineCases: [Case] = [
    // Section 4.
    Case("HTTP/1.1 200 \r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.1 200\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.1 200 Caf\u{E9}\tau lait\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.1 299 x\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.1 999 x\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/1.5 200 OK\r\nContent-Length: 0", .length(octets: 0)),
    Case("HTTP/2.0 200 OK", refused: .unsupportedVersion),
    Case("HTTP/0.9 200 OK", refused: .unsupportedVersion),
    Case("HTTP/1.10 200 OK", refused: .malformedStatusLine),
    Case("http/1.1 200 OK", refused: .malformedStatusLine),
    Case("ICY 200 OK", refused: .malformedStatusLine),
    Case(" HTTP/1.1 200 OK", refused: .malformedStatusLine),
    Case("\r\nHTTP/1.1 200 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1  200 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1\t200 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 20 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 2000 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 099 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 000 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 2x0 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 +20 OK", refused: .malformedStatusLine),
    Case("HTTP/1.1 200\tOK", refused: .malformedStatusLine),
    Case("HTTP/1.1 200 O\0K", refused: .malformedStatusLine),
    Case("HTTP/1.1 200 O\u{7F}K", refused: .malformedStatusLine),
    Case("HTTP/1.1 200 OK\nContent-Length: 0", refused: .bareLineFeed),
    Case("HTTP/1.1 200\nContent-Length: 0", refused: .bareLineFeed),
    Case("HTTP/1.1 200 OK\rContent-Length: 0", refused: .bareCarriageReturn),
    Case("<html>an answer of HTTP/0.9</html>", refused: .malformedStatusLine),
    Case("HTTP/1.1 200 " + many("r", 17_000), refused: .headTooLarge),
    Case("HTTP/1.1 200 OK\r\nX: " + many("v", 128 * 1024), refused: .headTooLarge),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 0" + many("\r\nX: a", 199), .length(octets: 0)),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 0" + many("\r\nX: a", 200), refused: .tooManyFields),
    Case(incomplete: ""),
    Case(incomplete: "HTTP/1.1 200"),
    Case(incomplete: "HTTP/1.1 200 OK\r\n"),
    Case(incomplete: "HTTP/1.1 200 OK\r\nX: a\r\n\r"),
    // Section 5.
    Case("HTTP/1.1 200 OK\r\nX : a", refused: .blankBeforeColon),
    Case("HTTP/1.1 200 OK\r\n X: a", refused: .foldedLine),
    Case("HTTP/1.1 200 OK\r\nX: a\r\n b", refused: .foldedLine),
    Case("HTTP/1.1 200 OK\r\n: a", refused: .emptyFieldName),
    Case("HTTP/1.1 200 OK\r\nX(: a", refused: .illegalFieldName),
    Case("HTTP/1.1 200 OK\r\nX: a\0", refused: .illegalFieldValue),
    Case("HTTP/1.1 200 OK\r\nX: a\nY: b", refused: .bareLineFeed),
    Case("HTTP/1.1 200 OK\r\nX: a\rY: b", refused: .bareCarriageReturn),
]

private let smugglingCases: [Case] = [
    // Section 6.
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", refused: .lengthAndTransferEncoding),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", refused: .lengthAndTransferEncoding),
    Case(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", refused: .lengthAndTransferEncoding, .head
    ),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", refused: .unknownTransferCoding),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", refused: .unknownTransferCoding),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity", refused: .unknownTransferCoding),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked", refused: .repeatedChunked),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", refused: .repeatedChunked),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip", refused: .chunkedNotLast),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding:", refused: .malformedTransferEncoding),
    Case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a=b", refused: .malformedTransferEncoding),
    Case("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", refused: .transferEncodingInHTTP10),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5, 6", refused: .conflictingContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6", refused: .conflictingContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length: -1", refused: .illegalContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length: +5", refused: .illegalContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 5 5", refused: .illegalContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length:", refused: .illegalContentLength),
    Case("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808", refused: .illegalContentLength),
    Case("HTTP/1.1 304 Not Modified\r\nContent-Length: x", refused: .illegalContentLength),
    Case("HTTP/1.1 204 No Content\r\nContent-Length: 5", refused: .contentWhereNoneMayBe),
    Case("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked", refused: .contentWhereNoneMayBe),
    Case("HTTP/1.1 100 Continue\r\nContent-Length: 5", refused: .contentWhereNoneMayBe),
    Case("HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked", refused: .contentWhereNoneMayBe),
]

private let cases = framingCases + lineCases + smugglingCases

@Suite("RFC 9112, sections 4 to 6, responses") struct ResponseHeadParserTests {
    @Test(arguments: cases) fileprivate func outcome(_ one: Case) {
        let outcome = readResponse(one.octets, method: one.method)
        switch one.expected {
        case .refused(let refusal): #expect(outcome == .refused(refusal))
        case .incomplete: #expect(outcome == .incomplete)
        case .body(let framing, let persistence):
            guard case .complete(let response) = outcome else {
                Issue.record("not complete: \(outcome)")
                return
            }
            #expect(response.framing == framing)
            #expect(response.persistence == persistence)
            #expect(response.length == one.octets.count)
        }
    }

    @Test(arguments: 1...8) func pieces(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for one in cases {
            let octets = one.octets + [ASCII.lf]
            let cuts = randomCuts(octets.count, using: &random)
            #expect(
                readResponse(octets, method: one.method, cuts: cuts) == readResponse(octets, method: one.method),
                "\(one), seed \(seed), cuts \(cuts)")
        }
    }

    @Test func everyPart() {
        let text = "HTTP/1.1 404 Nicht da\r\nServer: x\r\nConnection: X-A\r\nX-A: b\r\nContent-Length: 2\r\n\r\nab"
        guard case .complete(let response) = readResponse(Array(text.utf8), method: .get) else {
            Issue.record("not complete")
            return
        }
        #expect(response.status == 404)
        #expect(response.reason == "Nicht da")
        #expect(response.connectionNamesFields)
        #expect(response.fields == ["Server=x", "Connection=X-A", "X-A=b", "Content-Length=2"])
        #expect(response.length == text.utf8.count - 2)
    }

    @Test func switchingProtocols() {
        let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
        guard case .complete(let response) = readResponse(Array(text.utf8), method: .get) else {
            Issue.record("not complete")
            return
        }
        #expect(response.upgradesToWebSocket)
    }
}
