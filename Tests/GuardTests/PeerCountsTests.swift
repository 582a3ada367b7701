import Core
import Testing

@testable import Guard

/// What bounds a ring of guards: the connections of one other machine.
@Suite struct PeerCountsTests {
    private let peer = IPAddress(v4: 10, 0, 0, 5)
    private let other = IPAddress(v4: 10, 0, 0, 6)

    @Test func aMachineHasSoManyAndNoMoreUntilOneEnds() {
        var counts = PeerCounts()
        for _ in 0..<3 { #expect(counts.take(peer, limit: 3) { _ in false }) }
        #expect(!counts.take(peer, limit: 3) { _ in false })
        #expect(counts.take(other, limit: 3) { _ in false }, "others are not hurt")
        counts.give(peer)
        #expect(counts.take(peer, limit: 3) { _ in false })
        #expect(counts.count(of: peer) == 3 && counts.count(of: other) == 1)
        counts.give(other)
        #expect(counts.count(of: other) == 0)
    }

    @Test func thisMachineMayHaveAnyNumber() {
        var counts = PeerCounts()
        for _ in 0..<10 { #expect(counts.take(peer, limit: 3) { $0 == self.peer }) }
        #expect(counts.count(of: peer) == 10)
    }

    /// Each round of a ring of three comes from the same neighbour: it ends, and with it the whole.
    @Test func aRingEnds() {
        var guards = [PeerCounts(), PeerCounts(), PeerCounts()]
        let addresses = (0..<3).map { IPAddress(v4: 10, 0, 0, UInt8($0)) }
        var rounds = 0
        var at = 0
        var from = IPAddress(v4: 192, 0, 2, 1)
        while guards[at].take(from, limit: 100, isOwn: { _ in false }), rounds < 10_000 {
            rounds += 1
            from = addresses[at]
            at = (at + 1) % 3
        }
        #expect(rounds <= 302)
    }
}
