import Core
import HTTP
import Testing

@Suite struct LocalAnswerTests {
    private func written(_ answer: LocalAnswer, extraFields: StaticString = "") -> String {
        var date = HTTPDate()
        var buffer = ByteBuffer()
        answer.write(date: &date, unixSeconds: 0, extraFields: ByteView(extraFields), to: &buffer)
        return buffer.view.string
    }

    @Test func notFound() {
        #expect(
            written(LocalAnswer(status: 404, text: ByteView("no route matched"), persistence: .keepAlive))
                == "HTTP/1.1 404 Not Found\r\nserver: sluice\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                + "content-type: text/plain; charset=utf-8\r\ncontent-length: 17\r\n\r\nno route matched\n")
    }

    @Test func reasonPhraseIsTheText() {
        #expect(
            written(LocalAnswer(status: 503, persistence: .close)).hasSuffix(
                "\r\nconnection: close\r\n\r\nService Unavailable\n"))
    }

    @Test func headOnly() {
        let text = written(LocalAnswer(status: 500, persistence: .keepAlive, isForHead: true))
        #expect(text.contains("content-length: 22\r\n") && text.hasSuffix("\r\n\r\n"))
    }

    @Test func extraFields() {
        let answer = LocalAnswer(status: 301, persistence: .keepAlive, minorVersion: 0)
        let text = written(answer, extraFields: "location: /x\r\n")
        #expect(text.contains("\r\nconnection: keep-alive\r\nlocation: /x\r\n\r\n"))
    }

    /// What we write ourselves passes our own strict parser, and says what was meant.
    @Test(arguments: [400, 404, 417, 421, 431, 500, 501, 502, 503, 504, 505] as [UInt16]) func isLegal(_ status: UInt16)
    {
        let octets = Array(written(LocalAnswer(status: status, persistence: .close)).utf8)
        guard case .complete(let response) = readResponse(octets, method: .get) else {
            Issue.record("not complete")
            return
        }
        #expect(response.status == status && response.persistence == .close)
        #expect(response.framing == .length(octets: UInt64(octets.count - response.length)))
        #expect(response.reason == statusReason(status).description && !response.reason.isEmpty)
    }

    @Test func everyRefusalHasAnAnswer() {
        for refusal in HeadRefusal.allCases {
            #expect(!statusReason(refusal.status).description.isEmpty, "\(refusal)")
            #expect(!refusal.reason.description.isEmpty, "\(refusal)")
        }
    }
}
