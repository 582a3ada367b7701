import Core
import Testing

@testable import HTTP

@Suite("gRPC-Web") struct GRPCWebTests {
    static func octets(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// Gives `octets` in pieces of chance.
    static func inPieces(_ octets: [UInt8], _ random: inout SeededRandom, _ take: (ByteView) -> Void) {
        var at = 0
        while at < octets.count {
            let count = min(octets.count - at, Int.random(in: 1...9, using: &random))
            Array(octets[at..<(at + count)]).withView { take($0) }
            at += count
        }
    }

    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var decoder = Base64Decoder()
        var out = ByteBuffer()
        guard text.withView({ decoder.decode($0, to: &out) }), decoder.isAtBoundary else { return nil }
        return out.view.array
    }

    // MARK: base64

    /// RFC 4648, section 10, and encodings one behind the other.
    @Test(
        arguments: [
            ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"), ("Zg==Zg==", "ff"), ("Zm8=Zm9v", "fofoo"), ("Zg==Zm8=Zm9vZg==", "ffofoof"),
        ] as [(String, String)])
    func texts(text: String, means: String) {
        #expect(Self.decode(Array(text.utf8)) == Array(means.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zm8", "=", "====", "Z===", "Zg=a", "Zg===", "Zm8==", "Zm9v=", "Zm 9v", "Zm9v\n", "Zm9-",
        "Zm9_",
        "Zh==", "Zm9=", "\u{0}AAA", "Zg==Z",
    ])
    func whatIsNone(text: String) { #expect(Self.decode(Array(text.utf8)) == nil) }

    @Test(arguments: Array(UInt64(1)...40)) func anyCutsMeanTheSame(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var content: [UInt8] = []
        var text = ByteBuffer()
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let part = Self.octets(Int.random(in: 0...40, using: &random), &random)
            content += part
            var encoder = Base64Encoder()
            Self.inPieces(part, &random) { encoder.encode($0, to: &text) }
            encoder.finish(to: &text)
        }
        var decoder = Base64Decoder()
        var out = ByteBuffer()
        var isGood = true
        Self.inPieces(text.view.array, &random) { isGood = decoder.decode($0, to: &out) && isGood }
        #expect(isGood && decoder.isAtBoundary, "seed \(seed)")
        #expect(out.view.array == content, "seed \(seed)")
    }

    @Test func nothingTrapsTheDecoder() {
        var random = SeededRandom(seed: 3)
        let alphabet = Array("AZaz09+/==- ".utf8)
        var refused = 0
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            var decoder = Base64Decoder()
            var out = ByteBuffer()
            Self.inPieces(text, &random) { if !decoder.decode($0, to: &out) { refused += 1 } }
            #expect(out.count <= text.count)
        }
        #expect(refused > 100)
    }

    // MARK: content types

    struct Types: Sendable {
        var type: String
        var accept = ""
        /// Nil: none of gRPC-Web.
        var isText: Bool?
        var answersText = false
        var request = ""
        var response = ""
    }

    static let types: [Types] = [
        Types(
            type: "application/grpc-web", isText: false, request: "application/grpc",
            response: "application/grpc-web+proto"),
        Types(
            type: "application/grpc-web+proto", isText: false, request: "application/grpc+proto",
            response: "application/grpc-web+proto"),
        Types(
            type: "Application/gRPC-Web-Text", isText: true, answersText: true, request: "application/grpc",
            response: "application/grpc-web-text+proto"),
        Types(
            type: "application/grpc-web-text+proto", accept: "application/grpc-web-text", isText: true,
            answersText: true, request: "application/grpc+proto", response: "application/grpc-web-text+proto"),
        Types(
            type: "application/grpc-web+json", accept: "text/html, application/grpc-web-text;q=1", isText: false,
            answersText: true, request: "application/grpc+json", response: "application/grpc-web-text+proto"),
        Types(
            type: "application/grpc-web-text", accept: "application/grpc-web+proto", isText: true,
            request: "application/grpc", response: "application/grpc-web+proto"),
        Types(
            type: "application/grpc-web;charset=x", accept: "*/*", isText: false, request: "application/grpc;charset=x",
            response: "application/grpc-web+proto"),
        Types(type: "application/grpc"), Types(type: "application/grpc-webtext"), Types(type: "application/grpc-web-"),
        Types(type: "application/grpc-web-texts"), Types(type: "application/grpc+web"), Types(type: "text/plain"),
    ]

    @Test(arguments: types) func contentTypes(_ row: Types) {
        var buffer = ByteBuffer()
        buffer.append(
            string: "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: \(row.type)\r\nAccept: \(row.accept)\r\n\r\n")
        var parser = RequestHeadParser()
        var head = RequestHead()
        guard case .complete = parser.parse(buffer.view, into: &head, limits: .request) else {
            Issue.record("refused")
            return
        }
        let web = GRPCWeb(head.fields, buffer.view)
        #expect(web?.isTextRequest == row.isText)
        guard let web else { return }
        #expect(web.isTextResponse == row.answersText)
        var out = ByteBuffer()
        row.type.withView { GRPCWeb.writeRequestType($0, to: &out) }
        "application/grpc".withView { web.writeResponseType($0, to: &out) }
        #expect(out.view.string == "Content-Type: \(row.request)\r\nContent-Type: \(row.response)\r\n")
    }

    @Test func theFormatOfAResponseStays() {
        var head = RequestHead()
        var parser = RequestHeadParser()
        var buffer = ByteBuffer()
        buffer.append(string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\n\r\n")
        _ = parser.parse(buffer.view, into: &head, limits: .request)
        let web = GRPCWeb(head.fields, buffer.view)
        for (value, type) in [
            ("application/grpc+json", "application/grpc-web+json"),
            ("Application/GRPC; a=b", "application/grpc-web+proto; a=b"),
        ] {
            var out = ByteBuffer()
            value.withView { web?.writeResponseType($0, to: &out) }
            #expect(out.view.string == "Content-Type: \(type)\r\n")
        }
    }

    // MARK: responses

    static let trailers = "Grpc-Status: 0\r\ngrpc-message: All: Fine\r\nX-Trailer: A\r\n"
    static let trailersFrame = "grpc-status: 0\r\ngrpc-message: All: Fine\r\nx-trailer: A\r\n"

    @Test(arguments: Array(UInt64(1)...40), [true, false]) func bodies(_ seed: UInt64, isText: Bool) {
        var random = SeededRandom(seed: seed)
        var frames: [UInt8] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let message = Self.octets(Int.random(in: 0...300, using: &random), &random)
            frames += [
                UInt8.random(in: 0...1, using: &random), 0, 0, UInt8(message.count >> 8), UInt8(message.count & 255),
            ]
            frames += message
        }
        var body = GRPCWebResponseBody(isText: isText)
        var out = ByteBuffer()
        Self.inPieces(frames, &random) { body.take($0, to: &out) }
        let text = out.view.array
        // What has come is whole frames: nothing of them is held back.
        #expect((isText ? Self.decode(text) : text) == frames, "seed \(seed)")
        Self.trailers.withView { body.end(trailers: $0, to: &out) }
        let all = out.view.array
        let expected = frames + [0x80, 0, 0, 0, UInt8(Self.trailersFrame.utf8.count)] + Array(Self.trailersFrame.utf8)
        #expect((isText ? Self.decode(all) : all) == expected, "seed \(seed)")
    }

    /// A message of half a gigabyte is counted, not kept.
    @Test func aLongFrameIsNotHeld() {
        var body = GRPCWebResponseBody(isText: true)
        var out = ByteBuffer()
        ([0, 0x20, 0, 0, 0] as [UInt8]).withView { body.take($0, to: &out) }
        for _ in 0..<100 { [UInt8](repeating: 1, count: 1_000).withView { body.take($0, to: &out) } }
        #expect(out.count >= (5 + 100_000 - 2) / 3 * 4)
        body.end(trailers: .empty, to: &out)
        #expect(Self.decode(out.view.array)?.count == 100_005)
    }

    @Test func theAnswerSaysTheForm() {
        var head = RequestHead()
        var parser = RequestHeadParser()
        var buffer = ByteBuffer()
        buffer.append(string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\n\r\n")
        _ = parser.parse(buffer.view, into: &head, limits: .request)
        var out = ByteBuffer()
        var date = HTTPDate()
        "vary: Origin\r\n".withView {
            GRPCStatus.unavailable.writeAnswer(
                ByteView("no endpoint"), in: GRPCWeb(head.fields, buffer.view), fields: $0, date: &date, unixSeconds: 0,
                to: &out)
        }
        #expect(
            out.view.string.hasSuffix(
                "\r\ncontent-type: application/grpc-web-text+proto\r\ncontent-length: 0\r\nvary: Origin\r\n"
                    + "grpc-status: 14\r\ngrpc-message: no endpoint\r\n\r\n"))
    }
}
