import Core
import Testing

@testable import Redis

@Suite("Replies of Redis") struct RedisRepliesTests {
    private static let octets = Array(
        ":1\r\n+OK\r\n-NOAUTH Authentication required.\r\n:-7\r\n$5\r\nhello\r\n*2\r\n:3\r\n:4\r\n$-1\r\n:9223372036854775807\r\n"
            .utf8)
    private static var expected: [RedisReplies.Reply] {
        [
            .integer(1), .other, .error("NOAUTH Authentication required."), .integer(-7), .other, .other, .other,
            .integer(.max),
        ]
    }

    @Test("However the octets are cut", arguments: [1, 2, 3, 7, 1000])
    func cuts(size: Int) throws {
        let replies = RedisReplies()
        var found: [RedisReplies.Reply] = []
        var rest = Self.octets[...]
        while !rest.isEmpty {
            Array(rest.prefix(size)).withView { replies.feed($0) }
            rest = rest.dropFirst(size)
            while let reply = try replies.next() { found.append(reply) }
        }
        #expect(found == Self.expected)
    }

    @Test func nonsenseIsAnError() {
        let replies = RedisReplies()
        "HTTP/1.1 400 Bad Request\r\n\r\n".withView { replies.feed($0) }
        #expect(throws: RedisReplies.ProtocolError()) { try replies.next() }
        // And it stays one.
        ":1\r\n".withView { replies.feed($0) }
        #expect(throws: RedisReplies.ProtocolError()) { try replies.next() }
    }
}

@Suite("Commands of Redis") struct RedisCommandTests {
    @Test func countingIsTwoCommands() {
        var out = ByteBuffer()
        "key|\u{1}".withView { RedisCommand.count(12, under: $0, seconds: 3600, to: &out) }
        #expect(
            out.view.string == "*3\r\n$6\r\nINCRBY\r\n$5\r\nkey|\u{1}\r\n$2\r\n12\r\n"
                + "*3\r\n$6\r\nEXPIRE\r\n$5\r\nkey|\u{1}\r\n$4\r\n3600\r\n")
    }

    @Test func greetings() throws {
        var out = ByteBuffer()
        #expect(RedisCommand.greet(RedisAddress(host: "h"), to: &out) == 1)
        #expect(out.view.string == "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
        out.clear()
        #expect(RedisCommand.greet(try RedisAddress("redis://ann:p%40ss@h/2"), to: &out) == 2)
        #expect(
            out.view.string == "*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$4\r\np@ss\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n")
    }
}

@Suite("--rate-limit-redis") struct RedisAddressTests {
    @Test(
        arguments: [
            ("127.0.0.1:6380", "127.0.0.1:6380/0", "", ""), ("redis.example", "redis.example:6379/0", "", ""),
            ("[::1]:7000", "[::1]:7000/0", "", ""), ("redis://h", "h:6379/0", "", ""),
            ("redis://u:p@h:7/3", "h:7/3", "u", "p"), ("redis://:p%3A@[::1]/", "[::1]:6379/0", "", "p:"),
            ("redis://p@h", "h:6379/0", "", "p"),
        ] as [(String, String, String, String)])
    func addresses(text: String, place: String, user: String, password: String) throws {
        let address = try RedisAddress(text)
        #expect(address.description == place)
        #expect(address.user == user)
        #expect(address.password == password)
    }

    @Test(
        arguments: [
            ("rediss://h", .isTLS), ("http://h", .scheme("http")), ("", .host), (":6379", .host), ("h:0", .port("0")),
            ("h:x", .port("x")), ("redis://h/x", .database("x")), ("redis:///", .host), ("h:70000", .port("70000")),
        ] as [(String, RedisAddress.Problem)])
    func refusals(text: String, problem: RedisAddress.Problem) {
        #expect(throws: problem) { try RedisAddress(text) }
    }
}
