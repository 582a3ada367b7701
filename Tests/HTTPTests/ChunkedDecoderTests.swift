import Core
import HTTP
import Testing

/// A decoded body, as values that outlive its octets.
struct ReadBody: Equatable {
    var content: [UInt8] = []
    var trailers: [String] = []
    /// Octets behind the body's end.
    var rest = 0
}

enum BodyOutcome: Equatable {
    case incomplete
    case refused(ChunkedRefusal)
    case complete(ReadBody)
}

/// Feeds a chunked body in pieces of the given sizes, then the rest, as a connection would: what was not consumed is
/// kept and given again with what follows it, in fresh memory of the exact size.
func readChunked(_ octets: [UInt8], pieces: [Int], limits: ChunkedLimits = ChunkedLimits()) -> BodyOutcome {
    var decoder = ChunkedDecoder(limits: limits)
    var body = ReadBody()
    var pending: [UInt8] = []
    var at = 0
    var turn = 0
    while true {
        let size = min(turn < pieces.count ? pieces[turn] : octets.count, octets.count - at)
        turn += 1
        pending += octets[at..<(at + size)]
        at += size
        feeding: while true {
            let memory = pending
            let step = memory.withView { view in
                let step = decoder.next(view)
                if case .data(let range) = step { body.content += view[range].array }
                if case .end(let section) = step {
                    for i in 0..<decoder.trailers.count {
                        let line = decoder.trailers[i]
                        let text = view[section]
                        body.trailers.append("\(line.name(in: text).string)=\(line.value(in: text).string)")
                    }
                }
                return step
            }
            pending.removeFirst(step.consumed)
            switch step {
            case .data: continue
            case .needMore: break feeding
            case .end:
                body.rest = pending.count + octets.count - at
                return .complete(body)
            case .refused(let refusal): return .refused(refusal)
            }
        }
        if at == octets.count, turn > pieces.count { return .incomplete }
    }
}

