import Core
import Testing

@testable import Telemetry

@Suite("Access log lines")
struct AccessLineTests {
    private func line(_ format: AccessLogFormat, limit: Int = 8192, _ edit: (inout AccessRecord) -> Void = { _ in })
        -> String
    {
        var record = AccessRecord()
        record.start = 1_795_270_059_123_000_000
        record.duration = .nanoseconds(12_345_678)
        record.upstreamHead = .nanoseconds(1_000)
        record.bodyReceived = 7
        record.bodySent = 1234
        record.method = "GET"
        record.scheme = "http"
        record.host = "shop.example"
        record.path = "/a"
        record.target = "/a?b=c"
        record.status = 200
        record.peer = SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 5555)
        record.route = "default/shop"
        record.rule = "0"
        record.backend = "default/v1:80"
        record.endpoint = SocketAddress(ip: IPAddress(v4: 10, 0, 0, 2), port: 8080)
        record.attempts = 1
        record.requestID = "id-1"
        record.userAgent = "curl/8"
        edit(&record)
        var line = AccessLine(format: format, valueLimit: limit)
        var buffer = ByteBuffer(capacity: line.longestLine)
        let room = buffer.capacity
        line.write(record, to: &buffer)
        #expect(buffer.capacity == room, "the line was longer than the longest")
        return buffer.view.string
    }

    @Test func text() {
        #expect(
            line(.text)
                == #"[2026-11-21T14:07:39.123Z] GET "/a?b=c" HTTP/1.1 200 - 7 1234 12.345 0.001 "-" "curl/8" "id-1" "#
                + #""shop.example" 10.0.0.2:8080 127.0.0.1:5555 http default/shop 0 default/v1:80 1 "-" "/a" "-""#
                + "\n")
    }

    @Test func textWithoutBackend() {
        let text = line(.text) {
            $0.status = 404
            $0.reason = .noRoute
            $0.upstreamHead = .nanoseconds(-1)
            $0.endpoint = nil
            $0.route = .empty
            $0.rule = .empty
            $0.backend = .empty
            $0.attempts = 0
            $0.minorVersion = 0
        }
        #expect(text.contains(#" HTTP/1.0 404 NR 7 1234 12.345 - "#))
        #expect(text.hasSuffix(#" - 127.0.0.1:5555 http - - - 0 "-" "/a" "-""# + "\n"))
    }

    /// A place that is there only where an AUDIT policy has matched.
    @Test func audits() {
        func edit(_ names: ByteView) -> (inout AccessRecord) -> Void {
            {
                $0.detail = "audited"
                $0.audits = names
            }
        }
        #expect(line(.text, edit("shop/a")).hasSuffix(#" "/a" "audited" audit=shop/a"# + "\n"))
        #expect(line(.text, edit("shop/a,shop/b")).hasSuffix(#" "audited" audit="shop/a,shop/b""# + "\n"))
        #expect(line(.text, edit(.empty)).hasSuffix(#" "/a" "audited""# + "\n"))
        #expect(line(.json, edit("shop/a")).hasSuffix(#","x_forwarded_for":null,"audit":"shop/a"}"# + "\n"))
    }

    @Test(arguments: [(1, 0, "HTTP/1.0"), (1, 1, "HTTP/1.1"), (2, 1, "HTTP/2")] as [(UInt8, UInt8, String)])
    func versions(major: UInt8, minor: UInt8, name: String) {
        func edit(_ record: inout AccessRecord) {
            record.majorVersion = major
            record.minorVersion = minor
        }
        #expect(line(.text, edit).contains(#"c" \#(name) 200 "#))
        #expect(line(.json, edit).contains(#","protocol":"\#(name)","#))
    }

    @Test func json() {
        #expect(
            line(.json)
                == #"{"time":"2026-11-21T14:07:39.123Z","method":"GET","scheme":"http","host":"shop.example","#
                + #""target":"/a?b=c","path":"/a","protocol":"HTTP/1.1","status":200,"reason":"-","bytes_received":7,"#
                + #""bytes_sent":1234,"duration_ms":12.345,"upstream_ms":0.001,"peer":"127.0.0.1:5555","#
                + #""route":"default/shop","rule":"0","backend":"default/v1:80","endpoint":"10.0.0.2:8080","#
                + #""attempts":1,"detail":null,"request_id":"id-1","user_agent":"curl/8","referer":null,"x_forwarded_for":null}"#
                + "\n")
    }

    @Test(
        arguments: [
            ([0x61, 0x0A, 0x62], #""a\x0ab""#, #""a\nb""#),
            ([0x22, 0x5C], #""\"\\""#, #""\"\\""#),
            ([0x1B, 0x5B, 0x32, 0x4A], #""\x1b[2J""#, #""\u001b[2J""#),
            ([0x00, 0x7F], #""\x00\x7f""#, #""\u0000\u007f""#),
            ([0xC3, 0xA9], #""\xc3\xa9""#, "\"é\""),
            ([0xFF, 0x61], #""\xffa""#, "\"\u{FFFD}a\""),
            // An overlong slash, a surrogate, a sequence that ends too early: one replacement for each maximal part.
            ([0xC0, 0xAF], #""\xc0\xaf""#, "\"\u{FFFD}\u{FFFD}\""),
            ([0xED, 0xA0, 0x80], #""\xed\xa0\x80""#, "\"\u{FFFD}\u{FFFD}\u{FFFD}\""),
            ([0xF0, 0x9F, 0x98], #""\xf0\x9f\x98""#, "\"\u{FFFD}\""),
            ([0xE2, 0x80, 0xA8, 0xC2, 0x85], #""\xe2\x80\xa8\xc2\x85""#, #""\u2028\u0085""#),
            ([0xF4, 0x90, 0x80, 0x80], #""\xf4\x90\x80\x80""#, "\"\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\""),
        ] as [([UInt8], String, String)])
    func hostileOctets(octets: [UInt8], quoted: String, json: String) {
        octets.withView { value in
            var buffer = ByteBuffer()
            buffer.append(quoted: value, limit: 100)
            #expect(buffer.view.string == quoted)
            buffer.clear()
            buffer.append(json: value, limit: 100)
            #expect(buffer.view.string == json)
            #expect(String(validating: buffer.view.array, as: UTF8.self) != nil)
        }
    }

    @Test func aRouteNameThatIsNoPlainWordIsQuoted() {
        let text = line(.text) { $0.route = "a b\"" }
        #expect(text.contains(#" http "a b\"" 0 "#))
    }

    @Test(arguments: AccessLogFormat.allCases)
    func everyValueAtItsWorst(format: AccessLogFormat) {
        let worst = [UInt8](repeating: 0x01, count: 20_000)
        worst.withView { view in
            for limit in [AccessLog.pipeValueLimit, AccessLog.fileValueLimit] {
                let text = line(format, limit: limit) {
                    $0.method = view
                    $0.scheme = view
                    $0.host = view
                    $0.path = view
                    $0.target = view
                    $0.route = view
                    $0.rule = view
                    $0.backend = view
                    $0.requestID = view
                    $0.userAgent = view
                    $0.referer = view
                    $0.forwardedFor = view
                    $0.detail = view
                    $0.audits = view
                    $0.bodySent = .max
                    $0.bodyReceived = .max
                    $0.duration = .nanoseconds(.max)
                    $0.upstreamHead = .nanoseconds(.max)
                    $0.peer = SocketAddress(ip: IPAddress(high: .max, low: .max), port: 65535)
                    $0.endpoint = $0.peer
                }
                #expect(text.utf8.filter { $0 == 0x0A }.count == 1)
                #expect(text.contains("…"))
                if limit == AccessLog.pipeValueLimit { #expect(text.utf8.count <= LogOutput.pipeAtom) }
            }
        }
    }

    @Test(arguments: [
        ("off", AccessLogOption.off), ("text", .standardOutput(.text)), ("json:-", .standardOutput(.json)),
        ("json:/var/log/a:b", .file(.json, path: "/var/log/a:b")),
    ])
    func option(text: String, option: AccessLogOption) { #expect(AccessLogOption(text) == option) }

    @Test(arguments: ["", "xml", "text:", "OFF", ":/x"])
    func optionRefused(text: String) { #expect(AccessLogOption(text) == nil) }
}

extension ByteView: ExpressibleByStringLiteral {
    public init(stringLiteral value: StaticString) { self.init(value) }
}
