import Core
import Testing

@testable import Telemetry

/// Values are copied eight octets at a time where none needs escaping; the plain definition is one octet at a time.
@Suite struct EscapedTextTests {
    private func plainly(_ value: [UInt8], limit: Int) -> String {
        var text = "\""
        var written = 0
        for byte in value {
            let piece: String =
                switch byte {
                case 0x22, 0x5C: "\\" + String(UnicodeScalar(byte))
                case 0x20...0x7E: String(UnicodeScalar(byte))
                default: "\\x" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
                }
            if written + piece.utf8.count > limit { return text + "\u{2026}\"" }
            written += piece.utf8.count
            text += piece
        }
        return text + "\""
    }

    @Test(arguments: 0..<256) func everyOctetAtEveryPlace(octet: Int) {
        for place in 0..<17 {
            var value = [UInt8](repeating: 0x61, count: 17)
            value[place] = UInt8(octet)
            for limit in [0, 3, 16, 17, 100] {
                var buffer = ByteBuffer()
                value.withView { buffer.append(quoted: $0, limit: limit) }
                #expect(buffer.view.string == plainly(value, limit: limit))
            }
        }
    }

    @Test(arguments: UInt64(0)..<50) func randomValues(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            let value = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random) : 0x20 + UInt8(random.next() % 95)
            }
            let limit = Int.random(in: 0...60, using: &random)
            var buffer = ByteBuffer()
            value.withView { buffer.append(quoted: $0, limit: limit) }
            #expect(buffer.view.string == plainly(value, limit: limit))
        }
    }
}
