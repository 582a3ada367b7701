import Core
import Testing

@testable import IO

@Suite struct TicketKeyRingTests {
    private static func withRing(_ body: (TicketKeyRing) -> Void) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: TicketKeyRing.size, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: TicketKeyRing.size)
        body(TicketKeyRing(base: memory))
        memory.deallocate()
    }

    private static func keys(_ ring: TicketKeyRing) -> [[UInt8]] {
        var buffer = ByteBuffer()
        ring.copy(to: &buffer)
        let size = TicketKeyRing.keyOctets
        return (0..<buffer.count / size).map { buffer.view[($0 * size)..<(($0 + 1) * size)].array }
    }

    @Test func anEmptyRingHasNoKeysAndIsDue() {
        Self.withRing { ring in
            #expect(Self.keys(ring).isEmpty)
            #expect(ring.dueAt == 0)
        }
    }

    @Test func threeAreKeptTheNewestFirst() {
        Self.withRing { ring in
            var made: [[UInt8]] = []
            for turn in 1...9 {
                ring.rotate(wallNow: Int64(turn))
                let keys = Self.keys(ring)
                #expect(keys.count == min(turn, TicketKeyRing.kept))
                #expect(!made.contains(keys[0]))
                made.insert(keys[0], at: 0)
                #expect(keys == Array(made.prefix(TicketKeyRing.kept)))
                #expect(ring.dueAt == Int64(turn) + TicketKeyRing.lifetime.nanoseconds)
            }
        }
    }
}
