import Connection
import Core
import HTTP
import IO
import Testing

@Suite struct HTTP1ConnectionTests {
    /// A sink that is never quite served: each time a little is taken, and a little comes. What was sent already must not
    /// count, or a slow peer could make us hold its whole body.
    @Test(arguments: [OutgoingFraming.untilClose, .length(remaining: 1 << 40), .chunked])
    func theOutputStaysOneBlockHoweverSlowThePeer(framing: OutgoingFraming) {
        let pair = ConnectedPair()
        pair.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while pair.requests == 0 { pair.turn() }
        pair.connection.outgoing = framing
        let run = [UInt8](repeating: 0x61, count: 3000)
        var taken = 0
        var largest = 0
        for _ in 0..<600 {
            run.withUnsafeBufferPointer {
                taken += pair.connection.write(body: ByteView($0.baseAddress, count: $0.count))
            }
            _ = pair.connection.flush()
            _ = pair.receive(2000)
            pair.turn()
            largest = max(largest, pair.connection.output.capacity)
        }
        #expect(taken > 2 * ConnectionResources.blockSize)
        #expect(largest <= ConnectionResources.blockSize)
    }

    @Test func anIdleConnectionHoldsNoMemory() {
        let pair = ConnectedPair()
        pair.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while pair.requests == 0 { pair.turn() }
        let heldWhileBusy = pair.connection.input.hasMemory
        #expect(heldWhileBusy)
        pair.connection.exchangeEnded()
        pair.turn()
        let holdsWhileIdle = pair.connection.input.hasMemory || pair.connection.output.hasMemory
        #expect(!holdsWhileIdle)
        #expect(pair.connection.request == nil)
    }
}