private struct Case: CustomStringConvertible, Sendable {
    let text: String
    let outcome: Outcome
    enum Outcome: Sendable {
        case content(String)
        case refused(ChunkedRefusal)
        case incomplete
    }
    var description: String { text.debugDescription.prefix(60) + "" }
    var octets: [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    init(_ text: String, _ content: String) { (self.text, outcome) = (text, .content(content)) }
    init(_ text: String, refused: ChunkedRefusal) { (self.text, outcome) = (text, .refused(refused)) }
    init(incomplete text: String) { (self.text, outcome) = (text, .incomplete) }
}

private let longExtension = String(repeating: "e", count: 1000)

private let cases: [Case] = [
    // RFC 9112, section 7.1.
    Case("0\r\n\r\n", ""),
    Case("3\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
    Case("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    Case("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    Case("0000003\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("000000000000003\r\nabc\r\n00000\r\n\r\n", "abc"),
    Case("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    Case("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
    Case("0\r\n\r\nGET / HTTP/1.1\r\n", ""),
    // Extensions, section 7.1.1.
    Case("3;a\r\nabc\r\n0;z\r\n\r\n", "abc"),
    Case("3;a=b\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3;a=b;c;d=\"e\"\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3;a=\"x;y\\\"z\\\\\t\"\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3; a = b\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3;a=\"\"\r\nabc\r\n0\r\n\r\n", "abc"),
    Case("3;a=\"\u{E9}\"\r\nabc\r\n0\r\n\r\n", "abc"),
    // Trailers, section 7.1.2.
    Case("0\r\nX-Sum: 1\r\n\r\n", "|X-Sum=1"),
    Case("1\r\na\r\n0\r\nX: 1\r\nY:\t2 \r\n\r\n", "a|X=1|Y=2"),
    Case("0\r\nContent-Length: 5\r\nX: 1\r\n\r\n", "|X=1"),
    Case("0\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: x\r\nSet-Cookie: y\r\n\r\n", ""),
    Case(
        "0\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\nCache-Control: no-store\r\nETag: \"1\"\r\n\r\n",
        "|ETag=\"1\""),
    Case("0\r\ngrpc-status: 0\r\ngrpc-message:\r\n\r\n", "|grpc-status=0|grpc-message="),
    // More to come.
    Case(incomplete: ""),
    Case(incomplete: "3"),
    Case(incomplete: "3\r"),
    Case(incomplete: "3\r\nab"),
    Case(incomplete: "3\r\nabc\r\n0\r\n"),
    Case(incomplete: "0\r\n\r"),
    Case(incomplete: "0\r\nX: 1\r\n"),
    Case(incomplete: "3;a=\"b"),
    // Sizes.
    Case("\r\n", refused: .missingSize),
    Case("\n", refused: .bareLineFeed),
    Case(";a\r\n", refused: .missingSize),
    Case(" 3\r\nabc", refused: .missingSize),
    Case("\t3\r\nabc", refused: .missingSize),
    Case("+3\r\nabc", refused: .missingSize),
    Case("-3\r\nabc", refused: .missingSize),
    Case("x3\r\nabc", refused: .missingSize),
    Case("\03\r\nabc", refused: .missingSize),
    Case("0x3\r\nabc", refused: .illegalSize),
    Case("3h\r\nabc", refused: .illegalSize),
    Case("3_0\r\nabc", refused: .illegalSize),
    Case("3 \r\nabc", refused: .illegalSize),
    Case("3\t\r\nabc", refused: .illegalSize),
    Case("3 ;a\r\nabc", refused: .illegalSize),
    Case("3,3\r\nabc", refused: .illegalSize),
    Case("3.0\r\nabc", refused: .illegalSize),
    Case("3\0\r\nabc", refused: .illegalSize),
    Case("3\u{B3}\r\nabc", refused: .illegalSize),
    Case("0000000000000003\r\nabc", refused: .sizeTooLong),
    Case("ffffffffffffffff\r\nabc", refused: .sizeTooLong),
    Case("10000000000000000\r\nabc", refused: .sizeTooLong),
    Case("3\nabc\r\n0\r\n\r\n", refused: .bareLineFeed),
    Case("3\rabc\r\n0\r\n\r\n", refused: .bareCarriageReturn),
    Case("3\r\r\nabc", refused: .bareCarriageReturn),
    // Data.
    Case("3\r\nabcd\r\n0\r\n\r\n", refused: .missingCRLFAfterData),
    Case("3\r\nabc\n0\r\n\r\n", refused: .missingCRLFAfterData),
    Case("3\r\nabc\rx", refused: .missingCRLFAfterData),
    Case("3\r\nabc0\r\n\r\n", refused: .missingCRLFAfterData),
    Case("3\r\nab\r\n0\r\n\r\n", refused: .missingCRLFAfterData),
    // Extensions.
    Case("3;\r\nabc", refused: .illegalExtension),
    Case("3;;a\r\nabc", refused: .illegalExtension),
    Case("3;a \r\nabc", refused: .illegalExtension),
    Case("3;a=\r\nabc", refused: .illegalExtension),
    Case("3;=b\r\nabc", refused: .illegalExtension),
    Case("3;a=b c\r\nabc", refused: .illegalExtension),
    Case("3;a=\"b\"c\r\nabc", refused: .illegalExtension),
    Case("3;a=\"b\r\nabc", refused: .illegalExtension),
    Case("3;a\0\r\nabc", refused: .illegalExtension),
    Case("3;a=\"\u{7F}\"\r\nabc", refused: .illegalExtension),
    Case("3;a\u{E9}\r\nabc", refused: .illegalExtension),
    Case("3;a\nabc", refused: .bareLineFeed),
    Case("3;a=\"\n\"\r\nabc", refused: .bareLineFeed),
    Case("3;a\rb\r\nabc", refused: .bareCarriageReturn),
    Case("3;a=" + String(repeating: "e", count: 4096) + "\r\n", refused: .sizeLineTooLong),
    Case(String(repeating: "1;a=\(longExtension)\r\nx\r\n", count: 30), refused: .tooMuchOverhead),
    // Trailers.
    Case("0\r\nX : 1\r\n\r\n", refused: .illegalTrailer(.blankBeforeColon)),
    Case("0\r\n X: 1\r\n\r\n", refused: .illegalTrailer(.foldedLine)),
    Case("0\r\nX: 1\r\n 2\r\n\r\n", refused: .illegalTrailer(.foldedLine)),
    Case("0\r\n: 1\r\n\r\n", refused: .illegalTrailer(.emptyFieldName)),
    Case("0\r\nX: \01\r\n\r\n", refused: .illegalTrailer(.illegalFieldValue)),
    Case("0\r\nX: 1\n\r\n", refused: .illegalTrailer(.bareLineFeed)),
    Case("0\r\n\n", refused: .illegalTrailer(.bareLineFeed)),
    Case("0\r\n\rX", refused: .illegalTrailer(.bareCarriageReturn)),
    Case("0\r\nX\r\n\r\n", refused: .illegalTrailer(.illegalFieldName)),
    Case("0\r\nX: " + String(repeating: "b", count: 9000) + "\r\n\r\n", refused: .trailersTooLarge),
    Case("0\r\n" + String(repeating: "Host: b\r\n", count: 101) + "\r\n", refused: .tooManyTrailers),
]

@Suite("RFC 9112, section 7.1") struct ChunkedDecoderTests {
    @Test(arguments: cases) fileprivate func outcome(_ one: Case) {
        let outcome = readChunked(one.octets, pieces: [])
        switch one.outcome {
        case .refused(let refusal): #expect(outcome == .refused(refusal))
        case .incomplete: #expect(outcome == .incomplete)
        case .content(let expected):
            guard case .complete(let body) = outcome else {
                Issue.record("not complete: \(outcome)")
                return
            }
            #expect((body.content.withView(\.string) + body.trailers.map { "|" + $0 }.joined()) == expected)
        }
    }

    @Test(arguments: 1...8) func pieces(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for one in cases {
            // An offence in a trailer may be told only when the line's LF is there.
            let octets = one.octets + [ASCII.lf]
            let pieces = (0..<8).map { _ in Int.random(in: 0...5, using: &random) }
            #expect(
                readChunked(octets, pieces: pieces) == readChunked(octets, pieces: []),
                "\(one), seed \(seed), pieces \(pieces)")
        }
    }

    @Test func octetByOctet() {
        for one in cases where one.octets.count < 500 {
            let octets = one.octets + [ASCII.lf]
            let pieces = octets.map { _ in 1 }
            #expect(readChunked(octets, pieces: pieces) == readChunked(octets, pieces: []), "\(one)")
        }
    }

    @Test func whatFollowsIsLeft() {
        guard case .complete(let body) = readChunked(Array("0\r\n\r\nGET".utf8), pieces: []) else {
            Issue.record("not complete")
            return
        }
        #expect(body.rest == 3)
    }

    /// Small chunks are no offence as long as their framing is in proportion.
    @Test func manySmallChunks() {
        let octets = Array((String(repeating: "1\r\nx\r\n", count: 20_000) + "0\r\n\r\n").utf8)
        guard case .complete(let body) = readChunked(octets, pieces: []) else {
            Issue.record("not complete")
            return
        }
        #expect(body.content.count == 20_000)
    }
}
