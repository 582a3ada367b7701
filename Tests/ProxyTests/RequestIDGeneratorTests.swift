import Core
import Testing

@testable import Proxy

@Suite struct RequestIDGeneratorTests {
    /// The digits of the two words, version and variant put in as RFC 9562, section 5.4, says.
    private func plainly(_ seed: UInt64) -> String {
        var random = SeededRandom(seed: seed)
        let high = random.next() & ~0xF000 | 0x4000
        let low = random.next() & ~(3 << 62) | 2 << 62
        func digits(_ word: UInt64) -> [Character] {
            (0..<16).map { Array("0123456789abcdef")[Int(word >> UInt64(60 - 4 * $0) & 15)] }
        }
        let all = digits(high) + digits(low)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(all[$0]) }.joined(separator: "-")
    }

    @Test(arguments: UInt64(0)..<200)
    func writesVersion4(seed: UInt64) {
        var generator = RequestIDGenerator(seed: seed)
        var buffer = ByteBuffer()
        buffer.append("x")
        generator.write(to: &buffer)
        #expect(buffer.view.string == "x" + plainly(seed))
    }
}
