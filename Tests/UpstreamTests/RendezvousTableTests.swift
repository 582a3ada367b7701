import Core
import Testing
import Upstream

@Suite("loadBalancer.consistentHash") struct RendezvousTableTests {
    private static let keys: [UInt64] = (1...12).map { HashMix.mix(UInt64($0)) }
    private static let hashes: [UInt64] = (0..<20_000).map { HashMix.mix(UInt64($0) &* 31) }

    @Test(
        "Every hash has an endpoint, always the same, and all get their part", arguments: [11, 1021, 65_537, 5_000_011])
    func balanced(size: UInt32) {
        let table = RendezvousTable(keys: Self.keys, weights: nil, size: size)
        let found = Self.hashes.map { table.first($0) }
        #expect(found == Self.hashes.map { table.first($0) })
        let other = RendezvousTable(keys: Self.keys, weights: nil, size: size)
        #expect(found == Self.hashes.reversed().map { other.first($0) }.reversed(), "in whatever order it is asked")
        guard size > 1000 else { return }
        for each in Self.keys.indices {
            let part = found.count { $0 == each } * Self.keys.count
            #expect(abs(part - Self.hashes.count) < Self.hashes.count / 3, "endpoint \(each): \(part)")
        }
    }

    @Test("An endpoint that goes moves its own requests and no others", arguments: 0..<12)
    func goes(gone: Int) {
        let whole = RendezvousTable(keys: Self.keys, weights: nil, size: 65_537)
        var left = Self.keys
        left.remove(at: gone)
        let rest = RendezvousTable(keys: left, weights: nil, size: 65_537)
        var moved = 0
        for hash in Self.hashes {
            guard let before = whole.first(hash), let after = rest.first(hash) else { continue }
            if before == gone { moved += 1 } else { #expect(Self.keys[before] == left[after]) }
        }
        #expect(moved > 0)
        #expect(moved < Self.hashes.count / 8)
    }

    @Test("One that is not usable moves the same requests as if it had gone, and gets them back")
    func unusable() {
        let whole = RendezvousTable(keys: Self.keys, weights: nil, size: 65_537)
        let rest = RendezvousTable(keys: Array(Self.keys[1...]), weights: nil, size: 65_537)
        for hash in Self.hashes {
            let over = whole.first(hash) { $0 != 0 }
            #expect(over == rest.first(hash).map { $0 + 1 })
        }
        #expect(Self.hashes.contains { whole.first($0) == 0 })
    }

    @Test("One that comes takes its part from the others, and nothing moves between them")
    func comes() {
        let few = RendezvousTable(keys: Array(Self.keys[..<11]), weights: nil, size: 65_537)
        let more = RendezvousTable(keys: Self.keys, weights: nil, size: 65_537)
        var taken = 0
        for hash in Self.hashes {
            let after = more.first(hash)
            if after == 11 { taken += 1 } else { #expect(after == few.first(hash)) }
        }
        #expect(abs(taken * 12 - Self.hashes.count) < Self.hashes.count / 3)
    }

    @Test("Tables of the same content are one")
    func shared() {
        let tables = RendezvousTables()
        let one = tables.table(keys: Self.keys, weights: nil, size: 101)
        #expect(tables.table(keys: Self.keys, weights: Array(repeating: 2, count: 12), size: 101) === one)
        #expect(tables.table(keys: Self.keys, weights: nil, size: 103) !== one)
        #expect(tables.table(keys: Array(Self.keys.reversed()), weights: nil, size: 101) !== one)
    }

    @Test("No endpoint, and more than a table holds")
    func bounds() {
        #expect(RendezvousTable(keys: [], weights: nil, size: 11).first(7) == nil)
        let many = RendezvousTable(keys: (0..<70_000).map { HashMix.mix($0) }, weights: nil, size: 11)
        #expect(many.first(7) == many.first(18))
    }
}
