import HTTP
import Testing

@Suite("RFC 9113, sections 3, 4 and 6: preface and frames")
struct HTTP2FramingTests {
    @Test(arguments: Self.preface) func prefaceJudged(_ one: FrameCase) { one.check(opening: false) }
    @Test(arguments: Self.format) func formatJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.data) func dataJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.headers) func headersJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.priorityAndReset) func priorityAndResetJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.settings) func settingsJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.pushPingGoAway) func pushPingGoAwayJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.windows) func windowsJudged(_ one: FrameCase) { one.check() }
    @Test(arguments: Self.continuation) func continuationJudged(_ one: FrameCase) { one.check() }

    typealias F = Frame
    static let open = F.headers(1, F.post(), end: false)
    static let big = String(repeating: "x", count: 16384)

    static let preface = [
        FrameCase("3.4", "preface and empty settings", F.preface, F.settings(), is: .accepted),
        FrameCase(
            "3.4", "a wrong preface", Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), is: .connection(.protocolError)),
        FrameCase(
            "3.4", "a preface wrong in its last octet", Array(F.preface.dropLast()) + [0],
            is: .connection(.protocolError)),
        FrameCase("3.4", "no settings behind the preface", F.preface, F.ping(), is: .connection(.protocolError)),
        FrameCase(
            "3.4", "a request before the settings", F.preface, F.headers(1, F.get()), is: .connection(.protocolError)),
        FrameCase(
            "3.4", "an acknowledgement first", F.preface, F.settingsAcknowledged, is: .connection(.protocolError)),
        FrameCase(
            "3.4", "a request at once behind the settings", F.preface, F.settings(), F.headers(1, F.get()),
            is: .accepted),
        FrameCase("3.4", "half a preface", Array(F.preface.prefix(10)), is: .accepted),
    ]

    static let format = [
        FrameCase(
            "4.1", "an unknown frame", F.raw(0x16, flags: 255, stream: 0, [1, 2, 3]), F.headers(1, F.get()),
            is: .accepted),
        FrameCase(
            "4.1", "an unknown frame on a stream", open, F.raw(0xF0, stream: 1, [9]), F.data(1, "x", end: true),
            is: .accepted),
        FrameCase("4.1", "unknown flags of PING", F.raw(6, flags: 0xFE & ~1, [0, 0, 0, 0, 0, 0, 0, 0]), is: .accepted),
        FrameCase(
            "4.1", "the reserved bit of a stream number", F.raw(6, stream: 0x8000_0000, [0, 0, 0, 0, 0, 0, 0, 0]),
            is: .accepted),
        FrameCase("4.2", "DATA of 2^14 octets", open, F.data(1, big), is: .accepted),
        FrameCase("4.2", "DATA of 2^14 + 1 octets", open, F.data(1, big + "x"), is: .connection(.frameSizeError)),
        FrameCase(
            "4.2", "HEADERS of more than 2^14 octets",
            F.raw(1, flags: 4, stream: 1, [UInt8](repeating: 0, count: 16385)), is: .connection(.frameSizeError)),
        FrameCase(
            "4.2", "an unknown frame of more than 2^14 octets", F.raw(0x20, [UInt8](repeating: 0, count: 16385)),
            is: .connection(.frameSizeError)),
        FrameCase("4.3", "a block that does not decode", F.headers(1, [0x40]), is: .connection(.compressionError)),
        FrameCase(
            "4.3", "a frame between HEADERS and CONTINUATION", F.headers(1, F.get(), last: false), F.priority(1),
            is: .connection(.protocolError)),
        FrameCase(
            "4.3", "another stream between HEADERS and CONTINUATION", F.headers(1, F.get(), last: false),
            F.headers(3, F.get()), is: .connection(.protocolError)),
        FrameCase(
            "4.3", "an unknown frame between HEADERS and CONTINUATION", F.headers(1, F.get(), last: false), F.raw(0x33),
            is: .connection(.protocolError)),
    ]

    static let data = [
        FrameCase("6.1", "content and its end", open, F.data(1, "abc"), F.data(1, "def", end: true), is: .accepted),
        FrameCase("6.1", "DATA on stream 0", F.data(0, "x"), is: .connection(.protocolError)),
        FrameCase("6.1", "DATA on an idle stream", F.data(1, "x"), is: .connection(.protocolError)),
        FrameCase(
            "6.1", "DATA behind END_STREAM of HEADERS", F.headers(1, F.get()), F.data(1, "x"),
            is: .connection(.streamClosed)),
        FrameCase(
            "6.1", "DATA behind END_STREAM of DATA", open, F.data(1, end: true), F.data(1, "x"),
            is: .connection(.streamClosed)),
        FrameCase("6.1", "padded content", open, F.raw(0, flags: 9, stream: 1, [2, 120, 0, 0]), is: .accepted),
        FrameCase("6.1", "nothing but padding", open, F.raw(0, flags: 9, stream: 1, [3, 0, 0, 0]), is: .accepted),
        FrameCase(
            "6.1", "as much padding as payload", open, F.raw(0, flags: 9, stream: 1, [4, 0, 0, 0]),
            is: .connection(.protocolError)),
        FrameCase(
            "6.1", "more padding than payload", open, F.raw(0, flags: 9, stream: 1, [200, 120]),
            is: .connection(.protocolError)),
        FrameCase(
            "6.1", "a padded frame without its length", open, F.raw(0, flags: 9, stream: 1),
            is: .connection(.protocolError)),
        FrameCase("6.1", "empty DATA that ends", open, F.data(1, end: true), is: .accepted),
    ]

    static let headers = [
        FrameCase("6.2", "a request", F.headers(1, F.get()), is: .accepted),
        FrameCase("6.2", "HEADERS on stream 0", F.headers(0, F.get()), is: .connection(.protocolError)),
        FrameCase("6.2", "padded", F.raw(1, flags: 13, stream: 1, [2] + F.get() + [0, 0]), is: .accepted),
        FrameCase(
            "6.2", "more padding than payload", F.raw(1, flags: 13, stream: 1, [250] + F.get()),
            is: .connection(.protocolError)),
        FrameCase("6.2", "padded without a length", F.raw(1, flags: 13, stream: 1), is: .connection(.protocolError)),
        FrameCase("6.2", "with priority", F.raw(1, flags: 37, stream: 1, [0, 0, 0, 0, 15] + F.get()), is: .accepted),
        FrameCase(
            "6.2", "with too little priority", F.raw(1, flags: 37, stream: 1, [0, 0, 0]),
            is: .connection(.frameSizeError)),
        FrameCase(
            "6.2", "padded, with priority", F.raw(1, flags: 45, stream: 1, [1, 0, 0, 0, 0, 15] + F.get() + [0]),
            is: .accepted),
        FrameCase("5.1.1", "an even stream", F.headers(2, F.get()), is: .connection(.protocolError)),
    ]

    static let priorityAndReset = [
        FrameCase("6.3", "PRIORITY", F.headers(1, F.get()), F.priority(1), is: .accepted),
        FrameCase("6.3", "PRIORITY of an idle stream", F.priority(9), F.headers(9, F.get()), is: .accepted),
        FrameCase("6.3", "PRIORITY on stream 0", F.priority(0), is: .connection(.protocolError)),
        FrameCase(
            "6.3", "PRIORITY of four octets", F.headers(1, F.get()), F.raw(2, stream: 1, [0, 0, 0, 0]),
            is: .connection(.frameSizeError)),
        FrameCase("6.4", "RST_STREAM", F.headers(1, F.get()), F.reset(1), is: .accepted),
        FrameCase("6.4", "RST_STREAM with an unknown code", F.headers(1, F.get()), F.reset(1, 0xFFFF), is: .accepted),
        FrameCase("6.4", "RST_STREAM on stream 0", F.reset(0), is: .connection(.protocolError)),
        FrameCase("6.4", "RST_STREAM on an idle stream", F.reset(1), is: .connection(.protocolError)),
        FrameCase(
            "6.4", "RST_STREAM of three octets", F.headers(1, F.get()), F.raw(3, stream: 1, [0, 0, 0]),
            is: .connection(.frameSizeError)),
        FrameCase("6.4", "RST_STREAM twice", F.headers(1, F.get()), F.reset(1), F.reset(1), is: .accepted),
        FrameCase("5.1", "DATA behind the peer's own RST_STREAM", open, F.reset(1), F.data(1, "x"), is: .accepted),
    ]

    static let settings = [
        FrameCase("6.5", "an unknown setting", F.settings([(0xAAAA, 7)]), is: .accepted),
        FrameCase("6.5", "an acknowledgement with payload", F.raw(4, flags: 1, [0]), is: .connection(.frameSizeError)),
        FrameCase("6.5.3", "an acknowledgement of nothing", F.settingsAcknowledged, is: .connection(.protocolError)),
        FrameCase("6.5", "SETTINGS on a stream", F.raw(4, stream: 1), is: .connection(.protocolError)),
        FrameCase("6.5", "five octets", F.raw(4, [0, 0, 0, 0, 0]), is: .connection(.frameSizeError)),
        FrameCase("6.5.2", "ENABLE_PUSH 2", F.settings([(2, 2)]), is: .connection(.protocolError)),
        FrameCase("6.5.2", "ENABLE_PUSH 0", F.settings([(2, 0)]), is: .accepted),
        FrameCase(
            "6.5.2", "INITIAL_WINDOW_SIZE of 2^31", F.settings([(4, 1 << 31)]), is: .connection(.flowControlError)),
        FrameCase("6.5.2", "INITIAL_WINDOW_SIZE of 2^31 - 1", F.settings([(4, (1 << 31) - 1)]), is: .accepted),
        FrameCase("6.5.2", "MAX_FRAME_SIZE below 2^14", F.settings([(5, 16383)]), is: .connection(.protocolError)),
        FrameCase(
            "6.5.2", "MAX_FRAME_SIZE above 2^24 - 1", F.settings([(5, 1 << 24)]), is: .connection(.protocolError)),
        FrameCase("6.5.2", "MAX_FRAME_SIZE of 2^24 - 1", F.settings([(5, (1 << 24) - 1)]), is: .accepted),
        FrameCase("6.5.2", "HEADER_TABLE_SIZE 0", F.settings([(1, 0)]), F.headers(1, F.get()), is: .accepted),
        FrameCase("6.5.3", "the same setting twice", F.settings([(4, 100), (4, 200)]), is: .accepted),
        FrameCase("RFC 8441, 3", "ENABLE_CONNECT_PROTOCOL 2", F.settings([(8, 2)]), is: .connection(.protocolError)),
        FrameCase("RFC 9218, 2.1", "NO_RFC7540_PRIORITIES 2", F.settings([(9, 2)]), is: .connection(.protocolError)),
    ]

    static let pushPingGoAway = [
        FrameCase(
            "6.6", "PUSH_PROMISE from a client", F.headers(1, F.get()),
            F.raw(5, flags: 4, stream: 1, F.word(2) + F.get()), is: .connection(.protocolError)),
        FrameCase("6.7", "PING", F.ping(), is: .accepted),
        FrameCase(
            "6.7", "PING on a stream", F.raw(6, stream: 1, [0, 0, 0, 0, 0, 0, 0, 0]), is: .connection(.protocolError)),
        FrameCase("6.7", "PING of seven octets", F.raw(6, [0, 0, 0, 0, 0, 0, 0]), is: .connection(.frameSizeError)),
        FrameCase("6.7", "an answer nobody asked for", F.raw(6, flags: 1, [0, 0, 0, 0, 0, 0, 0, 0]), is: .accepted),
        FrameCase("6.8", "GOAWAY", F.goAway(0), is: .accepted),
        FrameCase(
            "6.8", "GOAWAY, then the rest of a request", open, F.goAway(0), F.data(1, "x", end: true), is: .accepted),
        FrameCase(
            "6.8", "GOAWAY on a stream", F.raw(7, stream: 1, F.word(0) + F.word(0)), is: .connection(.protocolError)),
        FrameCase("6.8", "GOAWAY of seven octets", F.raw(7, [0, 0, 0, 0, 0, 0, 0]), is: .connection(.frameSizeError)),
        FrameCase(
            "6.8", "GOAWAY with words of debugging", F.raw(7, F.word(0) + F.word(0) + Array("bye".utf8)), is: .accepted),
    ]

    static let windows = [
        FrameCase("6.9", "WINDOW_UPDATE of the connection", F.window(0, 100), is: .accepted),
        FrameCase("6.9", "WINDOW_UPDATE of a stream", open, F.window(1, 100), is: .accepted),
        FrameCase("6.9", "an increment of 0 on the connection", F.window(0, 0), is: .connection(.protocolError)),
        FrameCase("6.9", "an increment of 0 on a stream", open, F.window(1, 0), is: .connection(.protocolError)),
        FrameCase("6.9", "three octets", F.raw(8, [0, 0, 1]), is: .connection(.frameSizeError)),
        FrameCase("6.9", "of an idle stream", F.window(7, 1), is: .connection(.protocolError)),
        FrameCase(
            "6.9.1", "the connection's window past 2^31 - 1", F.window(0, (1 << 31) - 1),
            is: .connection(.flowControlError)),
        FrameCase(
            "6.9.1", "a stream's window past 2^31 - 1", open, F.window(1, (1 << 31) - 1), is: .stream(.flowControlError)
        ),
        FrameCase(
            "6.9.2", "settings that take a stream's window past 2^31 - 1", open, F.window(1, 70000),
            F.settings([(4, (1 << 31) - 1)]), is: .stream(.flowControlError)),
        FrameCase("6.9.1", "on a closed stream", F.headers(1, F.get()), F.reset(1), F.window(1, 5), is: .accepted),
    ]

    static let continuation: [FrameCase] = {
        let block = F.get("/", [("a", "b")])
        let half = block.count / 2
        let first = Array(block[..<half])
        let rest = Array(block[half...])
        return [
            FrameCase(
                "6.10", "a head in two pieces", F.headers(1, first, last: false), F.continuation(1, rest), is: .accepted
            ),
            FrameCase(
                "6.10", "a head in three", F.headers(1, first, last: false), F.continuation(1, [], last: false),
                F.continuation(1, rest), is: .accepted),
            FrameCase(
                "6.10", "on another stream", F.headers(1, first, last: false), F.continuation(3, rest),
                is: .connection(.protocolError)),
            FrameCase(
                "6.10", "on stream 0", F.headers(1, first, last: false), F.continuation(0, rest),
                is: .connection(.protocolError)),
            FrameCase("6.10", "out of nowhere", F.continuation(1, rest), is: .connection(.protocolError)),
            FrameCase(
                "6.10", "behind END_HEADERS", F.headers(1, block), F.continuation(1, rest),
                is: .connection(.protocolError)),
            FrameCase(
                "6.10", "behind DATA", open, F.data(1, "x"), F.continuation(1, rest), is: .connection(.protocolError)),
            FrameCase(
                "6.10", "eight pieces", F.headers(1, first, last: false),
                Array(repeating: F.continuation(1, [], last: false), count: 7).flatMap { $0 }, F.continuation(1, rest),
                is: .accepted),
            FrameCase(
                "10.5.1", "nine pieces", F.headers(1, first, last: false),
                Array(repeating: F.continuation(1, [], last: false), count: 8).flatMap { $0 }, F.continuation(1, rest),
                is: .connection(.enhanceYourCalm)),
        ]
    }()
}
