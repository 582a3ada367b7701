import Core
import Testing
import Upstream

@Suite("sessionPersistence: the token") struct SessionTokenTests {
    private let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)

    @Test(
        "The test vectors of SipHash's authors",
        arguments: [
            (0, 0x726F_DB47_DD0E_0E31), (1, 0x74F8_39C5_93DC_67FD), (8, 0x93F5_F579_9A93_2462),
            (15, 0xA129_CA61_49BE_45E5),
        ] as [(Int, UInt64)])
    func sipHash(length: Int, expected: UInt64) {
        let octets = (0..<length).map { UInt8($0) }
        #expect(octets.withView { SipHash.of($0, key: key) } == expected)
    }

    @Test func aWordIsEightOctets() {
        var words = SipHash(key)
        words.add(word: UInt64(0x0706_0504_0302_0100))
        var octets = SipHash(key)
        for byte in 0..<8 as Range<UInt8> { octets.add(byte) }
        #expect(words.value == octets.value)
        words.add(UInt8(9))
        octets.add(UInt8(9))
        words.add(word: UInt64(77))
        octets.add(word: 77)
        #expect(words.value == octets.value)
    }

    private func written(_ token: SessionToken) -> [UInt8] {
        var out = ByteBuffer()
        token.write(to: &out, key: key)
        return out.view.array
    }

    @Test func whatIsWrittenIsRead() {
        let token = SessionToken(backend: 1 << 63 | 5, endpoint: 77, begun: 1_700_000_000, lastUsed: 1_700_000_100)
        let text = written(token)
        #expect(text.count == SessionToken.length)
        #expect(text.withView { SessionToken($0, key: key) } == token)
        #expect(text.withView { SessionToken($0, key: SipHash.Key(low: 1, high: 2)) } == nil)
    }

    @Test func nothingElseIsRead() {
        let text = written(SessionToken(backend: 3, endpoint: 4, begun: 5, lastUsed: 6))
        for place in text.indices {
            for byte in [0x30, 0x66, 0x46, 0x20, 0x00, 0xFF] as [UInt8] where text[place] != byte {
                var other = text
                other[place] = byte
                #expect(other.withView { SessionToken($0, key: key) } == nil, "\(place): \(byte)")
            }
        }
        for length in 0..<text.count {
            #expect(Array(text.prefix(length)).withView { SessionToken($0, key: key) } == nil)
        }
        #expect((text + [0x30]).withView { SessionToken($0, key: key) } == nil)
    }

    @Test(
        "It ends by age and by rest",
        arguments: [
            (99, 0, 0, false), (UInt32.max, 0, 0, false), (9, 10, 0, false), (10, 10, 0, true), (14, 0, 10, false),
            (15, 0, 10, true), (12, 13, 10, false),
        ] as [(UInt32, UInt32, UInt32, Bool)])
    func itEnds(after: UInt32, absolute: UInt32, idle: UInt32, isOver: Bool) {
        let token = SessionToken(backend: 1, endpoint: 1, begun: 1000, lastUsed: 1005)
        let now = after > UInt32.max - 1000 ? UInt32.max : 1000 + after
        #expect(token.isOver(now: now, absolute: absolute, idle: idle) == isOver)
    }

    @Test func aClockThatWentBackEndsNothing() {
        let token = SessionToken(backend: 1, endpoint: 1, begun: 1000, lastUsed: 1005)
        #expect(!token.isOver(now: 10, absolute: 1, idle: 1))
    }
}
